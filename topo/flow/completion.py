"""Completion times of fluid flows that share links max-min fairly."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.topo.flow.kernels import fluid_events
from topo_sim.topo.flow.max_min import solver_arrays
from topo_sim.topo.flow.paths import Paths, check_capacity, check_values
from topo_sim.topo.flow.symmetry import quotient

__all__ = ["completion_times"]


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
    reduced = quotient(paths, limits, np.stack([sizes, starts], axis=1)) if flows > 64 else None
    if reduced is None:
        return run_events(paths, limits, sizes, starts, tolerance) + delays
    one = reduced.representative
    finish = run_events(reduced.paths, reduced.capacity, sizes[one], starts[one], tolerance)
    return finish[reduced.flow_class] + delays


def run_events(
    paths: Paths,
    capacity: NDArray[np.float64],
    size: NDArray[np.float64],
    start: NDArray[np.float64],
    tolerance: float,
) -> NDArray[np.float64]:
    """Run the event loop on checked arrays; returns when each flow's last byte is sent, s."""
    finish = np.zeros(len(paths))
    fluid_events(*solver_arrays(paths, capacity.size), capacity, size, start, tolerance, finish)
    return finish
