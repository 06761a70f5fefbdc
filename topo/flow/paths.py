"""Paths: the links that each flow crosses, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FlowError
from topo_sim.topo.flow.arrays import as_integers, as_numbers, refuse_where
from topo_sim.topo.flow.kernels import add_rows, sum_rows, take_rows

__all__ = ["Paths", "as_numbers", "check_capacity", "check_values", "transpose"]

MOST = 2**31 - 1  # links have 32 bits
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
        links = as_integers(self.links, "links", MOST + 1, kind=np.int32)
        indptr = as_integers(self.indptr, "indptr", 2**63)
        rises = f"expected to rise from 0 to {links.size}, the number of links entries"
        if indptr.size == 0 or indptr[0] != 0 or indptr[-1] != links.size:
            ends = f"{indptr[0]} to {indptr[-1]}" if indptr.size else "nothing"
            _fail(f"indptr: found {ends}, {rises}")
        falls = np.diff(indptr) < 0
        if falls.any():
            where = int(np.argmax(falls)) + 1
            _fail(f"indptr[{where}]: found {indptr[where]} after {indptr[where - 1]}, {rises}")
        object.__setattr__(self, "indptr", indptr)
        object.__setattr__(self, "links", links)
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

        Raises
        ------
        FlowError
            Naming the first entry that is no link index.

        Examples
        --------
        >>> Paths.from_lists([[0, 1], [], [1]]).indptr.tolist()
        [0, 2, 2, 3]
        """
        indptr, entries = _flat(links)
        return cls(np.array(indptr), np.array(entries, dtype=np.int32))

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

        Raises
        ------
        FlowError
            If there is no such flow.
        """
        rows = as_integers(flows, "flows", len(self))
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

        Raises
        ------
        FlowError
            If it is of another number of flows.

        Examples
        --------
        >>> Paths.from_lists([[0], [1]]).join(Paths.from_lists([[2], []]))[0].tolist()
        [0, 2]
        """
        if len(other) != len(self):
            _fail(f"join: found paths of {len(other)} flows, expected {len(self)}")
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

        Raises
        ------
        FlowError
            If lengths do not fit.
        """
        given, total = as_numbers(values, "values"), np.empty(len(self))
        if given.ndim != 1:
            _fail(f"values: found shape {given.shape}, expected one number per link")
        _check_width(self.links, given.size, "the length of values")
        sum_rows(self.indptr, self.links, self.given_share, given, total)
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

        Raises
        ------
        FlowError
            If lengths do not fit.
        """
        given = as_numbers(amount, "amount")
        if given.shape != (len(self),):
            _fail(f"amount: found shape {given.shape}, expected ({len(self)},)")
        _check_width(self.links, links, "the number of links")
        total = np.zeros(links)
        add_rows(self.indptr, self.links, self.given_share, given, total)
        return total


def _flat(links: Any) -> tuple[list[int], list[int]]:
    """Where each row of links begins and ends, and all entries, or say which row or entry is none."""
    entries: list[Any] = []
    indptr = [0]
    try:
        every = iter(links)
    except TypeError:
        raise FlowError(f"links: found {links!r}, expected one list of links per flow") from None
    for row in every:
        try:
            entries.extend(row)
        except TypeError:
            raise FlowError(f"links[{len(indptr) - 1}]: found {row!r}, expected a list of links") from None
        indptr.append(len(entries))
    kinds = set(map(type, entries))
    whole = all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in kinds)
    if entries and not (whole and min(entries) >= 0 and max(entries) <= MOST):
        for at, link in enumerate(entries):
            number = isinstance(link, (int, np.integer)) and not isinstance(link, bool)
            if not number or not 0 <= link <= MOST:
                row = int(np.searchsorted(indptr, at, side="right")) - 1
                _fail(
                    f"links[{row}][{at - indptr[row]}]: found {link!r}, expected an integer from 0 to {MOST}"
                )
    return indptr, entries


def _check_width(links: NDArray[np.int32], width: int, what: str) -> None:
    """Kernels do not look: a link that is not there would be read or written anyway."""
    if links.size and links.max() >= width:
        _fail(f"links: found link {links.max()}, expected less than {width}, {what}")


def check_values(
    values: Any, name: str, length: int, *, positive: bool = False, infinite: bool = False
) -> NDArray[np.float64]:
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
    infinite : bool
        Whether infinity is allowed.

    Returns
    -------
    ndarray of float64, shape (length,)
        Fit for kernels; the caller's own array where that is, so it must not be written to.

    Raises
    ------
    FlowError
    """
    array = as_numbers(values, name)
    array = np.full(length, array) if array.ndim == 0 else array
    if array.shape != (length,):
        _fail(f"{name}: found shape {array.shape}, expected ({length},)")
    wrong = ~((array > 0) if positive else (array >= 0))
    wrong |= False if infinite else np.isinf(array)
    bound = "more than 0" if positive else "0 or more"
    refuse_where(wrong, array, name, bound if infinite else f"a finite number of {bound}")
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
        A copy.

    Raises
    ------
    FlowError
    """
    given: Any = paths
    if not isinstance(given, Paths):
        _fail(f"paths: found {type(given).__name__}, expected Paths; Paths.from_lists makes them of lists")
    array = as_numbers(capacity, "capacity").copy()
    if array.ndim != 1:
        _fail(f"capacity: found shape {array.shape}, expected one dimension")
    _check_width(paths.links, array.size, "the length of capacity")
    refuse_where(~(array > 0), array, "capacity", "more than 0")
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
