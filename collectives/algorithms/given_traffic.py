"""All-to-all-v: a matrix of bytes, and the transfers that carry it."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.step import Step, runs

__all__ = ["largest_load", "shares_of", "shifted"]


def shares_of(matrix: object, p: int) -> NDArray[np.float64]:
    """Bytes from each rank to each other, per byte of size.

    Parameters
    ----------
    matrix : array_like of float, shape (p, p), or None
        Bytes, 0 or more; None: as all-to-all.
    p : int
        Number of ranks.

    Returns
    -------
    ndarray of float64, shape (p, p)
        The largest sum of a row is 1, unless all is 0.

    Raises
    ------
    CollectiveError
        If it is no such matrix.

    Examples
    --------
    >>> shares_of([[0, 3], [1, 1]], 2).tolist()
    [[0.0, 1.0], [0.3333333333333333, 0.3333333333333333]]
    """
    if matrix is None:
        return np.full((p, p), 1 / p)
    try:
        array = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise CollectiveError(f"matrix: found {str(matrix)[:60]!r}, expected numbers of bytes") from None
    if array.shape != (p, p):
        raise CollectiveError(f"matrix: found shape {array.shape}, expected ({p}, {p}): a row for every rank")
    if not np.all(np.isfinite(array) & (array >= 0)):
        raise CollectiveError("matrix: found a negative, infinite or NaN entry, expected bytes of 0 or more")
    with np.errstate(over="ignore"):
        most = float(array.sum(axis=1).max())
    if not np.isfinite(most):
        raise CollectiveError("matrix: the sum of a row is too large, expected finite numbers of bytes")
    return array / most if most else array


def shifted(shares: NDArray[np.float64], steps: Iterable[Iterable[int]]) -> list[Step]:
    """Build steps in which ranks send some shifts further on, where there are bytes to send.

    Parameters
    ----------
    shares : ndarray of float64, shape (p, p)
        As `shares_of` returns them.
    steps : iterable of iterables of int
        Shifts of each step.

    Returns
    -------
    list of Step
        Without those that have nothing to do.

    Examples
    --------
    >>> (step,) = shifted(np.array([[0.0, 1.0], [0.0, 0.0]]), [[1]])
    >>> step.source.tolist(), step.target.tolist(), step.carried(0, 4)[1].tolist()
    ([0], [1], [1])
    """
    p = len(shares)
    rank = np.arange(p, dtype=np.int32)
    made = []
    for shifts in steps:
        far = np.array(list(shifts), dtype=np.int32)
        source, target = np.repeat(rank, len(far)), ((rank[:, np.newaxis] + far) % np.int32(p)).ravel()
        busy = shares[source, target] > 0
        if busy.any():
            made.append(_step(shares, source[busy], target[busy]))
    return made


def _step(shares: NDArray[np.float64], source: NDArray[np.int32], target: NDArray[np.int32]) -> Step:
    fraction = shares[source, target]
    chunks = runs(lambda: source.astype(np.int64) * len(shares) + target)
    return Step(source, target, fraction if np.ptp(fraction) else fraction[0], False, chunks)


def largest_load(shares: NDArray[np.float64], shifts: Sequence[int] | range) -> float | None:
    """Largest load of a port, per byte of size, when ranks send over some shifts at once.

    Parameters
    ----------
    shares : ndarray of float64, shape (p, p)
        As `shares_of` returns them.
    shifts : sequence of int
        How far.

    Returns
    -------
    float or None
        None if there is nothing to send.

    Examples
    --------
    >>> largest_load(np.array([[0.0, 1.0], [0.5, 0.0]]), [1])
    1.0
    """
    steps = shifted(shares, [shifts])
    if not steps:
        return None
    ends = (steps[0].source, steps[0].target)
    return float(max(np.bincount(end, steps[0].fraction).max() for end in ends))
