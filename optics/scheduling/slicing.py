"""Padding a demand to equal line sums and slicing matchings off it: shared by BvN, TMS and Solstice."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from topo_sim.optics.scheduling.matching_kernels import pad, slice_off

__all__ = ["slices", "stuff"]

_BLOCK = 256


def stuff(units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Raise every line sum to the largest, adding to entries above 0 first and to the diagonal next.

    Parameters
    ----------
    units : ndarray of int64, shape (n, n)
        Sums below 2^62.

    Returns
    -------
    ndarray of int64, shape (n, n)

    Notes
    -----
    Amounts added to entries that are there need no circuit of their own, and those on the diagonal none at
    all, so padding rarely makes the decomposition longer.

    Examples
    --------
    >>> stuff(np.array([[0, 3], [1, 0]])).tolist()
    [[0, 3], [3, 0]]
    """
    left = np.array(units, dtype=np.int64, order="C")
    pad(left, max(int(left.sum(axis=0).max()), int(left.sum(axis=1).max())))
    return left


def slices(
    padded: NDArray[np.int64], *, whole: bool
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Slice perfect matchings off a matrix with equal line sums, the thick ones first, until it is empty.

    Parameters
    ----------
    padded : ndarray of int64, shape (n, n)
        Not changed.
    whole : bool
        Whether a slice is as thick as the smallest entry of its matching, so that it empties an entry;
        otherwise as the threshold that its entries reach.

    Yields
    ------
    targets : ndarray of int32, shape (slices, n)
    amounts : ndarray of int64, shape (slices,)

    Notes
    -----
    The threshold starts at the largest power of two that an entry reaches, and is halved where no perfect
    matching reaches it, so every matching is within a factor of two of a bottleneck matching. From one slice
    to the next only rows whose entry fell below the threshold are matched again, along shortest alternating
    paths: O(n^2) each.
    """
    left = padded.copy()
    n = len(left)
    target, source = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    least = 1 << (int(left.max()).bit_length() - 1) if left.any() else 0
    while least > 0:
        targets, amounts = np.empty((_BLOCK, n), np.int32), np.empty(_BLOCK, np.int64)
        count, least = slice_off(left, least, whole, target, source, targets, amounts)
        if count:
            yield targets[:count], amounts[:count]
