"""Switched fabrics: one switch, leaf-spine, fat-tree and folded Clos of any depth."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from topo_sim.base import Rate, Time
from topo_sim.topo.fabric import GPU, SWITCH
from topo_sim.topo.generators.common import (
    Cables,
    Parts,
    as_tuple,
    check_size,
    generator,
    is_count,
    port_rate,
    read,
    reductions,
    require,
)
from topo_sim.topo.structure import Clos

__all__ = ["fat_tree", "leaf_spine", "single_switch"]


def _bisection(clos: Clos, rates: Sequence[float]) -> float | None:
    """Smallest cut over even halves made of whole top-level subtrees, B/s one way.

    Notes
    -----
    Cutting level i of one half costs E_i/2 cables, so the least is min over levels of c_i*E_i/2
    (topologies.md, XGFT row). With an odd number of top-level subtrees there is no such half.
    """
    if len(clos.down) == 1:
        return rates[0] * clos.up[0] * (clos.endpoints // 2)
    if clos.down[-1] % 2:
        return None
    return min(rate * cables / 2 for rate, cables in zip(rates, clos.cables, strict=True))


def _names(clos: Clos, tiers: Sequence[str]) -> Callable[[], list[str]]:
    return lambda: [f"{t}{i}" for t, n in zip(tiers, clos.level_sizes, strict=True) for i in range(n)]


def _parts(
    clos: Clos, tiers: Sequence[str], rates: Sequence[float], latency: float, medium: str, reduces: str | None
) -> Parts:
    check_size(sum(clos.cables), clos.endpoints)
    kind = np.full(sum(clos.level_sizes), SWITCH, dtype=np.int8)
    kind[: clos.endpoints] = GPU
    links = [
        Cables(*clos.cable_ends(level), bandwidth=rate, latency=latency, medium=medium)
        for level, rate in enumerate(rates)
    ]
    return Parts(
        kind=kind,
        links=links,
        names=_names(clos, tiers),
        structure=clos,
        exact_bisection=_bisection(clos, rates),
        reduces=reductions(kind, reduces),
    )


@generator("single_switch")
def single_switch(
    endpoints: int = 8,
    *,
    planes: int = 1,
    bandwidth: Rate = "50 GB/s",
    endpoint_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
    reduces: Literal["nvls", "sharp"] | None = None,
) -> Parts:
    """Every endpoint on one ideal switch, or on each of several parallel ones.

    Parameters
    ----------
    endpoints : int
        Number of endpoints.
    planes : int
        Parallel switches; each endpoint has one cable to each.
    bandwidth : float or str, B/s
        Of one cable, per direction.
    endpoint_bandwidth : float or str, B/s, optional
        Of all cables of an endpoint together; replaces `bandwidth`.
    latency : float or str, s
        Of one link.
    medium : str
        What the cables are made of.
    reduces : {"nvls", "sharp"}, optional
        How the switches can combine what endpoints send; see `Fabric`. Default: not at all.

    Returns
    -------
    Fabric

    Examples
    --------
    >>> single_switch(8, planes=4, endpoint_bandwidth="450 GB/s").capacity[0]
    np.float64(112500000000.0)
    """
    require(
        (is_count(endpoints), f"endpoints: found {endpoints!r}, expected an integer of at least 1"),
        (is_count(planes), f"planes: found {planes!r}, expected an integer of at least 1"),
    )
    clos = Clos(down=(endpoints,), up=(planes,), trunk=(1,))
    rate = port_rate(bandwidth, endpoint_bandwidth, planes)
    return _parts(clos, ("gpu", "switch"), [rate], read("latency", latency), medium, reduces)


@generator("leaf_spine")
def leaf_spine(
    leaves: int = 4,
    endpoints_per_leaf: int = 4,
    spines: int = 4,
    *,
    trunk: int = 1,
    bandwidth: Rate = "50 GB/s",
    uplink_bandwidth: Rate | None = None,
    latency: Time = "500 ns",
    medium: str = "copper",
    reduces: Literal["nvls", "sharp"] | None = None,
) -> Parts:
    """Two tiers: every leaf joined to every spine.

    Parameters
    ----------
    leaves, endpoints_per_leaf, spines : int
        Sizes.
    trunk : int
        Parallel cables from each leaf to each spine.
    bandwidth : float or str, B/s
        Of an endpoint's cable, per direction.
    uplink_bandwidth : float or str, B/s, optional
        Of a cable between leaf and spine. Default: `bandwidth`.
    latency : float or str, s
        Of one link.
    medium : str
        What the cables are made of.
    reduces : {"nvls", "sharp"}, optional
        How the switches can combine what endpoints send; see `Fabric`. Default: not at all.

    Returns
    -------
    Fabric

    Examples
    --------
    >>> leaf_spine(8, 8, 4)
    <Fabric leaf_spine(leaves=8, endpoints_per_leaf=8, spines=4): 64 endpoints, 12 switches, 96 cables>
    """
    sizes = {"leaves": leaves, "endpoints_per_leaf": endpoints_per_leaf, "spines": spines, "trunk": trunk}
    require(
        *((is_count(v), f"{k}: found {v!r}, expected an integer of at least 1") for k, v in sizes.items())
    )
    clos = Clos(down=(endpoints_per_leaf, leaves), up=(1, spines), trunk=(1, trunk))
    rate = read("bandwidth", bandwidth)
    up = rate if uplink_bandwidth is None else read("uplink_bandwidth", uplink_bandwidth)
    return _parts(clos, ("gpu", "leaf", "spine"), [rate, up], read("latency", latency), medium, reduces)


@generator("fat_tree")
def fat_tree(
    k: int | None = None,
    *,
    levels: int = 3,
    oversubscription: int | Sequence[int] = 1,
    down: Sequence[int] | None = None,
    up: Sequence[int] | None = None,
    bandwidth: Rate | Sequence[Rate] = "50 GB/s",
    latency: Time = "500 ns",
    medium: str = "copper",
    reduces: Literal["nvls", "sharp"] | None = None,
) -> Parts:
    """k-ary fat-tree or folded Clos of any depth, with oversubscription at any level.

    Parameters
    ----------
    k : int, optional
        Ports per switch, even; makes ``2 (k/2)**levels`` endpoints. Default 4, unless `down` is given.
    levels : int
        Tiers of switches.
    oversubscription : int or sequence of int
        Down ports per up port in tiers 1 to ``levels - 1``; must divide k/2.
    down, up : sequence of int, optional
        Instead of `k`: children per switch of tiers 1 to h, and parents per node of tiers 0 to h-1
        (the first is the endpoints' own number of cables).
    bandwidth : float or str, or a sequence of them, B/s
        Per cable and direction: one for all, or one per tier from the endpoints up.
    latency : float or str, s
        Of one link.
    medium : str
        What the cables are made of.
    reduces : {"nvls", "sharp"}, optional
        How the switches can combine what endpoints send; see `Fabric`. Default: not at all.

    Returns
    -------
    Fabric

    Notes
    -----
    The 3-level k-ary tree has k^3/4 endpoints, 5k^2/4 switches and 3k^3/4 cables.

    References
    ----------
    Al-Fares, Loukissas, Vahdat, "A scalable, commodity data center network architecture", SIGCOMM 2008.

    Examples
    --------
    >>> fat_tree(4)
    <Fabric fat_tree(k=4): 16 endpoints, 20 switches, 48 cables>
    >>> fat_tree(down=(8, 8, 4), up=(1, 8, 8)).switches
    128
    """
    clos = (
        _explicit_tree(k, down, up)
        if down is not None or up is not None
        else _tree(k, levels, oversubscription)
    )
    check_size(sum(clos.cables), clos.endpoints)
    tiers = len(clos.down)
    per_tier = as_tuple("bandwidth", bandwidth, alone=tiers)
    require((len(per_tier) == tiers, f"bandwidth: found {len(per_tier)} values, expected 1 or {tiers}"))
    rates = [read("bandwidth", value) for value in per_tier]
    names = (
        ("gpu", "edge", "aggregation", "core")
        if tiers == 3
        else ("gpu", *(f"t{t}." for t in range(1, tiers + 1)))
    )
    return _parts(clos, names, rates, read("latency", latency), medium, reduces)


def _tree(k: int | None, levels: int, oversubscription: int | Sequence[int]) -> Clos:
    k = 4 if k is None else k
    require(
        (is_count(k, 2) and k % 2 == 0, f"k: found {k!r}, expected an even number of at least 2"),
        (is_count(levels) and levels <= 16, f"levels: found {levels!r}, expected an integer from 1 to 16"),
    )
    ratios = as_tuple("oversubscription", oversubscription, alone=levels - 1)
    require(
        (
            len(ratios) == levels - 1,
            f"oversubscription: found {len(ratios)} values, expected 1 or {levels - 1}",
        ),
        *(
            (
                is_count(ratio) and (k // 2) % ratio == 0,
                f"oversubscription: found {ratio!r}, expected a divisor of k/2 = {k // 2}",
            )
            for ratio in ratios
        ),
    )
    half = k // 2
    up = (1, *(half // ratio for ratio in ratios))
    return Clos(down=(half,) * (levels - 1) + (k,), up=up, trunk=(1,) * levels)


def _explicit_tree(k: int | None, down: Sequence[int] | None, up: Sequence[int] | None) -> Clos:
    if down is None or up is None:
        missing, given = ("down", "up") if down is None else ("up", "down")
        require((False, f"{missing}: missing, expected beside {given}"))
        raise AssertionError
    down, up = as_tuple("down", down), as_tuple("up", up)
    require(
        (k is None, f"k: found {k!r}, expected either k, or down and up"),
        (1 <= len(down) <= 16, f"down: found {len(down)} values, expected 1 to 16"),
        (len(up) == len(down), f"up: found {len(up)} values, expected {len(down)} as in down"),
        *((is_count(n), f"down: found {n!r}, expected integers of at least 1") for n in down),
        *((is_count(n), f"up: found {n!r}, expected integers of at least 1") for n in up),
    )
    return Clos(down=tuple(down), up=tuple(up), trunk=(1,) * len(down))
