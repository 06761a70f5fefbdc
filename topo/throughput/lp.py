"""Concurrent flow as one linear program."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import DemandError
from topo_sim.topo.throughput.problem import Problem, Solution, check_reach, dual_bound

__all__ = ["lp_size", "solve_lp", "solve_program"]

SIMPLEX_UP_TO = 20_000
# A few minutes of HiGHS on two busy cores: all-to-all took 30 s with 83,000 variables, 42 s with 131,000
# and 141 s with 205,000, hot spots 92 s with 98,000.
MOST_VARIABLES = 250_000


def lp_size(problem: Problem) -> int:
    """Count the variables of the linear program: one per source and arc."""
    return len(problem.senders) * len(problem.capacity)


def solve_lp(problem: Problem) -> Solution:
    """Solve exactly, to the solver's tolerance, with HiGHS.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Solution

    Raises
    ------
    DemandError
        If the program has more than 250,000 variables, which take more than a few minutes, or the
        solver gives up.

    Notes
    -----
    Flows are aggregated by source: sources x arcs variables, sources x nodes conservation rows, one
    capacity row per arc. The upper bound is evaluated from the capacity rows' dual values by our own
    shortest paths, so it holds whatever the solver's tolerance; the lower one is the returned flow, scaled
    until the fullest arc is full, and conserves to about 1e-9.

    References
    ----------
    Shahrokhi and Matula, "The maximum concurrent flow problem", J. ACM 1990.
    """
    if lp_size(problem) > MOST_VARIABLES:
        raise DemandError(
            f"lp: makes {lp_size(problem):,} variables, expected at most {MOST_VARIABLES:,}, a few minutes; "
            'choose "fptas", or "symmetry" where the fabric looks alike from every endpoint'
        )
    check_reach(problem)
    return solve_program(problem, None)[0]


def solve_program(
    problem: Problem, allowed: NDArray[np.bool_] | None
) -> tuple[Solution, NDArray[np.float64]]:
    """Solve the linear program, over some of its variables only if asked to.

    Parameters
    ----------
    problem : Problem
    allowed : ndarray of bool, shape (senders, arcs), optional
        Arcs that each sender may use; they must reach all that it sends to. Default: all.

    Returns
    -------
    solution : Solution
        Its upper bound holds for the whole problem.
    length : ndarray of float64, shape (arcs,)
        Dual value of each capacity.

    Raises
    ------
    DemandError
        If the solver gives up.
    """
    from scipy.optimize import linprog

    unit, demand = float(problem.capacity.mean()), float(problem.wanted.max())
    flow, equal, equal_to, share = _program(problem, problem.wanted / demand, allowed)
    cost = np.zeros(equal.shape[1])
    cost[-1] = -1.0
    found: Any = linprog(
        cost,
        A_ub=share,
        b_ub=problem.capacity / unit,
        A_eq=equal,
        b_eq=equal_to,
        method="highs-ds" if allowed is None and len(cost) <= SIMPLEX_UP_TO else "highs-ipm",
    )
    if found.status != 0:
        raise DemandError(f"lp: the solver stopped ({found.message.strip()}), expected a solution")
    used = np.maximum(found.x[:-1], 0.0)
    load = np.bincount(flow, used, minlength=len(problem.capacity)) / found.x[-1] * demand
    length = np.maximum(-found.ineqlin.marginals, 0.0)
    lower = float((problem.capacity[load > 0] / load[load > 0]).min())
    return Solution(lower, max(dual_bound(problem, length), lower), load, int(found.nit)), length


def _program(
    problem: Problem, wanted: NDArray[np.float64], allowed: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], Any, NDArray[np.float64], Any]:
    """Arc of every flow variable, the conservation rows with their right side, and the capacity rows.

    The last variable is the throughput.
    """
    from scipy.sparse import csr_array

    nodes, arcs = len(problem.forwards), np.arange(len(problem.capacity))
    begin, end = problem.arc_source, problem.arc_target
    flow, rows, ends = [], [], []
    for k, s in enumerate(problem.senders):
        root, takes = problem.site[s], problem.forwards.copy()
        takes[problem.site[wanted[s] > 0]] = True
        fits = (problem.forwards[begin] | (begin == root)) & takes[end] & (end != root)
        mine = arcs[fits if allowed is None else fits & allowed[k]]
        flow.append(mine)
        rows.append(k * nodes + begin[mine])
        ends.append(k * nodes + end[mine])
    variable = np.concatenate(flow)
    count, sources = len(variable), len(problem.senders)
    theta = np.zeros((sources, nodes))
    theta[:, problem.site] = -wanted[problem.senders]
    theta[np.arange(sources), problem.site[problem.senders]] = wanted[problem.senders].sum(axis=1)
    into, out, index = np.concatenate(ends), np.concatenate(rows), np.arange(count)
    sign = np.concatenate([np.ones(count), -np.ones(count), theta.ravel()])
    row = np.concatenate([into, out, np.arange(theta.size)])
    column = np.concatenate([index, index, np.full(theta.size, count)])
    equal = csr_array((sign, (row, column)), shape=(theta.size, count + 1))
    share = csr_array((np.ones(count), (variable, index)), shape=(len(arcs), count + 1))
    return variable, equal, np.zeros(theta.size), share
