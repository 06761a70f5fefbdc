"""Bandwidth and latency of one algorithm and protocol in NCCL's model."""

from dataclasses import dataclass

from topo_sim.collectives.models import nccl_tables as tables
from topo_sim.collectives.models.layout import Layout
from topo_sim.collectives.models.nccl_channels import Channels

__all__ = ["Setting", "bandwidth", "latency", "supports"]

_RUNS = {
    "all_reduce": ("tree", "ring", "collnet_direct", "collnet_chain", "nvls", "nvls_tree"),
    "all_gather": ("ring", "collnet_direct", "nvls", "pat"),
    "reduce_scatter": ("ring", "collnet_direct", "nvls", "pat"),
    "broadcast": ("ring",),
}


@dataclass(frozen=True)
class Setting:
    """What NCCL knows when it picks.

    Parameters
    ----------
    layout : Layout
    generation : str
        Of NVLink, or "pcie".
    channels : Channels
    latency_inter : float, us
        What the network adds to a message.
    cpu : {"intel", "amd", "other"}
    collnet : bool
        Whether the network's switches reduce.
    """

    layout: Layout
    generation: str
    channels: Channels
    latency_inter: float
    cpu: str
    collnet: bool

    @property
    def row(self) -> int:
        """Row of tables by generation; machines without NVLink count as Ampere."""
        return tables.GENERATIONS.index(self.generation) if self.generation != "pcie" else 1

    @property
    def column(self) -> int:
        """Column of tables by nodes: one, two, more."""
        return min(self.layout.nodes, 3) - 1


def supports(collective: str, algorithm: str) -> bool:
    """Whether NCCL has an algorithm for a collective.

    Parameters
    ----------
    collective, algorithm : str

    Returns
    -------
    bool

    Examples
    --------
    >>> supports("all_gather", "ring"), supports("all_gather", "tree")
    (True, False)
    """
    return algorithm in _RUNS.get(collective, ())


def _steps(collective: str, ranks: int) -> int:
    return {"all_reduce": 2 * (ranks - 1), "broadcast": ranks}.get(collective, ranks - 1)


def _available(setting: Setting, collective: str, algorithm: str, protocol: str) -> bool:
    layout = setting.layout
    if not supports(collective, algorithm) or layout.ranks < 2:
        return False
    if algorithm not in ("tree", "ring") and protocol != "simple":
        return False
    if protocol == "ll128" and setting.generation == "pcie":
        return False
    if algorithm.startswith("collnet"):
        return setting.collnet and layout.nodes > 1
    if algorithm == "pat":
        return layout.per_node == 1
    if algorithm in ("nvls", "nvls_tree"):
        able = tables.NVLS_EFFICIENCY[setting.row] > 0 and layout.switched and layout.per_node > 1
        across = layout.nodes > 1
        fits = across if algorithm == "nvls_tree" else not across or setting.collnet
        return able and fits and setting.channels.count >= 2
    return True


def _tree_rate(setting: Setting, bus: float, protocol: str) -> float:
    """Bus bandwidth of a balanced tree."""
    count, row, column = setting.channels.count, setting.row, setting.column
    bus = min(0.92 * bus, count * tables.PER_CHANNEL["tree"][row][column])
    if protocol == "ll":
        return min(bus / 3.8, _ll_most(setting))
    if protocol == "ll128":
        share = 7 / 9 if setting.layout.nodes == 1 else 120 / 128
        return min(bus * share, count * tables.PER_CHANNEL["tree_ll128"][row][column])
    return bus


def _ll_most(setting: Setting) -> float:
    """Most that protocol LL carries: by generation on one node, by processor across nodes."""
    row = setting.row if setting.layout.nodes == 1 else int(setting.cpu == "amd")
    return tables.LL_MOST[row][setting.column]


def _nvls_rate(setting: Setting, collective: str, algorithm: str) -> float:
    lanes, layout = setting.channels, setting.layout
    count = lanes.count
    intra = lanes.intra * tables.NVLS_EFFICIENCY[setting.row] * (count - 1) / count
    intra *= 2 if collective == "all_reduce" else (layout.per_node - 1) / layout.per_node
    found = intra
    if layout.nodes > 1:
        found = min(found, lanes.inter * (2 if algorithm == "nvls_tree" and layout.nodes <= 2 else 1))
    if algorithm == "nvls_tree":
        found = min(found, tables.PER_CHANNEL["nvls_tree"][setting.row][setting.column])
    return found * count


def _collnet_rate(setting: Setting, bus: float, collective: str, algorithm: str) -> float:
    lanes, seats = setting.channels, setting.layout.per_node
    if algorithm == "collnet_chain":
        return bus
    if collective != "all_reduce":
        return seats * min(lanes.intra, 0.9 * lanes.inter)
    factor = seats / lanes.count
    factor -= (factor - 1) / 2
    return bus / factor * (0.85 if setting.row >= 2 else 1.0)


def bandwidth(setting: Setting, collective: str, algorithm: str, protocol: str) -> float:
    """Algorithm bandwidth.

    Parameters
    ----------
    setting : Setting
    collective, algorithm, protocol : str

    Returns
    -------
    float, GB/s
        0 where NCCL cannot run it.

    References
    ----------
    NVIDIA/nccl at 5067397c, ``src/graph/tuning.cc`` lines 243-382.
    """
    if not _available(setting, collective, algorithm, protocol):
        return 0.0
    layout, lanes = setting.layout, setting.channels
    inner = (layout.nodes <= 2 and algorithm != "ring") or algorithm.startswith("collnet")
    bus = lanes.count * (lanes.intra if inner else lanes.inter)
    if algorithm == "ring" and protocol == "ll":
        bus = min(_ll_most(setting), 0.5 * bus)
    elif algorithm == "ring" and protocol == "ll128":
        most = tables.PER_CHANNEL["ring_ll128"][setting.row][setting.column]
        bus = min(0.92 * bus, lanes.count * most)
    elif algorithm == "tree":
        bus = _tree_rate(setting, bus, protocol)
    elif algorithm in ("nvls", "nvls_tree"):
        bus = _nvls_rate(setting, collective, algorithm)
    elif algorithm == "pat":
        bus *= 0.75
    elif algorithm.startswith("collnet"):
        bus = _collnet_rate(setting, bus, collective, algorithm)
    if algorithm != "ring" and collective in ("all_gather", "reduce_scatter"):
        return bus
    if algorithm in ("ring", "nvls", "nvls_tree"):
        return bus * layout.ranks / _steps(collective, layout.ranks)
    return 0.5 * bus


def latency(setting: Setting, collective: str, algorithm: str, protocol: str) -> float:
    """Time that does not depend on the size.

    Parameters
    ----------
    setting : Setting
    collective, algorithm, protocol : str
        A combination that NCCL can run.

    Returns
    -------
    float, us

    References
    ----------
    NVIDIA/nccl at 5067397c, ``src/graph/tuning.cc`` lines 228-233 and 384-438.
    """
    layout, p = setting.layout, tables.PROTOCOLS.index(protocol)
    local = tables.PCI_LATENCY if setting.generation == "pcie" else tables.NVLINK_LATENCY
    row = "tree" if layout.per_node == 1 else algorithm
    base, intra = tables.BASE_LATENCY[algorithm][p], local[algorithm][p]
    inter = tables.NETWORK_LATENCY[row][p] + setting.latency_inter * (2 if protocol == "simple" else 1)
    levels, seats, nodes = layout.nodes.bit_length() - 1, layout.per_node, layout.nodes
    if algorithm == "ring":
        return base + _ring_latency(setting, collective, protocol, intra, inter)
    if algorithm == "tree":
        return base + 2 * ((seats - 1) * intra + levels * inter)
    if algorithm == "collnet_direct":
        return base + 2 * (min(1, seats - 1) * intra + 0.4 * (seats - 1)) + inter
    if algorithm == "collnet_chain":
        return base + 2 * (seats - 1) * intra + inter
    if algorithm == "nvls":
        return base + intra + (inter if nodes > 1 else 0)
    if algorithm == "nvls_tree":
        return base + intra + 2 * levels * inter
    return base + levels * inter / 3.5 + 2.8 * layout.ranks


def _ring_latency(setting: Setting, collective: str, protocol: str, intra: float, inter: float) -> float:
    layout = setting.layout
    if collective == "broadcast":  # every channel has the same order
        if protocol == "simple":
            p = tables.PROTOCOLS.index(protocol)
            pci = setting.generation == "pcie"
            intra = (tables.PCI_LATENCY if pci else tables.NVLINK_LATENCY)["tree"][p]
            inter = tables.NETWORK_LATENCY["tree"][p] + 2 * setting.latency_inter
        return intra if layout.nodes == 1 else inter
    steps = _steps(collective, layout.ranks)
    crossings = 0
    if layout.nodes > 1:
        crossings = (2 if collective == "all_reduce" else 1) * (layout.nodes - 1)
    post = 0.0 if layout.nodes == 1 else 2.0 if setting.cpu == "amd" else 1.0
    post *= 3 if protocol == "simple" else 1
    return (steps - crossings) * max(intra, post) + crossings * inter
