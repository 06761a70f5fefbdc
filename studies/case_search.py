"""The search of the case study: tensor parallelism and batches, by roofline and by modelled operators."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from topo_sim.inference.deployment import over_limit
from topo_sim.inference.exchanges import pass_exchanges
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.network import IdealNetwork, Network
from topo_sim.inference.operators import Device, Efficiency, Precision, Work
from topo_sim.inference.operators.layers import Phase
from topo_sim.inference.parallelism import Layout
from topo_sim.inference.passes import PassTimer
from topo_sim.inference.roofline import LADDER, TBT, TTFT, pass_bounds

__all__ = ["OVERLAPS", "SEARCHES", "Best", "Case", "Found", "covered"]

OVERLAPS = (0.0, 1.0)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One type of GPU on one model in one phase, on several networks.

    Parameters
    ----------
    model : LanguageModel
    device : Device
    most : int
        GPUs of an instance, at most.
    phase : {"prefill", "decode"}
    networks : mapping from str to Network
    efficiency : Efficiency
    precision : Precision
        Of the modelled operators.
    kv : {"shard", "replicate"}
        Of the roofline.
    context : int
    """

    model: LanguageModel
    device: Device
    most: int
    phase: Phase
    networks: Mapping[str, Network]
    efficiency: Efficiency
    precision: Precision
    kv: Literal["shard", "replicate"]
    context: int

    @property
    def limit(self) -> float:
        """Limit of the time of a pass, s."""
        return TTFT if self.phase == "prefill" else TBT

    @property
    def work(self) -> Work:
        """All batches of the ladder."""
        return Work(self.phase, LADDER, self.context)

    def counts(self, network: Network) -> Iterator[int]:
        """Numbers of GPUs to try: divisors of the heads, and on a fabric those that fill it evenly."""
        for n in range(1, min(self.most, network.ranks) + 1):
            if self.model.heads % n == 0 and (isinstance(network, IdealNetwork) or network.ranks % n == 0):
                yield n


@dataclass(frozen=True)
class Found:
    """A layout with its best batch.

    Parameters
    ----------
    per_sm : float, 1/s
    gpus, batch : int
    layout : str
    time : float, s
    share : float
        Of the time: communication that nothing hides.
    """

    per_sm: float
    gpus: int
    batch: int
    layout: str
    time: float
    share: float


@dataclass
class Best:
    """The best of all layouts that were offered, per overlap, and the fastest whatever its time."""

    found: dict[float, Found] = field(default_factory=dict)
    nearest: dict[float, Found] = field(default_factory=dict)

    def miss(self, case: Case, overlap: float) -> str:
        """Say what comes closest where nothing is found."""
        one = self.nearest.get(overlap)
        if one is None:
            return "no number of GPUs that fills the network holds weights and one sequence"
        name = "TTFT" if case.phase == "prefill" else "TBT"
        return f"closest is {one.layout}, {name} {over_limit(one.time, case.limit)}"

    def offer(
        self, case: Case, gpus: int, layout: str, own: Array, wire: Array, fits: NDArray[np.bool_]
    ) -> None:
        """Offer all batches of one layout.

        Parameters
        ----------
        case : Case
        gpus : int
        layout : str
        own, wire : ndarray of float64, s
            Operators and communication, by batch.
        fits : ndarray of bool
        """
        for overlap in OVERLAPS:
            exposed = wire - overlap * np.minimum(own, wire)
            total = own + exposed
            if fits.any():
                j = int(np.argmin(np.where(fits, total, np.inf)))
                if overlap not in self.nearest or total[j] < self.nearest[overlap].time:
                    time, share = float(total[j]), float(exposed[j] / total[j])
                    self.nearest[overlap] = Found(0.0, gpus, LADDER[j], layout, time, share)
            score = np.where(fits & (total <= case.limit), case.work.tokens / total, 0.0)
            score = score / (gpus * case.device.sms)
            i = int(np.argmax(score))
            best = self.found.get(overlap)
            if score[i] > 0 and (best is None or score[i] > best.per_sm * (1 + 1e-12)):
                share = float(exposed[i] / total[i])
                self.found[overlap] = Found(float(score[i]), gpus, LADDER[i], layout, float(total[i]), share)


def covered(model: LanguageModel, operators: str) -> bool:
    """Tell whether a search can answer for a model: the roofline covers dense ones alone."""
    return operators != "roofline" or not (model.experts or model.latent)


def by_roofline(case: Case) -> dict[str, Best]:
    """Search by the whole-pass roofline."""
    found = {name: Best() for name in case.networks}
    for name, network in case.networks.items():
        for n in case.counts(network):
            how = {"context": case.context, "kv": case.kv}
            bounds = pass_bounds(case.model, case.device, n, LADDER, case.phase, IdealNetwork(1.0), **how)  # type: ignore[arg-type]
            if bounds.fits.any():
                wire = pass_bounds(case.model, case.device, n, LADDER, case.phase, network, **how).network  # type: ignore[arg-type]
                own = np.maximum(bounds.compute, bounds.memory)
                found[name].offer(case, n, f"TP {n}", own, wire, bounds.fits)
    return found


def by_operators(case: Case) -> dict[str, Best]:
    """Search by modelled operators: cache held or cut, norms spread or not."""
    found = {name: Best() for name in case.networks}
    free = IdealNetwork(1.0)
    for n in case.counts(free):
        for layout in _layouts(case.model, n):
            timer = PassTimer(case.model, case.device, layout, free, case.precision, case.efficiency)
            fits = timer.memory(LADDER, case.context) <= case.device.memory
            if not fits.any():
                continue
            own = timer.operator_parts(case.work).sum(axis=0)
            for name, network in case.networks.items():
                if n not in case.counts(network):
                    continue
                wire = np.zeros(len(LADDER))
                for each in pass_exchanges(case.model, layout, case.work, case.precision, network.ranks):
                    wire = wire + each.time(network)
                found[name].offer(case, n, layout.label, own, wire, fits)
    return found


def _layouts(model: LanguageModel, n: int) -> Iterator[Layout]:
    yield Layout(tp=n)
    if n > 1:
        yield Layout(tp=n, sequence_parallel=True)
    if n > model.kv_heads and n % model.kv_heads == 0:
        yield Layout(tp=n, kv="shard")
        yield Layout(tp=n, kv="shard", sequence_parallel=True)


SEARCHES: Mapping[str, Callable[[Case], dict[str, Best]]] = {
    "roofline": by_roofline,
    "calibrated": by_operators,
}
"""How operators are timed."""
