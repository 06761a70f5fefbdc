"""The traffic matrix: what each endpoint wants to send to each other."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import DemandError
from topo_sim.topo.flow.arrays import as_integers, as_numbers, refuse_where

__all__ = ["Demand"]

MOST_PAIRS = 20_000_000
MOST_RANKS = 2**31 - 1  # pairs of them have numbers of 64 bits


def _amounts(values: Any, name: str) -> NDArray[np.float64]:
    array = as_numbers(values, name, DemandError)
    wrong = ~np.isfinite(array) | (array < 0)
    refuse_where(wrong, array, name, "a finite number of 0 or more", DemandError)
    return array


@dataclass(frozen=True, eq=False)
class Demand:
    """What every rank sends to every other, in parts of a unit: a throughput multiplies it.

    Parameters
    ----------
    ranks : int
        Number of endpoints, from 1 to 2^31 - 1.
    source, target : array_like of int, shape (entries,)
        Ranks. Entries of one pair are summed; a rank's demand to itself crosses nothing and is left out.
    amount : array_like of float, shape (entries,), or float
        0 or more, without unit: a throughput in B/s per unit gives it one.
    uniform : float
        What every rank sends to each other rank on top of the entries, so that all-to-all among N ranks
        takes no N^2 numbers.
    name : str
        For tables.

    Raises
    ------
    DemandError
        If a rank does not exist, an amount or their sum is negative or not finite, or lengths differ.

    Examples
    --------
    >>> demand = Demand(3, [0, 0, 1], [1, 1, 1], [1.0, 0.5, 9.0], uniform=1.0)
    >>> demand.source.tolist(), demand.amount.tolist(), demand.sent.tolist(), demand.total
    ([0], [1.5], [3.5, 2.0, 2.0], 7.5)
    """

    ranks: int
    source: ArrayLike
    target: ArrayLike
    amount: ArrayLike = 1.0
    uniform: float = 0.0
    name: str = "demand"

    def __post_init__(self) -> None:
        whole = isinstance(self.ranks, (int, np.integer)) and not isinstance(self.ranks, bool)
        if not whole or not 1 <= self.ranks <= MOST_RANKS:
            raise DemandError(
                f"ranks: found {self.ranks!r}, expected an integer of at least 1 and at most {MOST_RANKS}"
            )
        object.__setattr__(self, "ranks", int(self.ranks))
        source, target = (
            as_integers(ends, name, self.ranks, DemandError, what="rank")
            for ends, name in ((self.source, "source"), (self.target, "target"))
        )
        amount, uniform = _amounts(self.amount, "amount"), _amounts(self.uniform, "uniform")
        if uniform.ndim:
            raise DemandError(f"uniform: found shape {uniform.shape}, expected one number")
        amount = np.full(len(source), amount) if amount.ndim == 0 else amount
        if not (len(source) == len(target) == len(amount) and amount.ndim == 1):
            raise DemandError(
                f"found {len(source)} sources, {len(target)} targets and amounts of shape {amount.shape}, "
                "expected one of each per entry"
            )
        pair = source * self.ranks + target
        keys, place = np.unique(pair[source != target], return_inverse=True)
        summed = np.bincount(place.ravel(), amount[source != target], minlength=len(keys))
        summed = summed.astype(np.float64)  # of nothing, bincount makes integers
        keys, summed = keys[summed > 0], summed[summed > 0]
        columns = {"source": keys // self.ranks, "target": keys % self.ranks, "amount": summed}
        for attribute, array in columns.items():
            array.setflags(write=False)
            object.__setattr__(self, attribute, array)
        object.__setattr__(self, "uniform", float(uniform) if self.ranks > 1 else 0.0)
        if not np.isfinite(self.total):
            raise DemandError("amount: found a sum beyond 1.8e308, expected a finite one")

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, name: str = "matrix") -> "Demand":
        """Make a demand from a traffic matrix.

        Parameters
        ----------
        matrix : array_like of float, shape (ranks, ranks)
            Row by row what each rank sends, 0 or more. The diagonal counts for nothing.
        name : str
            For tables.

        Returns
        -------
        Demand
            `uniform` alone where every rank sends the same to every other, so that what is made for
            all-to-all fits it.

        Raises
        ------
        DemandError
            If the matrix is not square, or an entry is negative or not finite.

        Examples
        --------
        >>> Demand.from_matrix([[9, 2], [0.5, 0]]).sent.tolist()
        [2.0, 0.5]
        >>> Demand.from_matrix(np.ones((4, 4))).uniform
        1.0
        """
        amount = _amounts(matrix, "matrix")
        if amount.ndim != 2 or amount.shape[0] != amount.shape[1] or not amount.size:
            raise DemandError(f"matrix: found shape {amount.shape}, expected one row and one column per rank")
        ranks = len(amount)
        apart = ~np.eye(ranks, dtype=bool)
        least, most = amount.min(where=apart, initial=np.inf), amount.max(where=apart, initial=0.0)
        if least == most:
            nobody = np.zeros(0, dtype=np.int64)
            return cls(ranks, nobody, nobody, uniform=float(most), name=name)
        source, target = np.nonzero(amount * apart)
        return cls(ranks, source, target, amount[source, target], name=name)

    @property
    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Source, target and amount of the pairs listed: sorted, different, above 0; without `uniform`."""
        return self.source, self.target, self.amount  # type: ignore[return-value]

    @cached_property
    def sent(self) -> NDArray[np.float64]:
        """What each rank sends in all, shape (ranks,)."""
        source, _, amount = self.entries
        total: NDArray[np.float64] = np.full(self.ranks, self.uniform * (self.ranks - 1))
        np.add.at(total, source, amount)
        return total

    @cached_property
    def received(self) -> NDArray[np.float64]:
        """What each rank receives in all, shape (ranks,)."""
        _, target, amount = self.entries
        total: NDArray[np.float64] = np.full(self.ranks, self.uniform * (self.ranks - 1))
        np.add.at(total, target, amount)
        return total

    @cached_property
    def total(self) -> float:
        """Sum over all pairs."""
        return float(self.entries[2].sum()) + self.uniform * self.ranks * (self.ranks - 1)

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """List every pair that sends, the uniform part included.

        Returns
        -------
        source, target : ndarray of int64, shape (pairs,)
        amount : ndarray of float64, shape (pairs,)

        Raises
        ------
        DemandError
            If there are more than 20 million.
        """
        if not self.uniform:
            return self.entries
        if self.ranks**2 > MOST_PAIRS:
            raise DemandError(
                f"{self.name}: has {self.ranks**2:,} pairs, expected at most {MOST_PAIRS:,} to list them; "
                "splitting routings need no list"
            )
        matrix = self.between(np.arange(self.ranks), self.ranks)
        source, target = np.nonzero(matrix)
        return source.astype(np.int64), target.astype(np.int64), matrix[source, target]

    def between(self, group: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
        """Sum over pairs of groups of ranks.

        Parameters
        ----------
        group : ndarray of int, shape (ranks,)
            Group of each rank, in [0, groups).
        groups : int

        Returns
        -------
        ndarray of float64, shape (groups, groups)
            Demand from one group to another; inside a group on the diagonal.

        Examples
        --------
        >>> Demand(4, [0], [2], 3.0, uniform=1.0).between(np.array([0, 0, 1, 1]), 2).tolist()
        [[2.0, 7.0], [4.0, 2.0]]
        """
        source, target, amount = self.entries
        listed = np.bincount(group[source] * groups + group[target], amount, minlength=groups**2)
        size = np.bincount(group, minlength=groups).astype(np.float64)
        matrix = listed.reshape(groups, groups) + self.uniform * np.multiply.outer(size, size)
        matrix[np.arange(groups), np.arange(groups)] -= self.uniform * size
        return matrix

    def leaving(self, group: NDArray[np.int64], groups: int) -> tuple[NDArray[np.float64], ...]:
        """Sum what groups of ranks send to, and receive from, the ranks outside them.

        Parameters
        ----------
        group : ndarray of int, shape (ranks,)
        groups : int

        Returns
        -------
        out, into : ndarray of float64, shape (groups,)
        """
        source, target, amount = self.entries
        across = group[source] != group[target]
        size = np.bincount(group, minlength=groups).astype(np.float64)
        even = self.uniform * size * (self.ranks - size)
        out = np.bincount(group[source[across]], amount[across], minlength=groups) + even
        into = np.bincount(group[target[across]], amount[across], minlength=groups) + even
        return out, into
