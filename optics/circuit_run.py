"""Fluid flows over circuits that come and go: the whole story of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.optics.circuit_schedule import CircuitSchedule
from topo_sim.topo.flow.event_kernels import Work
from topo_sim.topo.flow.paths import check_values
from topo_sim.topo.flow.simulation import check_tolerance, family

__all__ = ["CircuitRun", "run_circuits"]

MOST_EDGES = 20_000_000
MOST_PERIODS = 2.0**53  # beyond, the begin of a period is no exact number any more


@dataclass(frozen=True, eq=False, repr=False)
class CircuitRun:
    """What became of flows over circuits.

    Parameters
    ----------
    schedule : CircuitSchedule
    start : ndarray of float64, shape (flows,), s
        When each flow began to send: the first time that it was due and had light.
    finish : ndarray of float64, shape (flows,), s
        When its last byte arrived.
    reshares : int
        How often bandwidth was shared anew.
    edges : int
        How many ends of slots were worked through; periods that repeat are skipped, not worked through.
    sent : float, s
        When the last byte of all was sent.
    carried : ndarray of float64, shape (slots, planes, ports), B
        What the circuit of each port carried in each slot, over all periods; empty if not asked for.

    Notes
    -----
    Bytes over several hops count on every one of them.
    """

    schedule: CircuitSchedule
    start: NDArray[np.float64]
    finish: NDArray[np.float64]
    reshares: int
    edges: int
    sent: float
    carried: NDArray[np.float64]

    @property
    def makespan(self) -> float:
        """When the last flow arrived, s."""
        return float(self.finish.max(initial=0.0))

    @property
    def periods(self) -> float:
        """How many periods of the schedule passed until the last byte was sent."""
        return self.sent / self.schedule.period

    @property
    def lasted(self) -> NDArray[np.float64]:
        """How long each slot was on until the last byte was sent, over all periods, s: shape (slots,)."""
        edges, period = self.schedule.edges, self.schedule.period
        whole = np.floor(self.periods) if self.schedule.cyclic else 0.0
        rest = np.clip(self.sent - whole * period - edges[:-1], 0.0, self.schedule.durations)
        out: NDArray[np.float64] = whole * self.schedule.durations + rest
        return out

    @property
    def use(self) -> float:
        """Share of what the circuits could have carried until the last byte was sent that they carried.

        Raises
        ------
        FlowError
            If the run kept no record.
        """
        if not self.carried.size:
            raise FlowError("use: found a run without a record, expected one that was given record=True")
        room = float(self.lasted @ (self.schedule.lit @ self.schedule.capacity))
        return float(self.carried.sum()) / room if room > 0 else 0.0

    @property
    def assumptions(self) -> str:
        """What the times rest on, in one line."""
        return (
            "fluid flows, max-min fair over the circuits that are lit; a flow waits where it is while a "
            "circuit of its way is dark"
        )

    def __repr__(self) -> str:
        return f"<CircuitRun: {len(self.finish)} flows, {self.edges} slots passed, {self.makespan:.6g} s>"


def _as_hops(given: Any, ports: int) -> NDArray[np.int64]:
    """Make an array of ranks of one row per flow, filled up with -1."""
    if isinstance(given, Sequence) and given and all(isinstance(row, Sequence) for row in given):
        given = list(zip(*zip_longest(*given, fillvalue=-1), strict=True))
    try:
        hops = np.asarray(given)
    except ValueError:
        raise FlowError("hops: found rows of different kinds, expected a row of ranks per flow") from None
    if hops.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if hops.ndim != 2 or hops.shape[1] < 2 or hops.dtype.kind not in "iu":
        raise FlowError(
            f"hops: found shape {hops.shape} of {hops.dtype}, expected a row of two ranks or more per flow"
        )
    hops = hops.astype(np.int64)
    used = hops >= 0
    ragged = (used[:, 1:] & ~used[:, :-1]).any(axis=1) | ~used[:, 1] | (hops < -1).any(axis=1)
    wrong = ragged | (hops >= ports).any(axis=1)
    order = np.sort(np.where(used, hops, -1 - np.arange(hops.shape[1])), axis=1)
    wrong |= (np.diff(order, axis=1) == 0).any(axis=1)
    if wrong.any():
        flow = int(np.argmax(wrong))
        raise FlowError(
            f"hops[{flow}]: found ranks {hops[flow].tolist()}, expected two or more different ranks "
            f"from 0 to {ports - 1}"
        )
    return hops


def _name(flow: int, hops: NDArray[np.int64]) -> str:
    ranks = hops[flow][hops[flow] >= 0].tolist()
    return f"flow {flow} (ranks {' to '.join(map(str, ranks))})"


def _compile(schedule: CircuitSchedule, hops: NDArray[np.int64], size: NDArray[np.float64]) -> Any:
    """Give numbers to the pairs in use; returns paths as CSR and what kernels see of the schedule."""
    from topo_sim.optics.circuit_state_kernels import Circuits

    ports, flows = schedule.ports, len(hops)
    source, target = hops[:, :-1], hops[:, 1:]
    used = target >= 0
    served = np.where(used, schedule.served[source, np.where(used, target, 0)], np.inf)
    least = served.min(axis=1, initial=np.inf)
    never = (least == 0) & (size > 0)
    if never.any():
        flow = int(np.argmax(never))
        hop = int(np.argmin(served[flow]))
        raise FlowError(
            f"{_name(flow, hops)}: no slot joins rank {source[flow, hop]} to rank {target[flow, hop]}, "
            f"expected one that does ({int(never.sum())} such flows)"
        )
    pairs, links = np.unique(source[used] * ports + target[used], return_inverse=True)
    links = links.ravel().astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int64)
    users = np.repeat(np.arange(flows, dtype=np.int32), np.diff(indptr))
    by_link = np.concatenate([[0], np.cumsum(np.bincount(links, minlength=pairs.size))]).astype(np.int64)
    circuits = Circuits(
        schedule.targets,
        schedule.edges,
        schedule.capacity,
        int(schedule.cyclic),
        np.searchsorted(pairs, np.arange(ports + 1) * ports),
        (pairs % ports).astype(np.int32),
        by_link,
        users[np.argsort(links, kind="stable")],
        least,
    )
    return indptr, links, circuits


def run_circuits(
    schedule: CircuitSchedule,
    hops: ArrayLike,
    size: ArrayLike,
    start: ArrayLike = 0.0,
    latency: ArrayLike = 0.0,
    *,
    after: ArrayLike | None = None,
    behind: ArrayLike | None = None,
    delay: ArrayLike = 0.0,
    record: bool = False,
    most_edges: int = MOST_EDGES,
    tolerance: float = 1e-12,
) -> CircuitRun:
    """Run fluid flows over circuits that come and go.

    Parameters
    ----------
    schedule : CircuitSchedule
    hops : array_like of int, shape (flows, ranks)
        The ranks that each flow visits: two for a direct circuit, more for a way over several circuits that
        have to be lit at once; rows are filled up with -1. Lists may differ in length.
    size : array_like of float, shape (flows,), B
        Bytes of each flow; 0 ends at once.
    start, latency, after, behind, delay
        As in `topo_sim.topo.flow.simulate`. Bytes that wait at a rank between two hops are two flows, the
        second `after` the first.
    record : bool
        Whether to keep what every circuit carried in every slot; memory is ``16 * slots * planes * ports``.
    most_edges : int
        How many ends of slots may be worked through before the run is given up.
    tolerance : float
        Starts and ends closer than this, relative to the time, count as one event; and a flow that has less
        than this share of its bytes left when it loses its light has ended.

    Returns
    -------
    CircuitRun

    Raises
    ------
    FlowError
        If an array does not fit or holds what is no sensible value, if flows wait for each other in a circle,
        if a flow never gets the circuits that it needs, or if the schedule ends too early or the run is too
        long.

    Notes
    -----
    Flows over a pair of ports share all circuits that join it, max-min fairly, over several hops as well; a
    flow keeps its bytes while it has no light, and takes its share at once when it has. Slots are worked
    through one by one: an edge costs looking at ``planes * ports`` entries and stopping or starting the flows
    on circuits that change. Where a whole period of a cyclic schedule brings neither start nor end of a flow,
    the next ones would repeat it: all but the last of them are skipped, and nothing is approximated. What
    is left of a flow after skipping is right to a few roundings of its size.

    Examples
    --------
    Ranks 0 and 1 see each other for one second in every four, at 10 B/s: 25 bytes take two periods and a half
    second of light in the third.

    >>> pair = CircuitSchedule([[[1, 0]], [[-1, -1]]], [1.0, 3.0], capacity=10.0, cyclic=True)
    >>> run = run_circuits(pair, [(0, 1)], [25.0], record=True)
    >>> run.finish.tolist(), run.carried[:, 0, 0].tolist()
    ([8.5], [25.0, 0.0])
    """
    from topo_sim.optics.circuit_kernels import run_over_circuits
    from topo_sim.optics.circuit_state_kernels import TOO_LONG

    ways = _as_hops(hops, schedule.ports)
    flows = len(ways)
    arrays = {"size": size, "start": start, "latency": latency, "delay": delay}
    sizes, starts, delays, waits = (check_values(value, name, flows) for name, value in arrays.items())
    check_tolerance(tolerance)
    if isinstance(most_edges, bool) or not isinstance(most_edges, (int, np.integer)) or most_edges < 1:
        raise FlowError(f"most_edges: found {most_edges!r}, expected a whole number of at least 1")
    work = Work(sizes, starts, delays, waits, *family(after, behind, flows), float(tolerance))
    indptr, links, circuits = _compile(schedule, ways, sizes)
    _refuse_endless(schedule, circuits.most, work)
    carried = np.zeros(schedule.targets.shape if record else (0, 0, 0))
    begin, sent = np.empty(flows), np.empty(flows)
    how, reshares, edges, phase = run_over_circuits(
        indptr, links, circuits, work, int(most_edges), begin, sent, carried
    )
    if how == TOO_LONG:
        raise FlowError(
            f"most_edges: found flows that need more than {most_edges:,} slots, expected fewer; raise "
            f"most_edges, or take longer slots ({int(np.isnan(sent).sum())} of {flows} flows have not ended)"
        )
    _refuse_unfinished(schedule, ways, sent, phase)
    with np.errstate(over="ignore"):
        finish = sent + delays
    if not np.isfinite(finish).all():
        raise FlowError("size: found flows that take longer than any number of seconds, expected less")
    last = float(sent[sizes > 0].max(initial=0.0))
    return CircuitRun(schedule, begin, finish, int(reshares), int(edges), last, carried)


def _refuse_endless(schedule: CircuitSchedule, least: NDArray[np.float64], work: Work) -> None:
    """Raise if flows, sent one after the other, might take more periods than can be counted."""
    if not schedule.cyclic:
        return
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sending = np.where(work.size > 0, work.size / least, 0.0).sum()
        waiting = (work.start.max(initial=0.0) + work.latency.sum() + work.delay.sum()) / schedule.period
        periods = float(sending) + float(waiting)
    if not periods <= MOST_PERIODS:
        raise FlowError(
            f"size: found flows that may take {periods:.3g} periods of {schedule.period:g} s, "
            f"expected at most {MOST_PERIODS:.3g}"
        )


def _refuse_unfinished(
    schedule: CircuitSchedule, hops: NDArray[np.int64], sent: NDArray[np.float64], phase: NDArray[np.int8]
) -> None:
    """Raise if flows have not ended: for want of light, or because they wait for each other."""
    left = np.isnan(sent)
    if not left.any():
        return
    from topo_sim.optics.circuit_state_kernels import PARKED

    dark = np.flatnonzero(left & (phase == PARKED))
    if not dark.size:
        raise FlowError(
            f"after, behind: found {int(left.sum())} flows that wait for each other in a circle or for such "
            f"flows (flow {int(np.argmax(left))} for one), expected none"
        )
    name, more = _name(int(dark[0]), hops), f"{dark.size} such flows"
    if schedule.cyclic:
        raise FlowError(
            f"{name}: found no slot in which all circuits of its way are lit, expected one ({more})"
        )
    raise FlowError(
        f"{name}: found bytes left when the schedule ends at {schedule.period:g} s, expected more time with "
        f"light, or a cyclic schedule ({more})"
    )
