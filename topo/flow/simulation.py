"""Fluid flows that start at given times or after each other: the whole story of a run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.event_kernels import Trace, Work, run_flows
from topo_sim.topo.flow.paths import Paths, as_numbers, check_capacity, check_values

__all__ = ["FlowRun", "check_tolerance", "family", "limited_part", "run_events", "simulate"]

_NONE = np.zeros(0)
MOST_BINS = 1_000_000


@dataclass(frozen=True, eq=False, repr=False)
class FlowRun:
    """What became of flows that ran to their ends.

    Parameters
    ----------
    start : ndarray of float64, shape (flows,), s
        When each flow began to send; earlier than asked for by the tolerance at most.
    finish : ndarray of float64, shape (flows,), s
        When its last byte arrived.
    reshares : int
        How often bandwidth was shared anew.
    tolerance : float
        Events closer than this, relative to the time, counted as one.
    edges : ndarray of float64, shape (bins + 1,), s
        The bins of time that `carried` counts in; empty if none were asked for.
    carried : ndarray of float64, shape (bins, links), B
        What each link carried in each bin.
    """

    start: NDArray[np.float64]
    finish: NDArray[np.float64]
    reshares: int
    tolerance: float
    edges: NDArray[np.float64]
    carried: NDArray[np.float64]

    @property
    def makespan(self) -> float:
        """When the last flow arrived, s."""
        return float(self.finish.max(initial=0.0))

    @property
    def assumptions(self) -> str:
        """What the times rest on, in one line."""
        return (
            f"fluid flows, max-min fair, shared anew {self.reshares} times; events within "
            f"{self.tolerance:g} of the time count as one"
        )

    def utilisation(self, capacity: ArrayLike) -> NDArray[np.float64]:
        """Say how busy each link was in each bin.

        Parameters
        ----------
        capacity : array_like of float, shape (links,), B/s

        Returns
        -------
        ndarray of float64, shape (bins, links)
            Between 0 and 1.

        Raises
        ------
        FlowError
            If the run counted nothing, or `capacity` does not fit.
        """
        if not self.edges.size:
            raise FlowError("utilisation: found a run without bins, expected one that was given bins=")
        limits, room = as_numbers(capacity, "capacity"), self.carried.shape[1]
        if limits.shape not in ((), self.carried.shape[1:]) or not np.all(limits > 0):
            raise FlowError(f"capacity: found shape {limits.shape}, expected {room} numbers of more than 0")
        most = np.diff(self.edges)[:, None] * np.broadcast_to(limits, room)
        return np.divide(self.carried, most, out=np.zeros_like(most), where=most > 0)

    def __repr__(self) -> str:
        return f"<FlowRun: {len(self.finish)} flows, {self.reshares} re-shares, {self.makespan:.6g} s>"


def simulate(
    paths: Paths,
    capacity: ArrayLike,
    size: ArrayLike,
    start: ArrayLike = 0.0,
    latency: ArrayLike = 0.0,
    *,
    after: ArrayLike | None = None,
    behind: ArrayLike | None = None,
    delay: ArrayLike = 0.0,
    bins: int = 0,
    tolerance: float = 1e-12,
) -> FlowRun:
    """Run fluid flows that may wait for each other, and say what the links carried when.

    Parameters
    ----------
    paths : Paths
        The links of each flow.
    capacity : array_like of float, shape (links,), B/s
    size : array_like of float, shape (flows,), B
        Bytes of each flow; 0 ends at once.
    start : array_like of float, shape (flows,), s
        No flow starts before this.
    latency : array_like of float, shape (flows,), s
        From the last byte sent to its arrival.
    after : array_like of int, shape (dependencies, 2), optional
        Rows of (flow, parent): the flow waits until the parent has arrived. Default: none waits.
    behind : array_like of int, shape (dependencies, 2), optional
        Rows of (flow, parent): the flow waits until the parent's last byte has been sent.
    delay : array_like of float, shape (flows,), s
        What passes between the last that a flow waits for and its start.
    bins : int
        In how many bins of time, at most, to count what the links carry; 0: not at all. Memory is
        ``bins * links * 8`` bytes.
    tolerance : float
        Starts and ends closer than this, relative to the time, count as one event: the first of them.

    Returns
    -------
    FlowRun

    Raises
    ------
    FlowError
        If an array does not fit, holds a negative, NaN or infinite value, or flows wait for each other
        in a circle.

    See Also
    --------
    completion_times : the same without dependencies, and faster where flows are alike.

    Notes
    -----
    Between events all rates are max-min fair. What links of infinite capacity carry is not counted.
    An event costs about as much as the rates that it changes. Times are 64-bit numbers of seconds since 0:
    durations, and what bins count, are right to about ``2e-16 * time``. Where flows start others, a
    difference of one rounding can grow to another order of events, as in the world.

    Examples
    --------
    Flow 1 waits for flow 0 and half a second more; flow 2 has the link to itself in that time.

    >>> paths = Paths.from_lists([[0], [0], [0]])
    >>> run = simulate(paths, [1.0], [1.0, 1.0, 2.0], after=[(1, 0)], delay=[0, 0.5, 0], bins=4)
    >>> run.start.tolist(), run.finish.tolist(), run.reshares
    ([0.0, 2.5, 0.0], [2.0, 4.0, 3.5], 5)
    >>> run.edges.tolist(), run.utilisation([1.0])[:, 0].tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0])
    """
    limits = check_capacity(paths, capacity)
    flows = len(paths)
    arrays = {"size": size, "start": start, "latency": latency, "delay": delay}
    sizes, starts, delays, waits = (check_values(value, name, flows) for name, value in arrays.items())
    check_tolerance(tolerance)
    _check_bins(bins)
    dependants = family(after, behind, flows)
    work = Work(sizes, starts, delays, waits, *dependants, float(tolerance))
    width = limits.size if bins else 0
    trace = Trace(np.zeros((bins, width)), np.zeros(min(bins, 1)), np.zeros(width), np.zeros(width))
    begin, finish, reshares = _run(paths, limits, work, trace)
    with np.errstate(over="ignore"):
        finish += delays
    stuck = np.flatnonzero(np.isnan(finish))
    if stuck.size and reshares >= 0:
        raise FlowError(
            f"after, behind: found {stuck.size} flows that wait for each other in a circle or for such flows "
            f"(flow {stuck[0]} for one), expected none"
        )
    if not np.isfinite(finish).all():
        raise FlowError("size: found flows that take longer than any number of seconds, expected less")
    edges = np.arange(bins + 1) * trace.width[0] if bins else _NONE
    return FlowRun(begin, finish, reshares, float(tolerance), edges, trace.carried)


def check_tolerance(tolerance: object) -> None:
    """Raise `FlowError` unless a tolerance can be used."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, float | int | np.floating):
        raise FlowError(f"tolerance: found {tolerance!r}, expected a number from 0 to 0.001")
    if not 0 <= tolerance <= 1e-3:
        raise FlowError(f"tolerance: found {tolerance!r}, expected a number from 0 to 0.001")


def _check_bins(bins: object) -> None:
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or not 0 <= bins <= MOST_BINS:
        raise FlowError(f"bins: found {bins!r}, expected a whole number from 0 to {MOST_BINS:,}")


def _pairs(given: ArrayLike | None, name: str, flows: int) -> NDArray[np.int64]:
    """Check rows of (flow, parent)."""
    try:
        pairs = np.zeros((0, 2), dtype=np.int64) if given is None else np.asarray(given)
    except ValueError:
        text = f"{name}: found rows of different length, expected rows of two flow numbers"
        raise FlowError(text) from None
    if pairs.size == 0:
        pairs = np.zeros((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise FlowError(
            f"{name}: found shape {pairs.shape} of {pairs.dtype}, expected rows of two flow numbers"
        )
    outside = np.flatnonzero(((pairs < 0) | (pairs >= flows)).any(axis=1))
    if outside.size:
        row = pairs[outside[0]].tolist()
        raise FlowError(f"{name}[{outside[0]}]: found flows {row}, expected numbers from 0 to {flows - 1}")
    return pairs.astype(np.int64)


def family(
    after: ArrayLike | None, behind: ArrayLike | None, flows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """List the flows that wait for each flow.

    Parameters
    ----------
    after, behind : array_like of int, shape (dependencies, 2), optional
        As in `simulate`.
    flows : int

    Returns
    -------
    by_parent : ndarray of int64, shape (flows + 1,)
    child : ndarray of int64, shape (dependencies,)
        Those of flow f from ``by_parent[f]`` on.
    heard : ndarray of float64, shape (dependencies,)
        1 where the child waits until the parent has arrived, 0 where until its last byte is sent.

    Raises
    ------
    FlowError
        If there are no such flows.

    Examples
    --------
    >>> [values.tolist() for values in family([(1, 0)], None, 2)]
    [[0, 1, 1], [1], [1.0]]
    """
    rows = [_pairs(after, "after", flows), _pairs(behind, "behind", flows)]
    pairs, heard = np.concatenate(rows), np.repeat([1.0, 0.0], [len(part) for part in rows])
    order = np.argsort(pairs[:, 1], kind="stable")
    by_parent = np.zeros(flows + 1, dtype=np.int64)
    np.cumsum(np.bincount(pairs[:, 1], minlength=flows), out=by_parent[1:])
    return by_parent, np.ascontiguousarray(pairs[order, 0], dtype=np.int64), heard[order]


def limited_part(paths: Paths, capacity: NDArray[np.float64]) -> Paths:
    """Leave out the links of infinite capacity, which never hold a flow back."""
    limits = np.isfinite(capacity)
    if limits.all():
        return paths
    kept = limits[paths.links]
    indptr = np.concatenate([[0], np.cumsum(kept)])[paths.indptr]
    share = None if paths.share is None else paths.share[kept]
    return Paths.trusted(indptr, paths.links[kept], share)


def _run(
    paths: Paths, capacity: NDArray[np.float64], work: Work, trace: Trace
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    limited = limited_part(paths, capacity)
    begin, finish = np.empty(len(paths)), np.empty(len(paths))
    reshares, _ = run_flows(
        limited.indptr, limited.links, limited.given_share, capacity, work, trace, begin, finish
    )
    return begin, finish, int(reshares)


def run_events(
    paths: Paths,
    capacity: NDArray[np.float64],
    size: NDArray[np.float64],
    start: NDArray[np.float64],
    tolerance: float,
) -> NDArray[np.float64]:
    """Run the event loop on checked arrays; returns when each flow's last byte is sent, s."""
    work = Work(size, start, _NONE, _NONE, np.zeros(1, np.int64), np.zeros(0, np.int64), _NONE, tolerance)
    return _run(paths, capacity, work, Trace(np.zeros((0, 0)), _NONE, _NONE, _NONE))[1]
