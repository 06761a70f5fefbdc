"""From a nearly best flow to a best one: the linear program over the few arcs that matter."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import DemandError
from topo_sim.topo.throughput.kernels import tree_load
from topo_sim.topo.throughput.lp import solve_program
from topo_sim.topo.throughput.problem import Problem, Solution, dual_bound

__all__ = ["polish"]

MOST_VARIABLES = 20_000
ROUNDS = 24
SLACK = 0.02


def polish(
    problem: Problem, flow: NDArray[np.float64], length: NDArray[np.float64], found: Solution, gap: float
) -> Solution:
    """Improve what is proven, until the gap is reached or the program grows too large.

    Parameters
    ----------
    problem : Problem
    flow : ndarray of float64, shape (sites, arcs)
        Of every source; routes all of the demand.
    length : ndarray of float64, shape (arcs,)
        At which that flow is nearly a cheapest one.
    found : Solution
        What is proven so far.
    gap : float
        Wanted ``upper / lower - 1``.

    Returns
    -------
    Solution
        Never worse than `found`, and the same if more than 20,000 pairs of source and arc are in use.

    Notes
    -----
    Column generation: the program over the arcs in use, and where these stay few those at most 2 % of the
    longest distance off the shortest paths, gives a flow that fits and dual lengths. These and their means
    with the best lengths so far, since duals leap from corner to corner, bound the throughput of the whole
    problem; the arcs on shortest paths at each come in for the next round. With all arcs the program is the
    whole one.

    References
    ----------
    Ford and Fulkerson, "A suggested computation for maximal multi-commodity network flows", Management
    Science 1958; Wentges, "Weighted Dantzig-Wolfe decomposition for linear mixed-integer programming",
    Int. Trans. Operational Research 1997 (the mean of lengths).
    """
    allowed = flow[problem.senders] > 0
    if np.count_nonzero(allowed) > MOST_VARIABLES:
        return found
    wide = allowed | _near(problem, length, SLACK)
    allowed = wide if np.count_nonzero(wide) <= 2 * MOST_VARIABLES else allowed | _near(problem, length, 0.0)
    centre, least = length / (problem.capacity @ length), dual_bound(problem, length)
    for _ in range(ROUNDS):
        if np.count_nonzero(allowed) > 3 * MOST_VARIABLES:
            break
        try:
            made, dual = solve_program(problem, allowed)
        except DemandError:  # the solver gave up: what is proven stays so
            break
        load = made.load if made.lower > found.lower else found.load
        lower, upper = max(found.lower, made.lower), min(found.upper, made.upper)
        found = Solution(lower, max(upper, lower), load, found.steps)
        if upper <= lower * (1 + gap) or not dual.any():
            break
        dual = dual / (problem.capacity @ dual)
        more = np.zeros_like(allowed)
        for mixed in (dual, (dual + centre) / 2, (dual + 3 * centre) / 4):
            more |= _near(problem, mixed, 0.0)
            bound = dual_bound(problem, mixed)
            centre, least = (mixed, bound) if bound <= least else (centre, least)
        found = replace(found, upper=max(min(found.upper, least), lower))
        if found.upper <= lower * (1 + gap) or not np.any(more & ~allowed):
            break
        allowed |= more
    return found


def _near(problem: Problem, length: NDArray[np.float64], slack: float) -> NDArray[np.bool_]:
    """Arcs of every sender on a shortest-path tree to where it sends, and those that are nearly on it."""
    lengths = length + 1e-9 * length.max()
    graph = (problem.forwards, problem.out_ptr, problem.arc_source, problem.arc_target)
    nodes, arcs = len(problem.forwards), len(length)
    amount, distance, load = np.empty(nodes), np.empty(nodes), np.empty(arcs)
    near = np.zeros((len(problem.senders), arcs), dtype=np.bool_)
    for row, sender in enumerate(problem.senders):
        amount[:] = 0.0
        amount[problem.site] = problem.wanted[sender]
        tree_load(problem.site[sender], amount, *graph, lengths, distance, load)
        near[row] = load > 0
        if slack > 0:
            far = distance[problem.site[problem.wanted[sender] > 0]].max()
            begin, end = distance[problem.arc_source], distance[problem.arc_target]
            near[row] |= (begin <= far) & (begin + lengths <= end + slack * far)
    return near
