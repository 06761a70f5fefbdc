"""All-reduce by Swing: recursive halving and doubling whose partners stay near on a torus."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.butterfly import butterfly
from topo_sim.collectives.algorithms.grid_rings import coordinates, neighbour
from topo_sim.collectives.algorithms.patterns import exact_log2
from topo_sim.collectives.algorithms.registry import Algorithm, register
from topo_sim.collectives.algorithms.shapes import grid_dims
from topo_sim.collectives.step import Step

__all__ = ["build", "closed_form", "swing_partners"]


def build(p: int, dims: object = None) -> tuple[int, list[Step]]:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    dims : tuple of int, str or None
        Sides of the grid of ranks, the first one fastest; None: two that are as close as they come.

    Returns
    -------
    chunks : int
        p for each of two parts per axis.
    steps : list of Step
        Reduce-scatter by exchanges over the distances 1, 1, 3, 5, 11, ... of all axes in turn, then all-
        gather backwards. Every part starts on another axis or the other way.

    Examples
    --------
    >>> chunks, steps = build(8)
    >>> chunks, [(s.target.tolist()[:4], s.fraction[0].item()) for s in steps[:3]]
    (16, [([1, 0, 3, 2], 0.25), ([7, 2, 1, 4], 0.125), ([3, 6, 5, 0], 0.0625)])
    """
    partners = swing_partners(_sides(dims, p))
    return p * len(partners), butterfly(partners, reduce=True) + butterfly(partners, reduce=False)


def closed_form(p: int, size: float, alpha: float, beta: float, dims: object = None) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        The vector.
    alpha : float, s
        Per step.
    beta : float, s/B
        Of a port, each way.
    dims : tuple of int, str or None
        Sides of the grid of ranks, the first one fastest; None: two that are as close as they come.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(16, 1e6, 1.0, 0.0, dims=(4, 4)), closed_form(16, 16.0, 0.0, 1.0, dims=(4, 4))
    (8.0, 30.0)
    """
    _sides(dims, p)
    return 2 * exact_log2(p) * alpha + 2 * (p - 1) / p * size * beta


def _sides(dims: object, p: int) -> tuple[int, ...]:
    """Sides of the torus, one ring if not given, each a power of two."""
    sides = (p,) if dims is None else grid_dims(dims, p)
    if any(k & (k - 1) for k in sides):
        text = "x".join(map(str, sides))
        raise CollectiveError(f'dims: found {text}, swing needs powers of two; use "torus" instead')
    return sides


def swing_partners(sides: tuple[int, ...]) -> NDArray[np.int32]:
    """Partner of every rank, for every part of the data and step of the reduce-scatter.

    Parameters
    ----------
    sides : tuple of int
        Sides of the torus, powers of two.

    Returns
    -------
    ndarray of int32, shape (parts, steps, p)
        In the s-th step along an axis, even coordinates go ``(1 - (-2)^(s+1)) / 3`` ahead and odd ones as far
        back; in the second half of the parts it is the other way round.

    Examples
    --------
    >>> swing_partners((4,)).tolist()
    [[[1, 0, 3, 2], [3, 2, 1, 0]], [[3, 2, 1, 0], [1, 0, 3, 2]]]
    """
    axes = [axis for axis, k in enumerate(sides) if k > 1]
    parts = []
    for sign in (1, -1):
        for start in range(len(axes)):
            order = axes[start:] + axes[:start]
            taken = [
                (s, axis) for s in range(max(sides).bit_length()) for axis in order if sides[axis] >> (s + 1)
            ]
            parts.append([_partner(sides, axis, sign * (1 - (-2) ** (s + 1)) // 3) for s, axis in taken])
    return np.array(parts, dtype=np.int32)


def _partner(sides: tuple[int, ...], axis: int, distance: int) -> NDArray[np.int32]:
    x = coordinates(sides)[axis]
    return neighbour(sides, axis, np.where(x % 2 == 0, distance, -distance))


register(
    Algorithm(
        collective="all_reduce",
        name="swing",
        summary="halving and doubling with partners at distances 1, 1, 3, 5, 11, ...; little congestion "
        "on a torus",
        formula="2 log2(p) alpha + 2(p-1)/p n beta; 2(p-1)/p n beta/(2D) times a congestion of at most "
        "1.2, 1.037 on a 2-D, 3-D torus",
        build=build,
        closed_form=closed_form,
        reference="De Sensi, Bonato, Saam, Hoefler, Swing: short-cutting rings for higher bandwidth "
        "allreduce, NSDI 2024 (arXiv 2401.09356)",
        power_of_two=True,
        instead="torus",
        options={"dims": None},
    )
)
