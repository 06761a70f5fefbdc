"""Times as measured: NCCL's algorithms with a few physical constants fitted to nccl-tests logs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, UsageError, nearest
from topo_sim.collectives.models.constants import (
    Constants,
    network_of,
    prior_constants,
    shipped_constants,
)
from topo_sim.collectives.models.layout import GENERATIONS, Layout, layout_of
from topo_sim.collectives.models.nccl import FAMILIES
from topo_sim.collectives.models.nccl_tables import GENERATIONS as ROWS
from topo_sim.collectives.models.nccl_tables import NVLS_EFFICIENCY
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["COLLECTIVES", "calibrated", "mechanisms", "predict"]

COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter")
"""What the model covers."""

_KIB = 1024.0
_RING_SLOT = 512 * _KIB
_TREE_SLOT = 8192 * _KIB
_LOCAL_SLOT = 1024 * _KIB
_HEADS = 8  # GPUs behind the switches that `nvls_fill` is for
_USUAL_NEAR = 0.5  # us over NVSwitch, part of the constant `hop`

Times = NDArray[np.float64]


def _together(latency: Times | float, sending: Times, exponent: float) -> Times:
    """Add latency and sending; below 1 a pipeline fills on top of both, above 1 they overlap."""
    found: Times = (latency**exponent + sending**exponent) ** (1 / exponent)
    return found


def _doublings(size: Times, first: float, last: float) -> Times:
    """How often a size doubles from `first` on, up to `last`."""
    found: Times = np.log2(1 + np.minimum(size, last) / first)
    return found


def _inside(
    layout: Layout, row: int, collective: str, n: Times, c: Mapping[str, float], wire: float
) -> dict[str, Times]:
    """Time the ways within one machine, in us."""
    p, twice = layout.ranks, 2 if collective == "all_reduce" else 1
    hop = c["hop"] + max(0.0, layout.near * 1e6 - _USUAL_NEAR)
    steps, sent = twice * (p - 1), n * twice * (p - 1) / p
    growth = c["local_growth"] * _doublings(n, 64.0, _LOCAL_SLOT)
    found = {
        "ring, low latency": c["launch"] + steps * hop + growth + sent / (wire * c["fast_share"]),
        "ring": _together(
            c["launch"] + steps * (c["simple_hop"] + hop - c["hop"]),
            sent / (wire * c["ring_share"]),
            c["local_overlap"],
        ),
    }
    if collective == "all_reduce" and layout.switched and NVLS_EFFICIENCY[row] > 0:
        rate = wire * c["nvls_share"] * NVLS_EFFICIENCY[row]
        fill = c["launch"] + c["nvls_fill"] * p / _HEADS
        found["nvls"] = _together(fill, n * (1 + 1 / p) / rate, c["local_overlap"])
    return found


def _across(
    layout: Layout, row: int, collective: str, n: Times, c: Mapping[str, float], wire: float
) -> dict[str, Times]:
    """Time the ways over several machines, in us."""
    p, nodes, seats = layout.ranks, layout.nodes, layout.per_node
    twice = 2 if collective == "all_reduce" else 1
    hop = c["hop"] + max(0.0, layout.near * 1e6 - _USUAL_NEAR)
    message = c["message"] + layout.far * 1e6
    growth, ports = c["growth"] * message, layout.node_rate / 1e6 * c["share"]
    local = wire if seats > 1 else np.inf
    waits = max((p - nodes) * hop + (nodes - 1) * message, (p - 1) * c["gap"] * message)
    slower = (p - 1) * growth * c["ring_growth"] * _doublings(n / p, 2 * _KIB, _RING_SLOT)
    found = {
        "ring": _together(
            c["launch"] + twice * (waits + slower),
            n * twice * (p - 1) / p / min(local * c["ring_share"], ports),
            c["overlap"],
        )
    }
    return found if collective != "all_reduce" else found | _trees(layout, row, n, c, wire)


def _trees(layout: Layout, row: int, n: Times, c: Mapping[str, float], wire: float) -> dict[str, Times]:
    """Time an all-reduce over several machines by trees, in us."""
    nodes, seats = layout.nodes, layout.per_node
    hop = c["hop"] + max(0.0, layout.near * 1e6 - _USUAL_NEAR)
    message, ports = c["message"] + layout.far * 1e6, layout.node_rate / 1e6 * c["share"]
    local = wire if seats > 1 else np.inf
    levels, copies = nodes.bit_length() - 1, 1 if nodes == 2 else 2
    climb = levels * message * (1 + c["growth"] * _doublings(n, 2 * _KIB, _TREE_SLOT))
    rate = min(local * c["ring_share"] * c["tree_share"] / 2, ports * c["tree_port_share"] / copies)
    found = {"tree": c["launch"] + 2 * ((seats - 1) * hop + climb) + n / rate}
    if layout.switched and seats > 1 and NVLS_EFFICIENCY[row] > 0:
        rate = min(wire * c["nvls_share"] * NVLS_EFFICIENCY[row] / (1 + 1 / seats), ports / copies)
        fill = c["launch"] + c["nvls_fill"] * seats / _HEADS
        found["nvls_tree"] = _together(fill + 2 * climb, n / rate, c["local_overlap"])
    return found


def mechanisms(
    layout: Layout,
    collective: str,
    sizes: NDArray[np.float64],
    constants: Mapping[str, float],
    generation: str | None = None,
) -> dict[str, Times]:
    """Time of every way that NCCL has to run a collective.

    Parameters
    ----------
    layout : Layout
        Of two ranks or more.
    collective : {"all_reduce", "all_gather", "reduce_scatter"}
    sizes : ndarray of float64, shape (N,), B
        As nccl-tests counts them.
    constants : mapping from str to float
        As `Constants.of` gives them: latencies in us.
    generation : str, optional
        Of NVLink. Default: the nearest to the rate of a rank.

    Returns
    -------
    dict from str to ndarray of float64, shape (N,), s

    Notes
    -----
    Latencies and bytes over rates: a ring takes 2(p-1) steps for an all-reduce and p-1 otherwise, a tree
    2 log2(nodes) messages over the network, reduction in NVSwitches one pass. Over the network a rank
    sends no sooner than `gap` after its last message, and a message takes `growth` longer with each
    doubling of its size, as NCCL goes from protocol LL over LL128 to Simple and spreads it over channels.
    Latency L and sending time X make ``(L**q + X**q)**(1/q)``.
    """
    kind = layout.generation if generation is None else generation
    row = ROWS.index(kind) if kind in ROWS else 1
    wire = layout.local_rate / 1e6
    where = _inside if layout.nodes == 1 else _across
    found = where(layout, row, collective, np.asarray(sizes, dtype=np.float64), constants, wire)
    return {name: times * 1e-6 for name, times in found.items()}


def predict(
    layout: Layout,
    collective: str,
    sizes: NDArray[np.float64],
    constants: Mapping[str, float],
    generation: str | None = None,
) -> Times:
    """Time of a collective when NCCL picks its best way.

    Parameters
    ----------
    layout, collective, sizes, constants, generation
        As in `mechanisms`.

    Returns
    -------
    ndarray of float64, shape (N,), s

    Examples
    --------
    One DGX H100, 8 B and 1 GiB; measured: 13.7 us and 4029 us.

    >>> from topo_sim.topo.files import load_fabric
    >>> machine, known = layout_of(load_fabric("dgx-h100")), prior_constants().of("infiniband")
    >>> times = predict(machine, "all_reduce", np.array([8, 2.0**30]), known)
    >>> [round(float(t) * 1e6) for t in times]
    [15, 4046]
    """
    if layout.ranks == 1:
        return np.zeros(len(sizes))
    times: Times = np.min(list(mechanisms(layout, collective, sizes, constants, generation).values()), axis=0)
    return times


def check_collective(collective: str) -> None:
    """Refuse a collective that the model does not cover.

    Parameters
    ----------
    collective : str

    Raises
    ------
    CollectiveError
    """
    if collective not in COLLECTIVES:
        raise CollectiveError(
            f"cost model calibrated: found {collective}, expected one of {', '.join(COLLECTIVES)}"
        )


def _constants(wanted: Any) -> Constants:
    if isinstance(wanted, Constants):
        return wanted
    known = {"shipped": shipped_constants, "prior": prior_constants}
    if wanted not in known:
        raise UsageError(f"constants: found {wanted!r}, expected shipped, prior or a Constants")
    return known[wanted]()


def _evaluate(
    schedule: Schedule, fabric: Fabric, sizes: NDArray[np.float64], **settings: Any
) -> NDArray[np.float64]:
    collective, kind = schedule.collective.name, settings["generation"]
    check_collective(collective)
    if kind is not None and kind not in (*GENERATIONS, "pcie"):
        raise UsageError(f"generation: found {kind!r}, {nearest(str(kind), (*GENERATIONS, 'pcie'))}")
    layout = layout_of(fabric, schedule.ranks, settings["per_node"])
    known = _constants(settings["constants"]).of(network_of(fabric.name, settings["network"]))
    if schedule.ranks == 1:
        return np.zeros(len(sizes))
    table = mechanisms(layout, collective, sizes, known, kind)
    family = settings["algorithm"] or FAMILIES.get(schedule.algorithm, schedule.algorithm)
    rows = [t for name, t in table.items() if family == "auto" or name.partition(",")[0] == family]
    if not rows:
        names = ", ".join(sorted({name.partition(",")[0] for name in table}))
        raise CollectiveError(
            f"cost model calibrated: found {collective} by {family}, expected one of {names} on "
            f'{fabric.name}, or the setting algorithm="auto"'
        )
    times: NDArray[np.float64] = np.min(rows, axis=0)
    return times


calibrated = register(
    CostModel(
        name="calibrated",
        summary="NCCL's algorithms with a few latencies and wire shares fitted to measurements",
        evaluate=_evaluate,
        reference="docs/models/calibration.md",
        settings={
            "algorithm": None,
            "network": None,
            "constants": "shipped",
            "per_node": None,
            "generation": None,
        },
    )
)
"""A schedule's family (ring, tree, nvls) chooses the mechanism; "auto" takes the quickest."""
