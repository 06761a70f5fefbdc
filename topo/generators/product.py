"""Products of rings, full meshes and switches: one kind of network along each dimension."""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import Rate, Time
from topo_sim.topo.fabric import GPU, SWITCH
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    as_tuple,
    check_size,
    generator,
    is_count,
    read,
    require,
)
from topo_sim.topo.structure import Grid

__all__ = ["product"]

SHAPES = ("ring", "full_mesh", "switch")


def _cables_per_line(shape: str, k: int) -> int:
    """Cables among `k` endpoints in a row."""
    return {"ring": k if k > 2 else k - 1, "full_mesh": k * (k - 1) // 2, "switch": k}[shape]


def _line(shape: str, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ends of the cables among `k` endpoints in a row; the switch is number k."""
    place = np.arange(k, dtype=np.int64)
    if shape == "switch":
        return place, np.full(k, k, dtype=np.int64)
    if shape == "ring":
        return (place, (place + 1) % k) if k > 2 else (place[:-1], place[1:])
    lower, upper = np.triu_indices(k, k=1)
    return lower.astype(np.int64), upper.astype(np.int64)


def _axis(
    shape: str, k: int, stride: int, endpoints: int, switches: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the ends of all cables along one dimension; its switches are numbered from `switches`."""
    node = np.arange(endpoints, dtype=np.int64)
    first = node[node // stride % k == 0]
    lower, upper = _line(shape, k)
    hub = switches + np.arange(first.size, dtype=np.int64)
    low = first[:, np.newaxis] + lower * stride
    high = np.where(upper == k, hub[:, np.newaxis], first[:, np.newaxis] + upper * stride)
    return low.ravel().astype(np.int32), high.ravel().astype(np.int32)


@generator("product")
def product(
    shapes: Sequence[Literal["ring", "full_mesh", "switch"]] = ("ring", "switch"),
    dims: Sequence[int] = (8, 8),
    *,
    bandwidth: Rate | Sequence[Rate] = "50 GB/s",
    latency: Time | Sequence[Time] = "500 ns",
    medium: str = "copper",
) -> Parts:
    """Product of rings, full meshes and switches: endpoints on a grid, each axis wired in its own way.

    Parameters
    ----------
    shapes : sequence of {"ring", "full_mesh", "switch"}
        How the endpoints of one row along each axis are joined.
    dims : sequence of int
        Length of each axis, the first one fastest in the ranks' order; each at least 2.
    bandwidth : float or str, or a sequence of them, B/s
        Of one cable, per direction: one for all, or one per axis. An endpoint has two cables along a
        ring (one if it has length 2), one to a switch.
    latency : float or str, or a sequence of them, s
        Of one link: one for all, or one per axis.
    medium : str
        What the cables are made of.

    Returns
    -------
    Fabric

    Notes
    -----
    This is what the analytical backends of ASTRA-sim call a network of several dimensions. Endpoints
    carry others' traffic from one axis to the next, except where a single switch is all there is.

    References
    ----------
    Won et al., "ASTRA-sim2.0: modeling hierarchical networks and disaggregated systems for large-model
    training at scale", ISPASS 2023.

    Examples
    --------
    >>> product(("ring", "switch"), (4, 2), bandwidth=["100 GB/s", "50 GB/s"])
    <Fabric product(shapes=('ring', 'switch'), dims=(4, 2), bandwidth=['100 GB/s', '50 GB/s']): \
8 endpoints, 4 switches, 16 cables>
    """
    kinds, sizes = as_tuple("shapes", shapes), as_tuple("dims", dims)
    _check(kinds, sizes)
    rates = _per_axis("bandwidth", bandwidth, len(sizes))
    delays = _per_axis("latency", latency, len(sizes))
    endpoints, count = prod(sizes), len(sizes)
    pairs = list(zip(kinds, (int(n) for n in sizes), strict=True))
    check_size(sum(endpoints // n * _cables_per_line(kind, n) for kind, n in pairs), endpoints)
    rings = all(kind == "ring" for kind in kinds)
    grid = Grid(tuple(int(n) for n in sizes), (True,) * count) if rings else None
    links, switches = [], endpoints
    for axis, (kind, n) in enumerate(pairs):
        line = (kind, n, prod(sizes[:axis]), endpoints, switches)
        ends = grid.cable_ends(axis) if grid else _axis(*line)
        links.append(Cables(*ends, rates[axis], delays[axis], medium))
        switches += endpoints // n if kind == "switch" else 0
    kind_of = np.full(switches, SWITCH, dtype=np.int8)
    kind_of[:endpoints] = GPU
    return Parts(
        kind=kind_of,
        links=links,
        names=lambda: [f"gpu{i}" for i in range(endpoints)] + [f"sw{i}" for i in range(switches - endpoints)],
        structure=grid,
        endpoints_forward=count > 1 or kinds[0] != "switch",
        routing="dimension_order" if rings else "ecmp_split",
    )


def _check(kinds: tuple[Any, ...], sizes: tuple[Any, ...]) -> None:
    require(
        (1 <= len(sizes) <= 16, f"dims: found {len(sizes)} values, expected 1 to 16"),
        (len(kinds) == len(sizes), f"shapes: found {len(kinds)} values, expected the {len(sizes)} of dims"),
        *((k in SHAPES, f"shapes: found {k!r}, expected one of {', '.join(SHAPES)}") for k in kinds),
        *((is_count(n, 2), f"dims: found {n!r}, expected integers of at least 2") for n in sizes),
    )


def _per_axis(name: str, value: object, count: int) -> list[float]:
    values = as_tuple(name, value, alone=count)
    require((len(values) == count, f"{name}: found {len(values)} values, expected 1 or {count}"))
    return [read(name, each) for each in values]
