"""Circuits of a pod: which ports each switch joins for a slice, and the links that this makes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.pods.pod import AXES, Pod

if TYPE_CHECKING:
    from topo_sim.optics.pods.placement import Placed

__all__ = ["DARK", "cable_ends", "check_configuration", "configure", "pod_graph", "port_pairs"]

DARK = -1
Ints = NDArray[np.int64]


def configure(pod: Pod, placed: "Sequence[Placed]", failed: Sequence[int] = ()) -> Ints:
    """Set the circuits that slices need.

    Parameters
    ----------
    pod : Pod
    placed : sequence of Placed
        Slices and their cubes.
    failed : sequence of int
        Switches that hold no circuit.

    Returns
    -------
    ndarray of int64, shape (switches, cubes)
        At each switch, the cube whose lower face is joined to the upper face of each cube; -1 if dark.

    Raises
    ------
    UsageError
        If a port would be used twice.

    Notes
    -----
    All switches of an axis hold the same circuits: a slice needs every link of a face or none.

    Examples
    --------
    >>> from topo_sim.optics.pods import place, read_slice
    >>> pod = Pod(cubes=3, radix=8, spare=2)
    >>> here = place(pod, [read_slice("4x4x8", pod)])
    >>> configure(pod, here.placed)[:: pod.face].tolist()
    [[0, 1, -1], [0, 1, -1], [1, 0, -1]]
    """
    partner = np.full((len(AXES), pod.cubes), DARK, dtype=np.int64)
    for one in placed:
        cubes = np.asarray(one.cubes, dtype=np.int64)
        if np.any(partner[0, cubes] != DARK):
            cube = int(cubes[partner[0, cubes] != DARK][0])
            raise UsageError(f"{one.slice.name}: cube {cube} is in another slice, expected a free one")
        for axis in range(len(AXES)):
            partner[axis, cubes] = cubes[one.slice.lattice.neighbour(axis)]
    whole = np.repeat(partner, pod.face, axis=0)
    whole[list(failed)] = DARK
    check_configuration(pod, whole)
    return whole


def check_configuration(pod: Pod, configuration: Ints) -> None:
    """Refuse circuits that the switches of a pod cannot hold.

    Parameters
    ----------
    pod : Pod
    configuration : ndarray of int64, shape (switches, cubes)
        As `configure` returns it.

    Raises
    ------
    UsageError
        If the shape is wrong, a cube does not exist, or a port is used twice.

    Examples
    --------
    >>> check_configuration(Pod(cubes=2), np.zeros((48, 2), dtype=np.int64))
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: switch x0: the lower face of cube 0 is used twice, expected once
    """
    expected = (pod.switches, pod.cubes)
    if configuration.shape != expected:
        raise UsageError(f"configuration: found shape {configuration.shape}, expected {expected}")
    outside = (configuration < DARK) | (configuration >= pod.cubes)
    if outside.any():
        raise UsageError(
            f"configuration: found cube {configuration[outside][0]}, expected -1 to {pod.cubes - 1}"
        )
    switch, upper = np.nonzero(configuration != DARK)
    lower = configuration[switch, upper]
    used = np.bincount(switch * pod.cubes + lower, minlength=pod.switches * pod.cubes)
    if used.max(initial=0) > 1:
        where = int(np.argmax(used > 1))
        raise UsageError(
            f"switch {pod.switch_name(where // pod.cubes)}: the lower face of cube {where % pod.cubes} "
            "is used twice, expected once"
        )


def port_pairs(pod: Pod, configuration: Ints, switch: int) -> list[tuple[int, int]]:
    """List the circuits of one switch as pairs of ports.

    Parameters
    ----------
    pod : Pod
    configuration : ndarray of int64, shape (switches, cubes)
    switch : int

    Returns
    -------
    list of (int, int)
        Port c is the upper face of cube c, port cubes + c its lower face; spare ports come last.

    Examples
    --------
    >>> port_pairs(Pod(cubes=2), np.tile([1, 0], (48, 1)), 0)
    [(0, 3), (1, 2)]
    """
    row = configuration[switch]
    upper = np.flatnonzero(row != DARK)
    return list(zip(upper.tolist(), (pod.cubes + row[upper]).tolist(), strict=True))


def _face(pod: Pod, axis: int, upper: bool) -> Ints:
    """Chips of one face, by number in their cube, in order of their place on it."""
    inside = np.arange(pod.side**3)
    chosen: Ints = inside[inside // pod.side**axis % pod.side == (pod.side - 1 if upper else 0)]
    return chosen


def cable_ends(pod: Pod, configuration: Ints, cubes: Sequence[int]) -> tuple[Ints, Ints, Ints]:
    """List the cables that cubes and circuits make, without any generator.

    Parameters
    ----------
    pod : Pod
    configuration : ndarray of int64, shape (switches, cubes)
    cubes : sequence of int
        Those that count.

    Returns
    -------
    lower, upper : ndarray of int64, shape (cables,)
        Chips, numbered cube * side**3 + x + side * (y + side * z).
    switch : ndarray of int64, shape (cables,)
        That the light passes; -1 for cables inside a cube.
    """
    each, inside = pod.side**3, np.arange(pod.side**3)
    chosen = np.unique(np.asarray(cubes, dtype=np.int64))
    ends: list[tuple[Ints, Ints, Ints]] = []
    for axis in range(len(AXES)):
        first = inside[inside // pod.side**axis % pod.side < pod.side - 1]
        chips = np.add.outer(chosen * each, first).ravel()
        ends.append((chips, chips + pod.side**axis, np.full(chips.size, DARK)))
        out, into = _face(pod, axis, True), _face(pod, axis, False)
        for place in range(pod.face):
            switch = axis * pod.face + place
            mine = chosen[configuration[switch, chosen] != DARK]
            other = configuration[switch, mine]
            ends.append((mine * each + out[place], other * each + into[place], np.full(mine.size, switch)))
    lower, upper, switches = (np.concatenate(part) for part in zip(*ends, strict=True))
    return lower, upper, switches


def pod_graph(pod: Pod, configuration: Ints, placed: "Placed", latency: float = 1e-6) -> Any:
    """Build the graph of a slice as it is wired: chips, circuit switches, fibres and circuits.

    Parameters
    ----------
    pod : Pod
    configuration : ndarray of int64, shape (switches, cubes)
    placed : Placed
        The slice and its cubes.
    latency : float, s
        Of one cable inside a cube, and of one light path.

    Returns
    -------
    nx.MultiGraph
        For `Fabric.from_graph`. Chips come in the order of the slice's ranks, so that ranks are those of
        `Slice.fabric`. Circuits to cubes outside the slice are left out.
    """
    import networkx as nx

    each = pod.side**3
    position, inside = placed.slice.chip_places()
    chips = np.asarray(placed.cubes)[position] * each + inside
    name = {int(c): f"cube{c // each}.{c % each}" for c in chips}
    graph = nx.MultiGraph(name=placed.slice.name)
    graph.add_nodes_from(name.values(), kind="gpu")
    circuits: dict[int, list[tuple[str, str]]] = {switch: [] for switch in range(pod.switches)}
    for a, b, switch in zip(
        *map(np.ndarray.tolist, cable_ends(pod, configuration, placed.cubes)), strict=True
    ):
        if b not in name:
            continue
        if switch == DARK:
            graph.add_edge(name[a], name[b], bandwidth=pod.rate, latency=latency, medium="copper")
        else:
            circuits[switch] += [(name[a], name[b]), (name[b], name[a])]
    for switch, pairs in circuits.items():
        ocs = f"ocs.{pod.switch_name(switch)}"
        graph.add_node(ocs, kind="ocs", circuits=pairs)
        axis, place = divmod(switch, pod.face)
        ends = (_face(pod, axis, True)[place], _face(pod, axis, False)[place])
        fibres = [name[cube * each + int(end)] for cube in placed.cubes for end in ends]
        graph.add_edges_from(
            ((chip, ocs) for chip in fibres), bandwidth=pod.rate, latency=latency / 2, medium="pluggable"
        )
    return graph
