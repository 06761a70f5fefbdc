"""Checks of matchings: ports used twice, ranks left apart. Arrays in, arrays out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import TopologyError

__all__ = [
    "as_targets",
    "check_matchings",
    "connected",
    "first_gap",
    "require_joined",
    "slot_blocks",
    "union",
]

# How many entries are looked at in one go: bounds what is needed beside the targets themselves.
BLOCK = 1 << 22


def slot_blocks(targets: NDArray[np.int32]) -> Iterator[slice]:
    """Cut the slots into runs that are worked on one after the other.

    Examples
    --------
    >>> list(slot_blocks(np.zeros((3, 1, 2), np.int32)))
    [slice(0, 3, None)]
    """
    step = max(BLOCK // max(targets[0].size, 1), 1)
    for begin in range(0, len(targets), step):
        yield slice(begin, min(begin + step, len(targets)))


def as_targets(given: Any, name: str = "targets", *, planes: bool = True) -> NDArray[np.int32]:
    """Make the array of circuits: int32, self-circuits dark, ports in range.

    Parameters
    ----------
    given : array_like of int, shape (slots, planes, ports)
    name : str
        For errors.
    planes : bool
        Whether the axis of planes must be there; else (slots, ports) is one plane.

    Returns
    -------
    ndarray of int32, shape (slots, planes, ports)
        A copy.

    Raises
    ------
    TopologyError
        If the shape does not fit, or an entry is no port and not -1.

    Examples
    --------
    >>> as_targets([[[1, 0, 2]]]).tolist()
    [[[1, 0, -1]]]
    """
    try:
        array = np.asarray(given)
    except ValueError:
        raise TopologyError(f"{name}: found rows of different lengths, expected one port per entry") from None
    if not planes and array.ndim == 2:
        array = array[:, None, :]
    if array.ndim != 3 or array.size == 0 or array.shape[2] < 2:
        raise TopologyError(
            f"{name}: found shape {array.shape}, expected (slots, planes, ports) with at least 1, 1 and 2"
        )
    if array.dtype.kind not in "iu":
        raise TopologyError(f"{name}: found {array.dtype} values, expected integers: ports, or -1 for dark")
    ports = array.shape[2]
    outside = (array < -1) | (array >= ports) if array.dtype.kind == "i" else array >= ports
    if outside.any():
        s, p, i = (int(x) for x in np.unravel_index(int(np.argmax(outside)), array.shape))
        raise TopologyError(
            f"{name}: slot {s}, plane {p}: port {i} is joined to {array[s, p, i]}, expected a port from 0 to "
            f"{ports - 1}, or -1 for dark"
        )
    out: NDArray[np.int32] = array.astype(np.int32)
    out[out == np.arange(ports, dtype=np.int32)] = -1
    return out


def check_matchings(targets: NDArray[np.int32]) -> None:
    """Refuse matchings that use a port twice.

    Parameters
    ----------
    targets : ndarray of int32, shape (slots, planes, ports)

    Raises
    ------
    TopologyError
        Naming the slot, the plane, the port and the two that send to it.

    Examples
    --------
    >>> check_matchings(np.array([[[2, 2, -1]]], np.int32))
    Traceback (most recent call last):
    topo_sim.base.errors.TopologyError: slot 0, plane 0: ports 0 and 1 both send to port 2, expected \
a matching that uses every port once at most
    """
    for block in slot_blocks(targets):
        now = targets[block]
        slots, planes, ports = now.shape
        used = np.zeros((slots, planes, ports + 1), dtype=bool)
        np.put_along_axis(used, np.where(now < 0, ports, now).astype(np.int64), True, axis=2)
        wrong = used[:, :, :ports].sum(axis=2) != (now >= 0).sum(axis=2)
        if wrong.any():
            s, p = (int(x) for x in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
            row = now[s, p]
            port = int(np.argmax(np.bincount(row[row >= 0]) > 1))
            first, second = np.flatnonzero(row == port)[:2]
            raise TopologyError(
                f"slot {block.start + s}, plane {p}: ports {first} and {second} both send to port {port}, "
                "expected a matching that uses every port once at most"
            )


def _labels(targets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Find the strongly connected parts of each slot: shape (slots, ports)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    slots, _, ports = targets.shape
    s, p, i = np.nonzero(targets >= 0)
    ends = (s * ports + i, s * ports + targets[s, p, i])
    graph = coo_array((np.ones(s.size, dtype=np.int8), ends), shape=(slots * ports, slots * ports))
    labels = connected_components(graph.tocsr(), directed=True, connection="strong")[1]
    out: NDArray[np.int32] = labels.reshape(slots, ports)
    return out


def connected(targets: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Say of each slot whether its circuits lead from every port to every other.

    Parameters
    ----------
    targets : ndarray of int32, shape (slots, planes, ports)

    Returns
    -------
    ndarray of bool, shape (slots,)

    Examples
    --------
    >>> connected(np.array([[[1, 2, 0]], [[1, 0, -1]]], np.int32)).tolist()
    [True, False]
    """
    parts = [_labels(targets[block]) for block in slot_blocks(targets)]
    return np.concatenate([(labels == labels[:, :1]).all(axis=1) for labels in parts])


def first_gap(planes: NDArray[np.int32]) -> tuple[int, int]:
    """Name two ports such that no circuits of a configuration lead from the first to the second.

    Parameters
    ----------
    planes : ndarray of int32, shape (planes, ports)
        Of a configuration that is not connected.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> first_gap(np.array([[1, 0, 3, 2]], np.int32))
    (0, 2)
    """
    onward = _reached(planes, backward=False)
    if not onward.all():
        return 0, int(np.argmin(onward))
    return int(np.argmin(_reached(planes, backward=True))), 0


def _reached(planes: NDArray[np.int32], backward: bool) -> NDArray[np.bool_]:
    """Say which ports port 0 reaches over circuits, or which reach port 0."""
    reached = np.zeros(planes.shape[1], dtype=bool)
    reached[0], front = True, np.array([0])
    while front.size:
        if backward:
            found = np.isin(planes, front).any(axis=0)
        else:
            found = np.zeros_like(reached)
            ends = planes[:, front]
            found[ends[ends >= 0]] = True
        front = np.flatnonzero(found & ~reached)
        reached |= found
    return reached


def union(served: NDArray[np.float64]) -> NDArray[np.int32]:
    """Write all circuits that ever carry light as one slot of many planes.

    Parameters
    ----------
    served : ndarray of float64, shape (ports, ports)
        More than 0 where there is a circuit at some time.

    Returns
    -------
    ndarray of int32, shape (1, planes, ports)
        No matchings: receivers may appear more than once.

    Examples
    --------
    >>> union(np.array([[0.0, 1.0], [1.0, 0.0]])).tolist()
    [[[1, 0]]]
    """
    source, target = np.nonzero(served)
    rank = np.arange(source.size) - np.searchsorted(source, source)
    out = np.full((1, int(rank.max(initial=0)) + 1, len(served)), -1, dtype=np.int32)
    out[0, rank, source] = target
    return out


def require_joined(planes: NDArray[np.int32], place: str) -> None:
    """Refuse circuits that leave ports apart.

    Parameters
    ----------
    planes : ndarray of int32, shape (planes, ports)
    place : str
        For the error.

    Raises
    ------
    TopologyError

    Examples
    --------
    >>> require_joined(np.array([[1, 2, 0]], np.int32), "slot 0")
    """
    if connected(planes[None])[0]:
        return
    first, second = first_gap(planes)
    raise TopologyError(
        f"{place}: no circuits lead from rank {first} to rank {second}, expected a configuration that joins "
        f"all {planes.shape[1]} ranks"
    )
