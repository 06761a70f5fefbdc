"""Completion times of fluid flows that share links max-min fairly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.kernels import all_touch
from topo_sim.topo.flow.paths import Paths, check_capacity, check_values
from topo_sim.topo.flow.simulation import check_tolerance, run_events
from topo_sim.topo.flow.symmetry import quotient

__all__ = ["completion_times"]

# Path entries above which looking for symmetry is worth it.
WORTH_REDUCING = 4096


def completion_times(
    paths: Paths,
    capacity: ArrayLike,
    size: ArrayLike,
    start: ArrayLike = 0.0,
    latency: ArrayLike = 0.0,
    *,
    tolerance: float = 1e-12,
) -> NDArray[np.float64]:
    """Run fluid flows to their ends, re-sharing bandwidth whenever one starts or ends.

    Parameters
    ----------
    paths : Paths
        The links of each flow.
    capacity : array_like of float, shape (links,), B/s
    size : array_like of float, shape (flows,), B
        Bytes of each flow; 0 ends at once.
    start : array_like of float, shape (flows,), s
        When each flow starts to send.
    latency : array_like of float, shape (flows,), s
        From the last byte sent to its arrival.
    tolerance : float
        Ends closer than this, relative to the time, count as one event.

    Returns
    -------
    ndarray of float64, shape (flows,), s
        When the last byte of each flow arrives.

    Raises
    ------
    FlowError
        If an array does not fit or holds a negative, NaN or infinite value.

    See Also
    --------
    simulate : flows that wait for each other, what links carry when, and how often rates changed.

    Notes
    -----
    Between events all rates are max-min fair. A flow takes its bandwidth on all its links from its
    start; nothing queues and nothing is packetised. Flows that symmetry makes equal are solved once.

    Examples
    --------
    Two flows share a link of 1 B/s; the shorter one ends at 2 s, the longer one then has it alone.

    >>> completion_times(Paths.from_lists([[0], [0]]), [1.0], [1.0, 3.0]).tolist()
    [2.0, 4.0]
    """
    limits = check_capacity(paths, capacity)
    flows = len(paths)
    sizes = check_values(size, "size", flows)
    starts = check_values(start, "start", flows)
    delays = check_values(latency, "latency", flows)
    check_tolerance(tolerance)
    with np.errstate(over="ignore"):
        finish = sending_ends(paths, limits, sizes, starts, tolerance) + delays
    if not np.isfinite(finish).all():
        raise FlowError("size: found flows that take longer than any number of seconds, expected less")
    return finish


def sending_ends(
    paths: Paths,
    limits: NDArray[np.float64],
    sizes: NDArray[np.float64],
    starts: NDArray[np.float64],
    tolerance: float = 1e-12,
) -> NDArray[np.float64]:
    """When the last byte of each flow is sent, s: `completion_times` without its checks.

    The cheapest of three exact ways is taken: all flows end together, or symmetry leaves few of them,
    or the event loop runs over all.
    """
    together = _balanced_end(paths, limits, sizes, starts)
    if together is not None:
        return starts + together
    reduced = (
        quotient(paths, limits, np.stack([sizes, starts], axis=1))
        if paths.links.size > WORTH_REDUCING
        else None
    )
    if reduced is None:
        return run_events(paths, limits, sizes, starts, tolerance)
    one = reduced.representative
    finish = run_events(reduced.paths, reduced.capacity, sizes[one], starts[one], tolerance)
    return finish[reduced.flow_class]


def _balanced_end(
    paths: Paths, capacity: NDArray[np.float64], size: NDArray[np.float64], start: NDArray[np.float64]
) -> float | None:
    """Time that all flows take if they are alike and each crosses a busiest link, else None.

    Notes
    -----
    At the rate size/T, T the largest load per capacity, no link is over capacity; every flow then
    crosses a full link on which all rates are equal, which is the certificate of max-min fairness.
    """
    if not len(paths) or np.ptp(size) or np.ptp(start):
        return None
    busy = paths.load(size, capacity.size) / capacity
    longest = busy.max(initial=0.0)
    if longest == 0.0:
        return 0.0 if size[0] == 0.0 else None
    marked = busy >= longest * (1 - 1e-13)
    return float(longest) if all_touch(paths.indptr, paths.links, marked) else None
