"""Numbers known as ranges, drawn or moved one at a time."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from topo_sim.base.errors import UsageError
from topo_sim.base.files import Range

__all__ = ["Interval", "draw", "triangular"]

Array = NDArray[np.float64]
Interval = tuple[float, float]
_BLOCK = 4096
MOST_SAMPLES = 10_000_000


def triangular(value: Range, u: Array) -> Array:
    """Turn even draws into draws of a triangle from low over typical to high.

    Parameters
    ----------
    value : Range
    u : array of float
        In [0, 1).

    Returns
    -------
    array of float, like `u`

    Examples
    --------
    >>> triangular(Range(0.0, 1.0, 2.0), np.array([0.0, 0.125, 0.5, 1.0])).tolist()
    [0.0, 0.5, 1.0, 2.0]
    """
    span = value.high - value.low
    if span == 0:
        return np.full(u.shape, value.typical)
    at = (value.typical - value.low) / span
    up = value.low + np.sqrt(u * span * (value.typical - value.low))
    down = value.high - np.sqrt((1 - u) * span * (value.high - value.typical))
    return np.where(u < at, up, down)


def _block(names: list[str], values: Mapping[str, Range], seed: int, block: int, size: int) -> Array:
    """Draws of one block, shape (inputs, size): its own stream, whoever draws it."""
    u = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,))).random((len(names), size))
    return np.stack([triangular(values[name], row) for name, row in zip(names, u, strict=True)])


def draw(values: Mapping[str, Range], samples: int, seed: int = 0, workers: int = 1) -> dict[str, Array]:
    """Draw every input from its triangle, each by itself.

    Parameters
    ----------
    values : mapping from str to Range
    samples : int
    seed : int
    workers : int
        Threads. The draws are the same for any number.

    Returns
    -------
    dict from str to array of float, shape (samples,)

    Raises
    ------
    UsageError
        If there are no samples, or too many.

    Notes
    -----
    Blocks of 4,096 have a stream each, seeded by the seed and the block's number.

    Examples
    --------
    >>> price = {"price": Range(0.0, 1.0, 2.0)}
    >>> draw(price, 5000)["price"].tolist() == draw(price, 5000, workers=3)["price"].tolist()
    True
    """
    if not 1 <= samples <= MOST_SAMPLES:
        raise UsageError(f"samples: found {samples}, expected 1 to {MOST_SAMPLES:,}")
    if workers < 1:
        raise UsageError(f"workers: found {workers}, expected at least 1")
    names = sorted(values)
    if not names:
        return {}
    sizes = [min(_BLOCK, samples - first) for first in range(0, samples, _BLOCK)]
    with ThreadPoolExecutor(workers) as pool:
        parts = list(
            pool.map(lambda k: _block(names, values, seed, k, _BLOCK)[:, : sizes[k]], range(len(sizes)))
        )
    return dict(zip(names, np.concatenate(parts, axis=1), strict=True))
