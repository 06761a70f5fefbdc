"""ASTRA-sim's analytical backends, unaware and aware of congestion, in closed form to the nanosecond."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, TopologyError, UsageError
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric
from topo_sim.topo.files import AstraNetwork, astra_network

__all__ = ["astra_algorithm", "astra_aware", "astra_time", "astra_unaware"]

COLLECTIVES = ("all_reduce", "reduce_scatter", "all_gather", "all_to_all")
NATIVE = {"Ring": "ring", "FullyConnected": "direct", "Switch": "halving_doubling"}


@dataclass(frozen=True)
class _Line:
    """One dimension, as the backends time messages on it; all times in whole ns.

    Parameters
    ----------
    how : {"ring", "direct", "halving_doubling"}
    n : int
        Ranks along it.
    rate : float, B/ns
    latency : float, ns
    hops : int
        Links that a message crosses: two by way of a switch.
    aware : bool
        Whether whole messages are stored and forwarded, one at a time per link.
    delay : int, ns
        At an endpoint, per step.
    memory : float, B/ns
    """

    how: str
    n: int
    rate: float
    latency: float
    hops: int
    aware: bool
    delay: int
    memory: float

    def message(self, size: float) -> int:
        """Time of one message."""
        if self.aware:
            return self.hops * int(self.latency + size / self.rate)
        return int(self.hops * self.latency + size / self.rate)

    def reduction(self, size: float) -> int:
        """Time to combine a message with what is held: two reads, one write."""
        return 3 * int(size / self.memory)

    def reduce_scatter(self, size: float, *, ends: bool = True) -> int:
        """Reduce-scatter of a vector; without `ends`, the part before the last endpoint delay."""
        n, m = self.n, size / self.n
        if self.how == "ring":
            return (n - 1) * (self.message(m) + self.reduction(m)) + (n - 1 + ends) * self.delay
        if self.how == "direct":
            return self.message(m) + self.reduction(m) + (1 + ends) * self.delay
        halves = [size / 2**i for i in range(1, n.bit_length())]
        steps = sum(map(self.message, halves)) + sum(map(self.reduction, halves[1:]))
        return steps + (len(halves) + ends) * self.delay

    def all_gather(self, shard: float) -> int:
        """All-gather of shards of one rank."""
        if self.how == "ring":
            return (self.n - 1) * self.message(shard) + self.n * self.delay
        if self.how == "direct":
            return self.message(shard) + 2 * self.delay
        steps = self.n.bit_length() - 1
        return sum(self.message(shard * 2**i) for i in range(steps)) + (steps + 1) * self.delay

    def all_reduce(self, size: float) -> int:
        """All-reduce of a vector: both halves, with one endpoint delay between them."""
        return self.reduce_scatter(size, ends=False) + self.all_gather(size / self.n)

    def all_to_all(self, size: float) -> int:
        """All-to-all of what one rank holds."""
        m = size / self.n
        if self.how == "ring":
            steps = self.n * (self.n - 1) // 2
            return steps * self.message(m) + (steps + 1) * self.delay
        queued = (self.n - 2) * int(m / self.rate) if self.aware and self.hops > 1 else 0
        return queued + self.message(m) + 2 * self.delay


def astra_time(
    network: AstraNetwork,
    collective: str,
    size: float,
    *,
    aware: bool = False,
    endpoint_delay: int = 10,
    local_mem_bw: float = 1600.0,
    switch: str = "halving_doubling",
) -> float:
    """Time that ASTRA-sim's analytical backend gives for one collective in one chunk.

    Parameters
    ----------
    network : AstraNetwork
    collective : {"all_reduce", "reduce_scatter", "all_gather", "all_to_all"}
    size : float, B
        As nccl-tests counts it: for all-gather the gathered whole, where ASTRA-sim takes the shard.
    aware : bool
        Whether by the backend that is aware of congestion; it takes networks of one dimension only.
    endpoint_delay : int, ns
        As in its system file; at least 1.
    local_mem_bw : float, GB/s
        As in its system file: what reductions run at.
    switch : {"halving_doubling", "ring"}
        What a Switch runs, except for all-to-all, which is direct there.

    Returns
    -------
    float, s
        A whole number of nanoseconds.

    Raises
    ------
    CollectiveError
        If ASTRA-sim refuses the case, hangs on it or rounds it: another collective, a switch of no power
        of two, a size below one byte per rank, more than one dimension if aware.
    UsageError
        If a setting is out of range.

    Notes
    -----
    Ring, FullyConnected and Switch run the ring, direct and halving-doubling algorithms. The unaware
    backend takes ``hops * latency + m / bandwidth`` for a message, whatever else is under way, so that any
    number of messages share a link for free. The aware one sends whole messages over each link in turn,
    and stores them at every hop, so that a step through a switch takes twice its time. Both cut times to
    whole nanoseconds. Over several dimensions: reduce-scatter along all but the last, all-reduce along
    that, all-gather back. A halving-doubling reduce-scatter does not charge the first reduction.

    References
    ----------
    Won et al., "ASTRA-sim2.0", ISPASS 2023. Closed forms found by us from its public code; they give the
    same nanosecond as 509 runs of the programs.

    Examples
    --------
    Four ranks in a ring at 1 B/ns: six steps of 100 + 250 ns, three reductions of 3 * 0 ns, 7 * 10 ns:

    >>> ring = AstraNetwork(("Ring",), (4,), (1e9 / 2**30,), (100.0,))
    >>> round(astra_time(ring, "all_reduce", 1000) * 1e9)
    2170
    """
    _check(network, collective, size, aware, switch)
    if isinstance(endpoint_delay, bool) or not isinstance(endpoint_delay, int) or endpoint_delay < 1:
        raise UsageError(
            f"endpoint_delay: found {endpoint_delay!r}, expected a whole number of ns of at least 1"
        )
    if not _is_finite(local_mem_bw) or local_mem_bw <= 0:
        raise UsageError(f"local_mem_bw: found {local_mem_bw!r}, expected more than 0 GB/s")
    rest = (aware, endpoint_delay, float(local_mem_bw))
    lines = [
        _Line(_how(shape, switch), n, rate * 2**30 / 1e9, delay, 2 if shape == "Switch" else 1, *rest)
        for shape, n, rate, delay in zip(
            network.topology, network.npus_count, network.bandwidth, network.latency, strict=True
        )
    ]
    return _PHASES[collective](lines, float(size)) / 1e9


def astra_algorithm(network: AstraNetwork, collective: str, switch: str = "halving_doubling") -> str:
    """Name what ASTRA-sim runs along each dimension.

    Parameters
    ----------
    network : AstraNetwork
    collective : str
    switch : {"halving_doubling", "ring"}

    Returns
    -------
    str

    Examples
    --------
    >>> network = AstraNetwork(("Ring", "Switch"), (4, 8), (50.0, 50.0), (500.0, 500.0))
    >>> astra_algorithm(network, "all_reduce"), astra_algorithm(network, "all_to_all")
    ('ring x halving_doubling', 'ring x direct')
    """
    direct = collective == "all_to_all"
    names = ("direct" if direct and s == "Switch" else _how(s, switch) for s in network.topology)
    return " x ".join(names)


def _how(shape: str, switch: str) -> str:
    return switch if shape == "Switch" else NATIVE[shape]


def _is_finite(value: object) -> bool:
    return (
        isinstance(value, (int, float, np.number))
        and not isinstance(value, bool)
        and math.isfinite(float(value))
    )


def _check(network: AstraNetwork, collective: str, size: float, aware: bool, switch: str) -> None:
    if collective not in COLLECTIVES:
        raise CollectiveError(f"ASTRA-sim times no {collective}, expected one of {', '.join(COLLECTIVES)}")
    if switch not in ("halving_doubling", "ring"):
        raise UsageError(f"switch: found {switch!r}, expected halving_doubling or ring")
    if aware and len(network.topology) > 1:
        raise CollectiveError(
            f"ASTRA-sim refuses {' x '.join(network.topology)} where it is aware of congestion, expected one "
            "dimension; use astra-unaware or step"
        )
    if not _is_finite(size) or size < network.npus:
        raise CollectiveError(
            f"ASTRA-sim rounds {size!r} B over {network.npus} ranks up without a word, expected a byte per "
            f"rank: {network.npus} B or more"
        )
    for shape, n in zip(network.topology, network.npus_count, strict=True):
        halving = shape == "Switch" and switch == "halving_doubling" and collective != "all_to_all"
        if halving and n & (n - 1):
            raise CollectiveError(
                f"ASTRA-sim never ends halving-doubling on a Switch of {n}, expected a power of two; use "
                "switch=ring or step"
            )


def _all_reduce(lines: Sequence[_Line], size: float) -> int:
    total, shards = 0, []
    for line in lines[:-1]:
        total += line.reduce_scatter(size)
        size /= line.n
        shards.append(size)
    total += lines[-1].all_reduce(size)
    return total + sum(line.all_gather(s) for line, s in zip(lines[:-1], shards, strict=True))


def _reduce_scatter(lines: Sequence[_Line], size: float) -> int:
    total = 0
    for line in lines:
        total += line.reduce_scatter(size)
        size /= line.n
    return total


def _all_gather(lines: Sequence[_Line], size: float) -> int:
    total, shard = 0, size / math.prod(line.n for line in lines)
    for line in reversed(lines):
        total += line.all_gather(shard)
        shard *= line.n
    return total


def _all_to_all(lines: Sequence[_Line], size: float) -> int:
    return sum(line.all_to_all(size) for line in lines)


_PHASES: dict[str, Callable[[Sequence[_Line], float], int]] = {
    "all_reduce": _all_reduce,
    "reduce_scatter": _reduce_scatter,
    "all_gather": _all_gather,
    "all_to_all": _all_to_all,
}


def _network(schedule: Schedule, fabric: Fabric) -> AstraNetwork:
    try:
        network = astra_network(fabric)
    except TopologyError as error:
        raise CollectiveError(str(error)) from None
    if schedule.ranks != network.npus:
        raise CollectiveError(
            f"ASTRA-sim runs on all {network.npus} endpoints of {fabric.name}, expected so many ranks, not "
            f"{schedule.ranks}"
        )
    return network


def _evaluate(
    schedule: Schedule, fabric: Fabric, sizes: NDArray[np.float64], *, aware: bool, **settings: Any
) -> NDArray[np.float64]:
    network = _network(schedule, fabric)
    name = schedule.collective.name
    return np.array([astra_time(network, name, n, aware=aware, **settings) for n in sizes.tolist()])


def _label(schedule: Schedule, fabric: Fabric, switch: str = "halving_doubling", **_: Any) -> str:
    return astra_algorithm(_network(schedule, fabric), schedule.collective.name, switch)


def _model(name: str, summary: str, aware: bool) -> CostModel:
    return register(
        CostModel(
            name=name,
            summary=summary,
            evaluate=partial(_evaluate, aware=aware),
            reference="Won et al., ASTRA-sim2.0, ISPASS 2023, and its public code",
            settings={"endpoint_delay": 10, "local_mem_bw": 1600.0, "switch": "halving_doubling"},
            chooses=_label,
        )
    )


astra_unaware = _model(
    "astra-unaware", "ASTRA-sim's backend without congestion: messages share a link for free", aware=False
)
"""Runs its own algorithm along each dimension, whatever the schedule's."""
astra_aware = _model(
    "astra-aware",
    "ASTRA-sim's backend with congestion: whole messages, one at a time per link; one dimension",
    aware=True,
)
"""Runs its own algorithm, whatever the schedule's."""
