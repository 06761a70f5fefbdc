"""What can be counted of the slots of a circuit schedule. Arrays in, arrays out, block by block."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.optics.matchings import slot_blocks

__all__ = ["lit", "reconfigurations", "served"]


def lit(targets: NDArray[np.int32]) -> NDArray[np.int32]:
    """Count the circuits of each plane in each slot: shape (slots, planes).

    Examples
    --------
    >>> lit(np.array([[[1, 0], [-1, 0]]], np.int32)).tolist()
    [[2, 1]]
    """
    counts = [(targets[block] >= 0).sum(axis=2, dtype=np.int32) for block in slot_blocks(targets)]
    return np.concatenate(counts)


def reconfigurations(targets: NDArray[np.int32], cyclic: bool) -> NDArray[np.int64]:
    """Count how often each plane brings up circuits that it did not hold in the slot before: shape (planes,).

    Examples
    --------
    >>> reconfigurations(np.array([[[1, 0]], [[-1, -1]], [[1, 0]]], np.int32), cyclic=False).tolist()
    [2]
    """
    count = np.zeros(targets.shape[1], dtype=np.int64)
    before = targets[-1:] if cyclic else np.full_like(targets[:1], -1)
    for block in slot_blocks(targets):
        now = targets[block]
        last = np.concatenate([before, now[:-1]])
        count += ((now != last) & (now >= 0)).any(axis=2).sum(axis=0)
        before = now[-1:]
    return count


def served(
    targets: NDArray[np.int32], durations: NDArray[np.float64], capacity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up the bytes that all slots can carry from port to port: shape (ports, ports).

    Examples
    --------
    >>> served(np.array([[[1, -1]]], np.int32), np.array([2.0]), np.array([3.0])).tolist()
    [[0.0, 6.0], [0.0, 0.0]]
    """
    ports = targets.shape[2]
    total = np.zeros(ports * ports)
    port = np.arange(ports, dtype=np.int64) * ports
    for block in slot_blocks(targets):
        now = targets[block]
        amount = durations[block, None, None] * capacity[:, None]
        kept = now >= 0
        total += np.bincount((port + now)[kept], np.broadcast_to(amount, now.shape)[kept], total.size)
    return total.reshape(ports, ports)
