"""NCCL's own model of time, by which it picks algorithm and protocol."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import CollectiveError, UsageError, nearest
from topo_sim.collectives.collective import COLLECTIVES
from topo_sim.collectives.models import nccl_tables as tables
from topo_sim.collectives.models.layout import Layout, layout_of
from topo_sim.collectives.models.nccl_channels import Channels, find_channels
from topo_sim.collectives.models.nccl_terms import Setting, bandwidth, latency, supports
from topo_sim.collectives.models.registry import CostModel, register
from topo_sim.collectives.schedule import Schedule
from topo_sim.topo import Fabric

__all__ = ["Choice", "nccl", "setting_of", "time_of", "tune"]

FAMILIES = {
    "ring": "ring",
    "bidirectional_ring": "ring",
    "binomial_tree": "tree",
    "double_binary_tree": "tree",
    "pipelined_tree": "tree",
    "tree": "tree",
    "in_switch": "nvls",
    "nvls": "nvls",
    "nvls_tree": "nvls_tree",
    "pat": "pat",
    "collnet_direct": "collnet_direct",
    "collnet_chain": "collnet_chain",
}
"""What NCCL calls the algorithms of the library; those it lacks are missing."""


@dataclass(frozen=True)
class Choice:
    """What NCCL would run at a size.

    Parameters
    ----------
    collective : str
    size : float, B
    algorithm, protocol : str
        As in `nccl_tables`; empty where there is nothing to do (one rank).
    channels : int
    nodes, ranks : int
    time : float, s
        What its model says.
    """

    collective: str
    size: float
    algorithm: str
    protocol: str
    channels: int
    nodes: int
    ranks: int
    time: float


def setting_of(
    fabric: Fabric,
    ranks: int | None = None,
    *,
    per_node: int | None = None,
    generation: str | None = None,
    latency_inter: float | None = None,
    cpu: str = "intel",
    collnet: bool = False,
    channels: int | None = None,
) -> Setting:
    """Work out what NCCL would know about the first ranks of a fabric.

    Parameters
    ----------
    fabric : Fabric
    ranks : int, optional
        Default: all.
    per_node : int, optional
        Ranks per machine. Default: seen from the fabric.
    generation : str, optional
        Of NVLink: volta, ampere, hopper, blackwell, or pcie. Default: the nearest to the rate of a rank.
    latency_inter : float, s, optional
        What the network adds to each message. Default: the latency of the fabric's links between machines.
    cpu : {"intel", "amd", "other"}
        Of the hosts.
    collnet : bool
        Whether the network's switches reduce.
    channels : int, optional
        Use this many, sharing the same total rate.

    Returns
    -------
    Setting

    Raises
    ------
    UsageError
        If a value is unknown or out of range.
    CollectiveError
        If the fabric has not so many ranks.
    """
    layout = layout_of(fabric, ranks, per_node)
    known = (*tables.GENERATIONS, "pcie")
    kind = layout.generation if generation is None else generation
    if kind not in known:
        raise UsageError(f"generation: found {kind!r}, {nearest(str(kind), known)}")
    if cpu not in ("intel", "amd", "other"):
        raise UsageError(f"cpu: found {cpu!r}, expected intel, amd or other")
    extra = layout.far if latency_inter is None else latency_inter
    if isinstance(extra, bool) or not isinstance(extra, (int, float)) or not 0 <= extra < np.inf:
        raise UsageError(f"latency_inter: found {extra!r}, expected seconds of 0 or more")
    lanes = find_channels(layout, kind)
    if channels is not None:
        if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
            raise UsageError(f"channels: found {channels!r}, expected a whole number of 1 or more")
        share = lanes.count / channels
        lanes = Channels(channels, lanes.intra * share, lanes.inter * share)
    return Setting(layout, kind, lanes, extra * 1e6, cpu, collnet)


def time_of(
    setting: Setting, collective: str, algorithm: str, protocol: str, sizes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Time one algorithm with one protocol.

    Parameters
    ----------
    setting : Setting
    collective, algorithm, protocol : str
    sizes : ndarray of float64, shape (N,), B

    Returns
    -------
    ndarray of float64, shape (N,), s
        Infinite where NCCL cannot run it.

    Notes
    -----
    ``latency + bytes / algbw``, with the factors that NCCL keeps by size: a ring's latency over several
    nodes is 1.4 times as long (before Ampere 1.9) from 64 B per channel and rank on, and a tree's
    bandwidth is multiplied by a table.
    """
    rate = bandwidth(setting, collective, algorithm, protocol)
    if not rate > 0:
        return np.full(len(sizes), np.inf)
    delay = np.full(len(sizes), latency(setting, collective, algorithm, protocol))
    speed = np.full(len(sizes), rate)
    layout, which = setting.layout, tables.PROTOCOLS.index(protocol)
    old = setting.generation == "volta"
    if algorithm == "ring" and protocol == "simple" and layout.nodes > 1 and collective == "all_reduce":
        delay[sizes / (setting.channels.count * layout.ranks) >= 64] *= 1.9 if old else 1.4
    index = np.floor(np.log2(np.maximum(sizes, 1e-9) / 64))
    last = {"tree": 22, "nvls_tree": 23 if setting.generation == "blackwell" else -1}.get(algorithm, -1)
    if collective == "all_reduce" and last >= 0:
        hit = (index >= 0) & (index <= last)
        factors = np.array(tables.TREE_CORRECTION[which])
        speed[hit] *= factors[index[hit].astype(np.int64)]
    times: NDArray[np.float64] = (delay + sizes / (1000 * speed)) * 1e-6
    return times


def _table(
    setting: Setting, collective: str, sizes: NDArray[np.float64]
) -> dict[tuple[str, str], NDArray[np.float64]]:
    return {
        (a, p): time_of(setting, collective, a, p, sizes) for a in tables.ALGORITHMS for p in tables.PROTOCOLS
    }


def _covered(collective: str) -> None:
    COLLECTIVES[collective]
    if not any(supports(collective, a) for a in tables.ALGORITHMS):
        raise CollectiveError(
            f"cost model nccl: found {collective}, expected one that NCCL tunes: "
            "all_gather, all_reduce, broadcast or reduce_scatter"
        )


def tune(
    collective: str, fabric: Fabric, sizes: ArrayLike, ranks: int | None = None, **settings: Any
) -> tuple[Choice, ...]:
    """Pick algorithm and protocol as NCCL's tuner does.

    Parameters
    ----------
    collective : str
    fabric : Fabric
    sizes : array_like of float, shape (N,), B
        As nccl-tests counts them.
    ranks : int, optional
        The first so many endpoints. Default: all.
    **settings
        As `setting_of` takes them.

    Returns
    -------
    tuple of Choice
        One for each size: the least time of NCCL's model.

    Raises
    ------
    UsageError, CollectiveError
        If a size is negative or not finite, or NCCL does not tune the collective.

    Examples
    --------
    >>> from topo_sim.topo.files import load_fabric
    >>> [(c.algorithm, c.protocol) for c in tune("all_reduce", load_fabric("dgx-h100"), [8, 2**30])]
    [('ring', 'll'), ('nvls', 'simple')]
    """
    _covered(collective)
    wanted = np.atleast_1d(np.asarray(sizes, dtype=np.float64))
    if not np.all(np.isfinite(wanted) & (wanted >= 0)):
        raise UsageError("sizes: found a negative, infinite or NaN size, expected bytes of 0 or more")
    setting = setting_of(fabric, ranks, **settings)
    layout = setting.layout
    count = setting.channels.count
    if layout.ranks == 1:
        return tuple(Choice(collective, n, "", "", 0, 1, 1, 0.0) for n in wanted.tolist())
    table = _table(setting, collective, wanted)
    names: list[tuple[str, str]] = list(table)
    rows = np.array(list(table.values()))
    best = rows.argmin(axis=0)
    return tuple(
        Choice(collective, n, names[i][0], names[i][1], count, layout.nodes, layout.ranks, float(rows[i, j]))
        for j, (n, i) in enumerate(zip(wanted.tolist(), best.tolist(), strict=True))
    )


def _evaluate(
    schedule: Schedule, fabric: Fabric, sizes: NDArray[np.float64], **settings: Any
) -> NDArray[np.float64]:
    collective = schedule.collective.name
    _covered(collective)
    algorithm, protocol = settings.pop("algorithm"), settings.pop("protocol")
    if algorithm is None:
        algorithm = FAMILIES.get(schedule.algorithm, "")
        if not algorithm:
            raise CollectiveError(
                f"cost model nccl: found {collective}/{schedule.algorithm}, expected an algorithm that NCCL "
                f'has ({", ".join(sorted(FAMILIES))}), or the setting algorithm="auto"'
            )
    for what, found, known in (
        ("algorithm", algorithm, tables.ALGORITHMS),
        ("protocol", protocol, tables.PROTOCOLS),
    ):
        if found != "auto" and found not in known:
            raise UsageError(f"{what}: found {found!r}, {nearest(str(found), ('auto', *known))}")
    setting = setting_of(fabric, schedule.ranks, **settings)
    if schedule.ranks == 1:
        return np.zeros(len(sizes))
    table = _table(setting, collective, sizes)
    rows = [row for (a, p), row in table.items() if algorithm in ("auto", a) and protocol in ("auto", p)]
    times: NDArray[np.float64] = np.min(rows, axis=0)
    if not np.all(np.isfinite(times)):
        raise CollectiveError(
            f"cost model nccl: {collective} by {algorithm} with protocol {protocol} does not run on "
            f"{layout_text(setting.layout)} of {setting.generation}, expected another algorithm or protocol"
        )
    return times


def layout_text(layout: Layout) -> str:
    """Say how many nodes of how many ranks a layout has.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    str
    """
    nodes = f"{layout.nodes} node{'' if layout.nodes == 1 else 's'}"
    return f"{nodes} with {layout.per_node} rank{'' if layout.per_node == 1 else 's'} each"


nccl = register(
    CostModel(
        name="nccl",
        summary="the tuning model of NCCL: its latencies and bandwidths by algorithm, protocol and channels",
        evaluate=_evaluate,
        reference="NVIDIA/nccl 2.30.7 at 5067397c, src/graph/tuning.cc",
        settings={
            "algorithm": None,
            "protocol": "auto",
            "per_node": None,
            "generation": None,
            "latency_inter": None,
            "cpu": "intel",
            "collnet": False,
            "channels": None,
        },
    )
)
"""NCCL's own estimate: right about order, not about microseconds; `calibrated` is fitted to measurements."""
