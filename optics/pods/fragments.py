"""Fragmentation: what is left for slices when hosts fail, with circuit switches and without."""

from itertools import permutations, product
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.optics.pods.pod import Pod, is_whole
from topo_sim.optics.pods.slices import shapes

__all__ = ["blocks", "check_share", "cube_grid", "goodput", "most_blocks"]


def check_share(name: str, value: object) -> float:
    """Refuse what is no number from 0 to 1.

    Parameters
    ----------
    name : str
        For the message.
    value : float

    Returns
    -------
    float

    Raises
    ------
    UsageError
        If it is out of range or no number.
    """
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:  # type: ignore[operator]
        raise UsageError(f"{name}: found {value!r}, expected a number from 0 to 1")
    return float(value)  # type: ignore[arg-type]


def _check_slice_cubes(pod: Pod, cubes: object) -> int:
    if not is_whole(cubes, 1) or int(cubes) > pod.cubes:  # type: ignore[call-overload]
        raise UsageError(f"cubes of a slice: found {cubes!r}, expected an integer from 1 to {pod.cubes}")
    return int(cubes)  # type: ignore[call-overload]


def goodput(pod: Pod, cubes: int, availability: float, hosts: int = 16) -> float:
    """Share of the pod that works in slices of one size, where hosts fail and circuits join any cubes.

    Parameters
    ----------
    pod : Pod
    cubes : int
        Of one slice.
    availability : float
        Share of time that a host works, each by itself, from 0 to 1.
    hosts : int
        Of one cube: it works if all of them do.

    Returns
    -------
    float
        Mean share of the pod's cubes that run in slices.

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Exact: W cubes work, W binomial with ``availability**hosts``, and floor(W / cubes) slices run.

    References
    ----------
    Jouppi et al., "TPU v4", ISCA 2023 (section 2.6, goodput against host availability).

    Examples
    --------
    One slice of half the pod fits nearly always, two of them nearly never:

    >>> round(goodput(Pod(), 32, 0.99), 3)
    0.5
    """
    size, share = _check_slice_cubes(pod, cubes), check_share("availability", availability)
    if not is_whole(hosts, 1):
        raise UsageError(f"hosts: found {hosts!r}, expected an integer of at least 1")
    works, n = share ** int(hosts), pod.cubes
    odds = [comb(n, w) * works**w * (1 - works) ** (n - w) for w in range(n + 1)]
    return float(sum(p * (w // size) * size for w, p in enumerate(odds)) / n)


def cube_grid(pod: Pod) -> tuple[int, int, int]:
    """Cubes along each axis of the pod as one torus, as cubic as its number allows.

    Parameters
    ----------
    pod : Pod

    Returns
    -------
    tuple of three int

    Examples
    --------
    >>> cube_grid(Pod()), cube_grid(Pod(cubes=6))
    ((4, 4, 4), (1, 2, 3))
    """
    whole = [one for one in shapes(pod, pod.chips) if not one.twisted]
    return min((one.shape for one in whole), key=lambda shape: (max(shape), shape))


def blocks(pod: Pod, cubes: int) -> NDArray[np.bool_]:
    """List every contiguous block of cubes in a pod whose cubes are joined by fixed cables.

    Parameters
    ----------
    pod : Pod
        Taken as a torus of cubes, nearly cubic.
    cubes : int
        Of one block.

    Returns
    -------
    ndarray of bool, shape (blocks, pod.cubes)
        Which cubes each block takes: boxes of any shape, turned any way, also over the wrap. Each set once.

    Raises
    ------
    UsageError
        If a block would be larger than the pod.

    Examples
    --------
    Two cubes side by side, along three axes of 4 x 4 x 4:

    >>> blocks(Pod(), 2).shape
    (192, 64)
    """
    size, grid = _check_slice_cubes(pod, cubes), cube_grid(pod)
    boxes = {
        turned
        for one in shapes(pod, size * pod.side**3)
        for turned in permutations(one.shape)
        if all(n <= most for n, most in zip(turned, grid, strict=True))
    }
    rows = []
    for box, corner in product(sorted(boxes), product(*(range(n) for n in grid))):
        axes = [
            np.isin(np.arange(n), (np.arange(b) + c) % n) for n, b, c in zip(grid, box, corner, strict=True)
        ]
        rows.append(np.logical_and.outer(np.logical_and.outer(axes[2], axes[1]), axes[0]).ravel())
    return np.unique(np.array(rows, dtype=bool).reshape(-1, pod.cubes), axis=0)


def most_blocks(options: NDArray[np.bool_], works: ArrayLike) -> int:
    """Find how many blocks fit side by side on the cubes that work.

    Parameters
    ----------
    options : ndarray of bool, shape (blocks, cubes)
        As `blocks` returns it.
    works : array_like of bool, shape (cubes,)

    Returns
    -------
    int
        The most, exactly (a set packing, solved as an integer program).

    Raises
    ------
    UsageError
        If the shapes do not match, or the solver gives up.

    Examples
    --------
    Of 4 x 4 x 4 cubes, 62 work; where the two that failed are alike in parity, 30 pairs fit, not 31:

    >>> works = np.ones(64, dtype=bool)
    >>> works[[0, 2]] = False
    >>> most_blocks(blocks(Pod(), 2), works)
    30
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    here = np.asarray(works, dtype=bool)
    if here.shape != (options.shape[1],):
        raise UsageError(f"works: found shape {here.shape}, expected ({options.shape[1]},)")
    open_ones = options[~options[:, ~here].any(axis=1)]
    if not len(open_ones):
        return 0
    most = int(here.sum() // open_ones[0].sum())
    if _greedy(open_ones) == most:
        return most
    found = milp(
        -np.ones(len(open_ones)),
        constraints=LinearConstraint(open_ones.T.astype(float), -np.inf, 1.0),
        integrality=np.ones(len(open_ones), dtype=np.int64),
        bounds=Bounds(0, 1),
    )
    if not found.success:
        raise UsageError(f"blocks: the solver found no packing ({found.message}), expected fewer blocks")
    return round(-found.fun)


def _greedy(options: NDArray[np.bool_]) -> int:
    """Take blocks in turn, each the one that leaves most others possible; a lower bound."""
    left, count = options, 0
    while len(left):
        clashes = (left.astype(np.int32) @ left.T.astype(np.int32) > 0).sum(axis=1)
        chosen = left[int(np.argmin(clashes))]
        left = left[~(left & chosen).any(axis=1)]
        count += 1
    return count
