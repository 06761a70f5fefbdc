"""Flows that bring a demand over circuits: straight, or by way of every other rank."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import DemandError
from topo_sim.topo.flow.arrays import as_numbers, refuse_where

__all__ = ["CircuitFlows", "direct_flows", "valiant_flows"]

MOST_FLOWS = 20_000_000


@dataclass(frozen=True, eq=False)
class CircuitFlows:
    """Flows for ``run_circuits(schedule, flows.hops, flows.size, after=flows.after)``.

    Parameters
    ----------
    hops : ndarray of int64, shape (flows, 2)
        From and to.
    size : ndarray of float64, shape (flows,), B
    after : ndarray of int64, shape (dependencies, 2)
        Rows of (flow, parent).
    """

    hops: NDArray[np.int64]
    size: NDArray[np.float64]
    after: NDArray[np.int64]


def _demand(demand: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]:
    matrix = as_numbers(demand, "demand", DemandError)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) < 2:
        raise DemandError(f"demand: found shape {matrix.shape}, expected a square of at least 2 x 2")
    wrong = ~((matrix >= 0) & np.isfinite(matrix))
    refuse_where(wrong, matrix, "demand", "bytes of 0 or more", DemandError)
    source, target = np.nonzero((matrix > 0) & ~np.eye(len(matrix), dtype=bool))
    return source, target, matrix[source, target], len(matrix)


def direct_flows(demand: ArrayLike) -> CircuitFlows:
    """Make a flow for each pair of ranks that has bytes to send, over the circuit that joins them.

    Parameters
    ----------
    demand : array_like of float, shape (ranks, ranks), B
        The diagonal is left out: it needs no network.

    Returns
    -------
    CircuitFlows

    Raises
    ------
    DemandError
        If the demand is no square of bytes.

    Examples
    --------
    >>> direct_flows([[0, 5.0], [0, 0]]).hops.tolist()
    [[0, 1]]
    """
    source, target, size, _ = _demand(demand)
    return CircuitFlows(np.stack([source, target], axis=1), size, np.zeros((0, 2), dtype=np.int64))


def valiant_flows(demand: ArrayLike) -> CircuitFlows:
    """Cut each pair's bytes into equal parts that go by way of every other rank (Valiant load balancing).

    Parameters
    ----------
    demand : array_like of float, shape (ranks, ranks), B

    Returns
    -------
    CircuitFlows
        Of the ``ranks - 1`` parts of a pair one goes straight to the target; the others wait at another rank,
        whole, for the circuit from there: two flows, the second after the first.

    Raises
    ------
    DemandError
        If the demand is no square of bytes, or would make more than 20 million flows.

    Notes
    -----
    If no rank sends or gets more than the rest, every circuit of a rotor then carries as much as every
    other, whatever the demand. Bytes cross two circuits, so half of the direct rate is left at worst.

    References
    ----------
    Chang, Lee, Jou, "Load balanced Birkhoff-von Neumann switches", Computer Communications 2002.

    Examples
    --------
    >>> flows = valiant_flows([[0, 6.0, 0], [0, 0, 0], [0, 0, 0]])
    >>> flows.hops.tolist(), flows.size.tolist(), flows.after.tolist()
    ([[0, 1], [0, 2], [2, 1]], [3.0, 3.0, 3.0], [[2, 1]])
    """
    source, target, size, ranks = _demand(demand)
    pairs, parts = len(size), ranks - 1
    flows = pairs * (1 + 2 * (ranks - 2))
    if flows > MOST_FLOWS:
        raise DemandError(
            f"demand: found {pairs:,} pairs by way of {ranks} ranks, {flows:,} flows, expected at most "
            f"{MOST_FLOWS:,}"
        )
    middle = np.broadcast_to(np.arange(ranks), (pairs, ranks))
    over = (middle != source[:, None]) & (middle != target[:, None])
    row, via = np.nonzero(over)
    straight = np.stack([source, target], axis=1)
    first, second = np.stack([source[row], via], axis=1), np.stack([via, target[row]], axis=1)
    child = pairs + len(row) + np.arange(len(row))
    part = size / parts
    return CircuitFlows(
        np.concatenate([straight, first, second]),
        np.concatenate([part, part[row], part[row]]),
        np.stack([child, child - len(row)], axis=1),
    )
