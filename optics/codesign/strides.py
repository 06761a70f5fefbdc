"""Rings by stride: every stride coprime to the number of endpoints makes one ring through all of them."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.pods.pod import is_whole

__all__ = ["check_count", "ring_permutations", "select_strides", "totient_strides"]


def check_count(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Refuse what is no integer in a range.

    Parameters
    ----------
    name : str
        For the message.
    value : int
    least, most : int

    Returns
    -------
    int

    Raises
    ------
    UsageError
        If it is out of range or no integer.
    """
    if not is_whole(value, least) or (most is not None and int(value) > most):  # type: ignore[call-overload]
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name}: found {value!r}, expected an integer {span}")
    return int(value)  # type: ignore[call-overload]


def totient_strides(ranks: int) -> NDArray[np.int64]:
    """List every stride that makes one directed ring through all ranks.

    Parameters
    ----------
    ranks : int
        2 or more.

    Returns
    -------
    ndarray of int64, shape (phi(ranks),)
        Those below `ranks` and coprime to it; stride s and ranks - s are a ring's two directions.

    References
    ----------
    Wang et al., "TopoOpt", NSDI 2023 (TotientPerms).

    Examples
    --------
    >>> totient_strides(12).tolist()
    [1, 5, 7, 11]
    """
    stride = np.arange(1, check_count("ranks", ranks, 2), dtype=np.int64)
    chosen: NDArray[np.int64] = stride[np.gcd(stride, ranks) == 1]
    return chosen


def select_strides(ranks: int, count: int) -> list[int]:
    """Choose strides that are nearly geometric from 1 up.

    Parameters
    ----------
    ranks : int
        2 or more.
    count : int
        How many rings; 0 or more.

    Returns
    -------
    list of int
        In order of size. Where there are fewer strides than asked for, they repeat.

    Notes
    -----
    With strides near 1, x, x**2, ... and x the count-th root of `ranks`, any distance is the sum of few.

    References
    ----------
    Wang et al., "TopoOpt", NSDI 2023 (SelectPermutations).

    Examples
    --------
    >>> select_strides(16, 2), select_strides(7, 3), select_strides(2, 2)
    ([1, 5], [1, 2, 4], [1, 1])
    """
    coprime = totient_strides(ranks)
    chosen: list[int] = []
    for i in range(check_count("count", count, 0)):
        used = np.bincount(chosen, minlength=ranks)[coprime]
        free = coprime[used == used.min()]
        wanted = i * np.log(ranks) / count
        chosen.append(int(free[np.argmin(np.abs(np.log(free) - wanted))]))
    return sorted(chosen)


def ring_permutations(ranks: int, strides: list[int]) -> NDArray[np.int64]:
    """Make one permutation per stride.

    Parameters
    ----------
    ranks : int
    strides : list of int

    Returns
    -------
    ndarray of int64, shape (len(strides), ranks)
        Where the circuit from each rank leads.

    Examples
    --------
    >>> ring_permutations(5, [1, 2]).tolist()
    [[1, 2, 3, 4, 0], [2, 3, 4, 0, 1]]
    """
    return (np.arange(ranks) + np.array(strides, dtype=np.int64).reshape(-1, 1)) % ranks
