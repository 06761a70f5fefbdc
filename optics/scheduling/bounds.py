"""The least makespan that any schedule of circuits can have."""

import math

import numpy as np
from numpy.typing import NDArray

from topo_sim.optics.scheduling.problem import Problem

__all__ = ["direct_bound", "relayed_bound"]


def _left_out(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Sum what each line has outside its n largest entries, for n from 0 to `most`."""
    if most == 0:
        return np.zeros((len(values), 1))
    largest = np.sort(values, axis=1)[:, ::-1][:, :most]
    rest = np.cumsum(largest[:, ::-1], axis=1)[:, ::-1]
    return np.concatenate([rest, np.zeros((len(values), 1))], axis=1)


def _times(p: Problem, sums: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least time with n circuits per line, n along the last axis."""
    n = np.arange(rest.shape[-1], dtype=np.float64)
    slots = np.ceil(n / p.planes)
    free = 1.0 if p.first_free else 0.0
    paid = p.planes * slots if p.stop == "all" else np.maximum(n, p.planes)
    dark = np.where(n > 0, paid - free * p.planes, 0.0) * p.delta
    wait = np.where(n > 0, slots - free, 0.0) * p.delta
    both = p.planes * p.rate + p.packet_rate
    with np.errstate(divide="ignore", invalid="ignore"):
        packets = np.where(rest > 0, rest / p.packet_rate, 0.0)
    return np.maximum(np.maximum(packets, wait), (sums[..., None] + dark * p.rate) / both)


def direct_bound(problem: Problem) -> float:
    r"""Bound the makespan from below where every byte crosses one circuit, or the packet fabric.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    float, s

    Notes
    -----
    With n configurations on d planes of rate C that each take delta, circuits carry at most
    C (d T - n delta) of a line in time T and the packet fabric r T, so T >= (S + n delta C) / (d C + r) for
    the largest line sum S. They reach n entries of a line at most; what is outside the n largest must fit
    into r T. The bound is the least over n of the larger of the two. It counts n for all lines together
    where planes stop as a whole, and for each line by itself where ports stop one by one. Without packets
    and with one plane that is max(line sum) / C + delta max(nonzeros in a line), and per port
    max(line sum / C + delta nonzeros). Where all planes stop together, n is a multiple of d. Not reached in
    general: matchings of all lines at once may not exist.

    Examples
    --------
    >>> lopsided = [[0, 6, 0], [1, 0, 1], [0, 0, 0]]
    >>> direct_bound(Problem(lopsided, rate=1.0, delta=1.0))
    8.0
    >>> direct_bound(Problem(lopsided, rate=1.0, delta=1.0, stop="port"))
    7.0
    """
    if not problem.busiest:
        return 0.0
    lines = np.concatenate([problem.bytes, problem.bytes.T])
    rest = _left_out(lines, problem.peers)
    if problem.stop == "port":
        return float(_times(problem, problem.lines, rest).min(axis=1).max())
    return float(_times(problem, np.array(problem.busiest), rest.max(axis=0)).min())


def relayed_bound(problem: Problem) -> float:
    """Bound the makespan from below where bytes may cross several circuits.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    float, s

    Notes
    -----
    All that a rank sends or receives crosses its own ports, and light starts after the first configuration.

    Examples
    --------
    >>> relayed_bound(Problem([[0, 6, 0], [1, 0, 1], [0, 0, 0]], rate=1.0, delta=1.0))
    7.0
    """
    if not problem.busiest:
        return 0.0
    p = problem
    dark = 0.0 if p.first_free else p.planes * p.delta
    circuits = (p.busiest + dark * p.rate) / (p.planes * p.rate + p.packet_rate)
    return min(circuits, p.busiest / p.packet_rate if p.packet_rate else math.inf)
