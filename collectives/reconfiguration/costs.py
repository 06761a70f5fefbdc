"""What every step costs on every candidate: a matrix of delays and times per byte."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import RoutingError, UsageError
from topo_sim.collectives.reconfiguration.circuits import Circuits
from topo_sim.collectives.reconfiguration.configurations import Configuration
from topo_sim.collectives.reconfiguration.cost_kernels import (
    lay_rings,
    on_own_circuits,
    on_rings,
    on_shifts,
)
from topo_sim.collectives.reconfiguration.traffic import StepTraffic
from topo_sim.collectives.result import Front
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule
from topo_sim.collectives.solving import network_of, solve_steps
from topo_sim.topo import Fabric

__all__ = ["Candidate", "StepCosts", "step_costs"]

Candidate = Configuration | Fabric


@dataclass(frozen=True)
class StepCosts:
    """Delay and time per byte of every step on every candidate, each step run once.

    Parameters
    ----------
    delay : ndarray of float64, shape (S, C), s
        Of the light paths that the longest way crosses; infinite where a candidate cannot carry a step.
    pace : ndarray of float64, shape (S, C), s/B
        Per byte of the size of the collective.
    moved : ndarray of float64, shape (S, C)
        Bytes times links crossed, per byte of size.
    fronts : dict from (step, candidate) to a pair of ndarrays, s and s/B
        Where it depends on the size which transfer is last: delay and pace of those that can be.

    Examples
    --------
    >>> costs = StepCosts(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]), np.ones((1, 2)))
    >>> costs.at(10.0).tolist()
    [[31.0, 12.0]]
    """

    delay: NDArray[np.float64]
    pace: NDArray[np.float64]
    moved: NDArray[np.float64]
    fronts: dict[tuple[int, int], Front] = field(default_factory=dict)

    def at(self, size: float) -> NDArray[np.float64]:
        """Time of every step on every candidate at a size, without what it takes to start.

        Parameters
        ----------
        size : float, B

        Returns
        -------
        ndarray of float64, shape (S, C), s
        """
        time = self.delay + size * self.pace
        for place, (delay, pace) in self.fronts.items():
            time[place] = (delay + size * pace).max()
        return time

    def split(
        self, choice: NDArray[np.int64], size: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Divide the times of steps on the candidates chosen for them.

        Parameters
        ----------
        choice : ndarray of int64, shape (S,)
        size : float, B

        Returns
        -------
        hops, bytes : ndarray of float64, shape (S,), s
            Delay of the transfer that is last, and the time in which its bytes are sent.
        """
        step = np.arange(len(choice))
        hops, sent = self.delay[step, choice].copy(), size * self.pace[step, choice]
        for i in step:
            front = self.fronts.get((int(i), int(choice[i])))
            if front is not None:
                last = int(np.argmax(front[0] + size * front[1]))
                hops[i], sent[i] = front[0][last], size * front[1][last]
        return hops, sent


def step_costs(
    schedule: Schedule, traffic: StepTraffic, candidates: Sequence[Candidate], circuits: Circuits
) -> StepCosts:
    """Cost all steps of a schedule on all candidates.

    Parameters
    ----------
    schedule : Schedule
    traffic : StepTraffic
        Of its steps.
    candidates : sequence of Configuration or Fabric
    circuits : Circuits

    Returns
    -------
    StepCosts

    Raises
    ------
    UsageError
        If a fabric has other endpoints, or faster ones, than the circuits.

    Notes
    -----
    A transfer takes its own circuit where there is one. Further ways are taken on configurations with one
    circuit a rank (the only way there is) and on rings that go both ways (the shorter way; both halves where
    they are alike); there a step takes `hop` for each light path of the longest way, and its bytes the time
    of the busiest circuit. Other configurations carry only steps with a circuit for every transfer. On a
    fabric a step takes what `topo_sim.collectives.cost` says, and the delays are those of its links.

    That the bytes take the time of the busiest circuit is exact: all transfers at rates in proportion to
    their bytes end together, which is the greatest concurrent flow over those ways.

    References
    ----------
    arXiv 2510.08072: alpha + delta * hops + beta * bytes / theta for a step on a graph.
    """
    shape = (len(schedule.steps), len(candidates))
    out = StepCosts(np.full(shape, np.inf), np.zeros(shape), np.zeros(shape))
    kinds = np.array([_kind(one) for one in candidates], dtype="U6")
    rings, own = np.flatnonzero(kinds == "rings"), np.flatnonzero(kinds == "own")
    if shape[0]:
        _fill_rings(out, traffic, candidates, rings, circuits)
        _fill_own(out, traffic, candidates, own, circuits)
        for c, one in enumerate(candidates):
            if isinstance(one, Fabric):
                _fill_fabric(out, schedule, one, c, circuits)
    return out


def _kind(candidate: Candidate) -> str:
    if isinstance(candidate, Fabric):
        return "fabric"
    return "rings" if candidate.degree == 1 or candidate.both_ways else "own"


def _put(
    out: StepCosts,
    where: tuple[NDArray[np.intp], NDArray[np.intp]],
    hops: NDArray[np.int64],
    pace: NDArray[np.float64],
    moved: NDArray[np.float64],
    hop: float,
) -> None:
    reached = hops >= 0
    place = np.ix_(*where)
    out.delay[place] = np.where(reached, hop * hops, np.inf)
    out.pace[place] = np.where(reached, pace, 0.0)
    out.moved[place] = np.where(reached, moved, 0.0)


def _rates(
    candidates: Sequence[Candidate], chosen: NDArray[np.intp], circuits: Circuits
) -> NDArray[np.float64]:
    """Rate of a circuit of each chosen configuration, B/s."""
    planes = [one.planes(circuits.ports) for c in chosen if isinstance(one := candidates[c], Configuration)]
    return circuits.port_rate * np.array(planes, dtype=np.float64)


def _fill_rings(
    out: StepCosts,
    traffic: StepTraffic,
    candidates: Sequence[Candidate],
    rings: NDArray[np.intp],
    circuits: Circuits,
) -> None:
    given = [one for c in rings if isinstance(one := candidates[c], Configuration)]
    stride = np.array([one.shift for one in given], dtype=np.int64)
    alike, turning = traffic.shift > 0, stride > 0
    rate = _rates(candidates, rings, circuits)
    if alike.any() and turning.any():
        rows = np.flatnonzero(alike), traffic.shift[alike], traffic.scale[alike]
        columns = rings[turning], stride[turning], rate[turning]
        hop = float(circuits.hop)
        on_shifts(*rows, *columns, traffic.ranks, hop, out.delay, out.pace, out.moved)
    for steps, some in ((alike, ~turning), (~alike, np.ones(len(given), dtype=np.bool_))):
        if steps.any() and some.any():
            _by_following(
                out, traffic, np.flatnonzero(steps), given, rings, np.flatnonzero(some), rate, circuits
            )


def _by_following(
    out: StepCosts,
    traffic: StepTraffic,
    steps: NDArray[np.intp],
    given: list[Configuration],
    rings: NDArray[np.intp],
    some: NDArray[np.intp],
    rate: NDArray[np.float64],
    circuits: Circuits,
) -> None:
    """Fill in steps on rings by adding up what their links carry."""
    part = traffic.rows(steps)
    chosen = [given[c] for c in some]
    shape = (len(chosen), traffic.ranks)
    slot, first, length = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    closed = np.zeros(shape, dtype=np.bool_)
    for c, one in enumerate(chosen):
        onward, other = (np.full(traffic.ranks, -1) for _ in range(2))
        onward[one.source] = one.target
        if one.degree == 2:
            onward[one.source[::2]], other[one.source[::2]] = one.target[::2], one.target[1::2]
        lay_rings(onward, other, slot[c], first[c], length[c], closed[c])
    two = np.array([one.degree == 2 for one in chosen])
    hops = np.zeros((len(steps), len(chosen)), dtype=np.int64)
    load, moved = np.zeros(hops.shape), np.zeros(hops.shape)
    ends = part.source, part.target, part.amount
    on_rings(part.indptr, *ends, slot, first, length, closed, two, hops, load, moved)
    scale = traffic.scale[steps][:, np.newaxis]
    _put(out, (steps, rings[some]), hops, load * scale / rate[some], moved * scale, circuits.hop)


def _fill_own(
    out: StepCosts,
    traffic: StepTraffic,
    candidates: Sequence[Candidate],
    own: NDArray[np.intp],
    circuits: Circuits,
) -> None:
    if not len(own):
        return
    keys = [one.key for c in own if isinstance(one := candidates[c], Configuration)]
    ptr = np.append(0, np.cumsum([len(key) for key in keys])).astype(np.int64)
    steps = len(traffic.indptr) - 1
    part = traffic.rows(np.arange(steps))
    load, total = np.zeros((steps, len(own))), np.zeros(steps)
    pairs = part.source * traffic.ranks + part.target
    on_own_circuits(part.indptr, pairs, part.amount, ptr, np.concatenate(keys), load, total)
    hops = np.where(load >= 0, 1, -1)
    scale = traffic.scale[:, np.newaxis]
    pace = load * scale / _rates(candidates, own, circuits)
    moved = np.broadcast_to(total[:, np.newaxis] * scale, load.shape)
    _put(out, (np.arange(steps), own), hops, pace, moved, circuits.hop)


def _fill_fabric(out: StepCosts, schedule: Schedule, fabric: Fabric, c: int, circuits: Circuits) -> None:
    if fabric.ranks != schedule.ranks:
        raise UsageError(
            f"{fabric.name}: found {fabric.ranks} endpoints, expected the {schedule.ranks} of the schedule"
        )
    for ends in (fabric.link_source, fabric.link_target):
        most = float(np.bincount(ends, fabric.capacity, len(fabric.kind))[fabric.endpoints].max())
        if most > circuits.rate * (1 + 1e-9):
            raise UsageError(
                f"{fabric.name}: an endpoint has {most:g} B/s, expected at most the {circuits.rate:g} B/s of "
                "its optical ports"
            )
    router = Router(fabric)
    for i, step in enumerate(schedule.steps):
        alone = replace(schedule, steps=(step,))
        try:
            (front,), load = solve_steps(alone, network_of(router, alone), 0.0)
        except RoutingError:
            continue
        out.delay[i, c], out.pace[i, c] = front[0][0], front[1][0]
        out.moved[i, c] = load.sum() / step.repeat
        if len(front[0]) > 1:
            out.fronts[i, c] = front
