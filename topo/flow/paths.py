"""Paths: the links that each flow crosses, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.kernels import add_rows, sum_rows, take_rows

__all__ = ["Paths", "check_capacity", "check_values", "transpose"]

_NONE: NDArray[np.float64] = np.zeros(0)


def _fail(message: str) -> None:
    raise FlowError(message)


@dataclass(frozen=True, eq=False)
class Paths:
    """The links of each flow, in compressed rows.

    Parameters
    ----------
    indptr : array_like of int, shape (flows + 1,)
        Flow f crosses ``links[indptr[f]:indptr[f + 1]]``. A flow may cross no link (it is then never
        limited) or the same link twice (it then loads it twice).
    links : array_like of int, shape (entries,)
        Link indices, 0 or more.
    share : array_like of float, shape (entries,), optional
        Fraction of the flow's rate that each of its links carries, more than 0. Default: all of it.

    Raises
    ------
    FlowError
        If the arrays do not fit together.

    Examples
    --------
    >>> paths = Paths([0, 2, 3], [0, 1, 1])
    >>> len(paths), paths[0].tolist()
    (2, [0, 1])
    """

    indptr: NDArray[np.int64]
    links: NDArray[np.int32]
    share: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        indptr, links = _integers(self.indptr, "indptr"), _integers(self.links, "links")
        if indptr.size == 0 or indptr[0] != 0 or indptr[-1] != links.size or np.any(np.diff(indptr) < 0):
            _fail(f"indptr: expected to rise from 0 to {links.size}, the number of links entries")
        if links.size and (links.min() < 0 or links.max() > np.iinfo(np.int32).max):
            _fail("links: found an index below 0 or above 2147483647")
        object.__setattr__(self, "indptr", np.ascontiguousarray(indptr, dtype=np.int64))
        object.__setattr__(self, "links", np.ascontiguousarray(links, dtype=np.int32))
        if self.share is not None:
            share = check_values(self.share, "share", links.size, positive=True)
            object.__setattr__(self, "share", share)

    @classmethod
    def trusted(
        cls, indptr: NDArray[np.int64], links: NDArray[np.int32], share: NDArray[np.float64] | None = None
    ) -> "Paths":
        """Make paths from arrays of the right types that are known to fit, without checking them.

        Parameters
        ----------
        indptr, links, share
            As in the class.

        Returns
        -------
        Paths
        """
        paths = object.__new__(cls)
        for name, array in (("indptr", indptr), ("links", links), ("share", share)):
            object.__setattr__(paths, name, array)
        return paths

    @classmethod
    def from_lists(cls, links: Sequence[Sequence[int]]) -> "Paths":
        """Make paths from one list of links per flow.

        Parameters
        ----------
        links : sequence of sequences of int

        Returns
        -------
        Paths

        Examples
        --------
        >>> Paths.from_lists([[0, 1], [], [1]]).indptr.tolist()
        [0, 2, 2, 3]
        """
        indptr = np.cumsum([0, *(len(row) for row in links)])
        return cls(indptr, np.array([link for row in links for link in row], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, flow: int) -> NDArray[np.int32]:
        if not -len(self) <= flow < len(self):
            raise IndexError(f"flow {flow} of {len(self)}")
        flow %= len(self)
        return self.links[self.indptr[flow] : self.indptr[flow + 1]]

    def take(self, flows: NDArray[np.integer]) -> "Paths":
        """Select flows, in the order given and as often as given.

        Parameters
        ----------
        flows : ndarray of int, shape (n,)

        Returns
        -------
        Paths
        """
        rows = np.ascontiguousarray(flows, dtype=np.int64)
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(np.diff(self.indptr)[rows], out=indptr[1:])
        links = np.empty(indptr[-1], dtype=np.int32)
        share = None if self.share is None else np.empty(indptr[-1])
        take_rows(
            self.indptr, self.links, self.given_share, rows, indptr, links, _NONE if share is None else share
        )
        return Paths.trusted(indptr, links, share)

    def join(self, other: "Paths") -> "Paths":
        """Put the links of another set of paths behind those of this one, flow by flow.

        Parameters
        ----------
        other : Paths
            Of as many flows.

        Returns
        -------
        Paths

        Examples
        --------
        >>> Paths.from_lists([[0], [1]]).join(Paths.from_lists([[2], []]))[0].tolist()
        [0, 2]
        """
        indptr = self.indptr + other.indptr
        first = np.arange(self.links.size) + np.repeat(other.indptr[:-1], np.diff(self.indptr))
        second = np.arange(other.links.size) + np.repeat(self.indptr[1:], np.diff(other.indptr))
        links = np.empty(indptr[-1], dtype=np.int32)
        links[first], links[second] = self.links, other.links
        share = None
        if self.share is not None or other.share is not None:
            share = np.ones(indptr[-1])
            share[first] = 1.0 if self.share is None else self.share
            share[second] = 1.0 if other.share is None else other.share
        return Paths.trusted(indptr, links, share)

    @property
    def given_share(self) -> NDArray[np.float64]:
        """Shares as the kernels take them: empty where every flow is whole on every link."""
        return _NONE if self.share is None else self.share

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum a per-link value along each path, weighted by share.

        Parameters
        ----------
        values : ndarray of float, shape (links,)
            For example latencies, s.

        Returns
        -------
        ndarray of float64, shape (flows,)
            For a flow that splits, the mean over its bytes.
        """
        total = np.empty(len(self))
        sum_rows(self.indptr, self.links, self.given_share, np.array(values, float), total)
        return total

    def load(self, amount: NDArray[np.float64], links: int) -> NDArray[np.float64]:
        """Sum a per-flow amount on each link.

        Parameters
        ----------
        amount : ndarray of float, shape (flows,)
            For example rates, B/s, or sizes, B.
        links : int
            Number of links.

        Returns
        -------
        ndarray of float64, shape (links,)
        """
        total = np.zeros(links)
        add_rows(self.indptr, self.links, self.given_share, np.array(amount, float), total)
        return total


def _integers(values: Any, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        _fail(f"{name}: found shape {array.shape}, expected one dimension")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        _fail(f"{name}: found {array.dtype} values, expected integers")
    return array


def as_numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Make an array of float64, or raise `FlowError`."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise FlowError(f"{name}: found values that are no numbers") from None


def check_values(values: Any, name: str, length: int, *, positive: bool = False) -> NDArray[np.float64]:
    """Check an array of finite numbers of 0 or more.

    Parameters
    ----------
    values : array_like of float
        A single number counts for all.
    name : str
        For the error.
    length : int
        Expected length.
    positive : bool
        Whether 0 is refused.

    Returns
    -------
    ndarray of float64, shape (length,)

    Raises
    ------
    FlowError
    """
    array = as_numbers(values, name)
    array = np.full(length, array) if array.ndim == 0 else np.ascontiguousarray(array)
    if array.shape != (length,):
        _fail(f"{name}: found shape {array.shape}, expected ({length},)")
    wrong = ~np.isfinite(array) | (array < 0) | ((array == 0) if positive else False)
    if wrong.any():
        where = int(np.argmax(wrong))
        bound = "more than 0" if positive else "0 or more"
        _fail(f"{name}[{where}]: found {array[where]}, expected a finite number of {bound}")
    return array


def check_capacity(paths: Paths, capacity: Any) -> NDArray[np.float64]:
    """Check link capacities (B/s, more than 0, infinity allowed) and that every path has its links.

    Parameters
    ----------
    paths : Paths
    capacity : array_like of float, shape (links,), B/s

    Returns
    -------
    ndarray of float64, shape (links,)

    Raises
    ------
    FlowError
    """
    array = np.array(as_numbers(capacity, "capacity"))  # a copy: kernels compile apart for read-only arrays
    if array.ndim != 1:
        _fail(f"capacity: found shape {array.shape}, expected one dimension")
    if paths.links.size and paths.links.max() >= array.size:
        _fail(
            f"links: found link {paths.links.max()}, expected less than {array.size}, the length of capacity"
        )
    wrong = ~(array > 0)
    if wrong.any():
        where = int(np.argmax(wrong))
        _fail(f"capacity[{where}]: found {array[where]}, expected more than 0")
    return array


def transpose(
    paths: Paths, links: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64] | None]:
    """Flows of each link, in compressed rows.

    Parameters
    ----------
    paths : Paths
    links : int
        Number of links.

    Returns
    -------
    indptr : ndarray of int64, shape (links + 1,)
    flows : ndarray of int32, shape (entries,)
    share : ndarray of float64, shape (entries,), or None
    """
    indptr = np.zeros(links + 1, dtype=np.int64)
    np.cumsum(np.bincount(paths.links, minlength=links), out=indptr[1:])
    order = np.argsort(paths.links, kind="stable")
    flow = np.repeat(np.arange(len(paths), dtype=np.int32), np.diff(paths.indptr))
    return indptr, flow[order], None if paths.share is None else paths.share[order]
