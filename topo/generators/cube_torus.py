"""Tori made of cubes: cables of one kind inside a cube, light paths of another between cubes."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import Rate, Time
from topo_sim.topo.fabric import GPU, OCS, Fabric
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    as_tuple,
    check_size,
    generator,
    is_count,
    port_rate,
    read,
    require,
)
from topo_sim.topo.structure import Grid, Lattice

__all__ = ["cube_torus"]


def _runs(
    lower: NDArray[np.int32],
    upper: NDArray[np.int32],
    between: NDArray[np.bool_],
    rate: float,
    kinds: Sequence[tuple[float, str]],
) -> Iterator[Cables]:
    """Bundle the cables of one axis by runs of one kind, so that their order stays that of a torus."""
    starts = np.flatnonzero(np.diff(between, prepend=~between[:1]))
    for first, last in zip(starts, [*starts[1:], len(lower)], strict=True):
        delay, medium = kinds[int(between[first])]
        yield Cables(lower[first:last], upper[first:last], rate, delay, medium)


def _names(endpoints: int, axes: int, face: int) -> list[str]:
    return [f"gpu{i}" for i in range(endpoints)] + [
        f"ocs{axis}.{place}" for axis in range(axes) for place in range(face)
    ]


def _switches(lattice: Lattice, side: int) -> NDArray[np.int64]:
    """Circuit switch of every cable in order, by axis and place on the face; -1 inside a cube."""
    at = [x % side for x in lattice.coordinates(np.arange(lattice.endpoints, dtype=np.int64))]
    found = []
    for axis, along in enumerate(at):
        others = [*at[:axis], *at[axis + 1 :]]
        place = sum((x * side**i for i, x in enumerate(others)), np.zeros_like(along))
        found.append(np.where(along == side - 1, axis * side ** len(others) + place, -1))
    return np.concatenate(found)


def _graph(lattice: Lattice, side: int, fabric: Fabric) -> Any:
    """Build the wiring: cables inside cubes, fibres from their faces to switches, and the circuits there."""
    import networkx as nx

    graph, names, gpus = nx.MultiGraph(name=fabric.name), fabric.names, lattice.endpoints
    graph.add_nodes_from(names[:gpus], kind="gpu")
    graph.add_nodes_from((name, {"kind": "ocs", "circuits": []}) for name in names[gpus:])
    columns = (fabric.link_source, fabric.link_target, fabric.capacity, fabric.latency, fabric.medium)
    cables = zip(*(column[::2].tolist() for column in columns), strict=True)
    for (u, v, rate, delay, medium), switch in zip(cables, _switches(lattice, side).tolist(), strict=True):
        a, b, look = names[u], names[v], {"bandwidth": rate, "medium": fabric.media[medium]}
        if switch < 0:
            graph.add_edge(a, b, latency=delay, **look)
        else:
            ocs = names[gpus + switch]
            graph.nodes[ocs]["circuits"] += [(a, b), (b, a)]
            graph.add_edges_from(((a, ocs), (b, ocs)), latency=delay / 2, **look)
    return graph


@generator("cube_torus")
def cube_torus(
    dims: Sequence[int] = (4, 4, 8),
    *,
    side: int = 4,
    twisted: bool = False,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "1 us",
    between_latency: Time | None = None,
    medium: str = "copper",
    between_medium: str = "pluggable",
) -> Parts:
    """Torus or twisted torus of cubes, joined face to face through optical circuit switches (TPU v4).

    Parameters
    ----------
    dims : sequence of int
        Length of each axis, multiples of `side`.
    side : int
        Endpoints along each edge of a cube, at least 3.
    twisted : bool
        Whether the wrap of the short axes shifts the long ones, as in `twisted_torus`.
    bandwidth : float or str, B/s
        Of one cable or light path, per direction.
    endpoint_bandwidth : float or str, B/s, optional
        Of all cables of an endpoint together; replaces `bandwidth`.
    latency : float or str, s
        Of one link inside a cube.
    between_latency : float or str, s, optional
        Of one light path between cubes. Default: `latency`.
    medium, between_medium : str
        What cables inside a cube, and light paths between cubes, are made of.

    Returns
    -------
    Fabric
        With the links of `torus` or `twisted_torus`, in their order. Its graph holds the circuit switches,
        the fibres and the circuits.

    Notes
    -----
    A circuit switch for every place on the face of a cube, along each axis: it joins that place on the upper
    face of any cube to the same place on the lower face of any other, or of the same one. So it takes two
    fibres per cube, each carrying both ways. A slice shares the switches with others of its pod, whose
    fibres are not counted here.

    References
    ----------
    Jouppi et al., "TPU v4", ISCA 2023 (section 2).

    Examples
    --------
    Of the 3 links per chip of a cube closed on itself, 144 are cables inside, and 48 are light paths of two
    fibres each, one through each of 3 * 16 circuit switches:

    >>> fabric = cube_torus((4, 4, 4))
    >>> fabric.links // 2, fabric.cables, fabric.circuit_switches
    (192, 240, 48)
    """
    sizes = as_tuple("dims", dims)
    require(
        (is_count(side, 3), f"side: found {side!r}, expected an integer of at least 3"),
        (2 <= len(sizes) <= 16, f"dims: found {len(sizes)} values, expected 2 to 16"),
        *((is_count(n), f"dims: found {n!r}, expected integers of at least 1") for n in sizes),
    )
    require(
        *(
            (n % side == 0, f"dims: found {n!r}, expected multiples of {side}, the side of a cube")
            for n in sizes
        ),
        (isinstance(twisted, bool), f"twisted: found {twisted!r}, expected true or false"),
        (
            not twisted or len(set(sizes)) > 1,
            f"dims: found {sizes!r}, expected a short and a long axis for a twisted torus",
        ),
    )
    check_size(len(sizes) * prod(sizes), prod(sizes))
    lengths, short = tuple(int(n) for n in sizes), min(int(n) for n in sizes)
    shift = tuple(tuple(short if twisted and m > n == short else 0 for m in lengths) for n in lengths)
    lattice, grid = Lattice(lengths, shift), Grid(lengths, (True,) * len(lengths))
    rate, delay = port_rate(bandwidth, endpoint_bandwidth, 2 * len(lengths)), read("latency", latency)
    far = delay if between_latency is None else read("between_latency", between_latency)
    node = np.arange(lattice.endpoints, dtype=np.int64)
    axes = zip(range(len(lengths)), lattice.coordinates(node), strict=True)
    longest, face = max(lengths), side ** (len(lengths) - 1)
    return Parts(
        kind=np.repeat(np.array([GPU, OCS], dtype=np.int8), [len(node), len(lengths) * face]),
        links=[
            bundle
            for axis, at in axes
            for bundle in _runs(
                node.astype(np.int32),
                lattice.neighbour(axis).astype(np.int32),
                at % side == side - 1,
                rate,
                ((delay, medium), (far, between_medium)),
            )
        ],
        names=lambda: _names(lattice.endpoints, len(lengths), face),
        cables=len(lengths) * (len(node) + len(node) // side),
        make_graph=lambda fabric: _graph(lattice, side, fabric),
        structure=lattice if twisted else grid,
        endpoints_forward=True,
        routing="ecmp_split" if twisted else "dimension_order",
        exact_bisection=None if twisted or longest % 2 else 2 * len(node) / longest * rate,
    )
