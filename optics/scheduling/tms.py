"""Traffic matrix scheduling: Sinkhorn scaling, then the largest terms of Birkhoff and von Neumann."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.optics.scheduling.plan import Plan, gather
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler
from topo_sim.optics.scheduling.slicing import slices, stuff

__all__ = ["scale_to_one", "tms"]

_SWEEPS = 100
_PARTS = 2.0**40
_ENOUGH = 1.05


def scale_to_one(matrix: NDArray[np.float64], sweeps: int = _SWEEPS) -> NDArray[np.float64]:
    """Scale rows and columns in turn until all line sums are 1 (Sinkhorn).

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        Above 0 everywhere.
    sweeps : int
        At most.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Line sums of 1 at most, and within 1 % of it unless the sweeps run out.

    Examples
    --------
    >>> scale_to_one(np.array([[1.0, 1.0], [1.0, 1.0]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    scaled = matrix / matrix.max()
    for _ in range(sweeps):
        scaled = scaled / scaled.sum(axis=1, keepdims=True)
        columns = scaled.sum(axis=0)
        scaled = scaled / columns
        if np.abs(columns - 1).max() < 0.01:
            break
    return np.asarray(scaled / max(1.0, scaled.sum(axis=1).max()))


def _largest_terms(padded: NDArray[np.int64], terms: int) -> Plan:
    """Decompose until no later term can be among the largest: none is twice as long as the last one."""
    parts: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []
    for block in slices(padded, whole=True):
        parts.append(block)
        lengths = np.sort(np.concatenate([amounts for _, amounts in parts]))[::-1]
        if len(lengths) >= terms and lengths[terms - 1] >= 2 * block[1][-1]:
            break
    return gather(parts, len(padded))


@scheduler(
    "tms",
    about="share the time out by Sinkhorn scaling, keep the largest matchings, the rest for packets",
    source="Porter et al. (Mordia), Integrating microsecond circuit switching, SIGCOMM 2013",
    keep=None,
    rounds=4.0,
)
def tms(problem: Problem, keep: float | None = None, rounds: float = 4.0) -> Plan:
    """Scale the demand to shares of time, decompose them, and run the largest terms.

    Parameters
    ----------
    problem : Problem
    keep : float, optional
        How many terms of each decomposition to run. Default: the ranks.
    rounds : float
        How often the remaining demand is scheduled anew. What is left then is decomposed exactly.

    Returns
    -------
    Plan

    Notes
    -----
    Scaling gives every line the same time, so that lines with little demand hold circuits for longer than
    they need; entries of 0 get a thousandth of the mean, since a matrix with too many of them cannot be
    scaled. The terms that are kept share the time that the busiest line would need; one that is within a
    twentieth of emptying its entries gets that more. Published for one round with a packet fabric for the
    rest; the further rounds make it serve everything without one.

    Examples
    --------
    >>> plan = tms(Problem([[0, 3, 1], [1, 0, 3], [3, 1, 0]], rate=1.0), keep=1.0)
    >>> plan.targets[0].tolist()
    [1, 2, 0]
    """
    n = problem.ranks
    terms = n if keep is None else max(int(keep), 1)
    left, parts = problem.units.copy(), []
    for _ in range(max(int(rounds), 1)):
        if not left.any():
            break
        shares = scale_to_one(left + 1e-3 * left.sum() / n**2)
        found = _largest_terms(stuff(np.rint(shares * _PARTS).astype(np.int64)), terms)
        largest = np.argsort(-found.units, kind="stable")[:terms]
        whole = float(max(left.sum(axis=0).max(), left.sum(axis=1).max()))
        length = np.ceil(found.units[largest] / found.units[largest].sum() * whole).astype(np.int64)
        targets = found.targets[largest]
        for k in range(len(largest)):
            entries = left[np.arange(n), targets[k]]
            if entries.max() <= _ENOUGH * length[k]:
                length[k] = entries.max()
            left[np.arange(n), targets[k]] -= np.minimum(entries, length[k])
        parts.append((targets, length))
    parts += slices(stuff(left), whole=True)
    return gather(parts, n)
