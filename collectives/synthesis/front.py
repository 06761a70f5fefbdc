"""The front door of synthesis: a schedule made for one fabric."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, Registry
from topo_sim.collectives.bounds import LowerBound, lower_bound
from topo_sim.collectives.cost import cost_profile
from topo_sim.collectives.router import Router
from topo_sim.collectives.schedule import Schedule, build_schedule
from topo_sim.collectives.step import Step
from topo_sim.collectives.synthesis.channels import make_channels
from topo_sim.collectives.synthesis.forest import RANKS_UP_TO, alike_backwards, find_forest, forest_steps
from topo_sim.collectives.synthesis.greedy import greedy_plan
from topo_sim.collectives.synthesis.schedules import plan_steps, to_schedule
from topo_sim.topo import Fabric, route

__all__ = ["SYNTHESIZED", "SYNTHESIZERS", "synthesize"]

SYNTHESIZED = ("all_gather", "reduce_scatter", "all_reduce")
GREEDY_CHUNKS = (1, 2, 4, 8)
ROUTINGS_TRIED = ("wcmp_split", "widest_split")
ENOUGH = 0.98
CLEARLY = 1.02
MOST_STATES = 2**31
MOST_SEGMENTS = 512
MOST_CHUNKS = 65_536
GREEDY_UP_TO = 70_000

Maker = Callable[[str, Fabric, int, float, int | None, int, str | None], Schedule]
SYNTHESIZERS: Registry[Maker] = Registry("synthesizer")
"""Ways to make a schedule for a fabric, by name."""


def _halves(collective: str) -> list[bool]:
    """Which ways data runs, one after the other: backwards is gathering by combining."""
    return [backwards for backwards, without in ((True, "all_gather"), (False, "reduce_scatter"))
            if collective != without]  # fmt: skip


@SYNTHESIZERS.register("greedy")
def _greedy(
    collective: str,
    fabric: Fabric,
    ranks: int,
    size: float,
    chunks: int | None,
    seed: int,
    routing: str | None,
) -> Schedule:
    """Fill rounds chunk by chunk, rarest first: few steps; `chunks` per rank."""
    count = chunks or 1
    steps: list[Step] = []
    for backwards in _halves(collective):
        plan = greedy_plan(
            fabric, ranks, chunks=count, size=size, seed=seed, backwards=backwards, routing=routing
        )
        steps += plan_steps(plan.backwards if backwards else plan, backwards)
    options = {"chunks": count, "seed": seed}
    return to_schedule(collective, "greedy", ranks, size, ranks * count, steps, options)


@SYNTHESIZERS.register("trees")
def _trees(
    collective: str,
    fabric: Fabric,
    ranks: int,
    size: float,
    chunks: int | None,
    seed: int,
    routing: str | None,
) -> Schedule:
    """Pack spanning trees at the rate of the optimum, pipelined: large sizes; `chunks` per tree."""
    ways = _halves(collective)
    forests = [(ways[0], find_forest(fabric, ranks, backwards=ways[0]))]
    for way in ways[1:]:
        same = alike_backwards(fabric, ranks)
        forests.append((way, forests[0][1] if same else find_forest(fabric, ranks, backwards=way)))
    trees = int(np.lcm.reduce([forest.trees for _, forest in forests]))
    forests = [(way, forest.times(trees // forest.trees)) for way, forest in forests]
    deepest = max(forest.depth for _, forest in forests)
    most = max(1, min(MOST_SEGMENTS, MOST_STATES // (ranks * trees * ranks * ranks)))
    hops = [forest.arcs[:, ::-1] if way else forest.arcs for way, forest in forests]
    arcs = np.unique(np.concatenate(hops), axis=0)
    latency = route(fabric, arcs[:, 0], arcs[:, 1], routing, seed=seed).sum(fabric.latency).max()
    # Least of (chunks + depth - 1) (latency + bytes / chunks / algbw).
    ideal = np.sqrt((deepest - 1) * size / float(forests[0][1].algbw) / latency) if latency else most
    count = chunks or int(np.clip(ideal, 1, most))
    steps = [step for way, forest in forests for step in forest_steps(forest, count, backwards=way)]
    options = {"chunks": count, "trees": trees, "depth": deepest}
    return to_schedule(collective, "trees", ranks, size, ranks * trees * count, steps, options)


Made = Callable[[str | None], Schedule]


def _makes(collective: str, fabric: Fabric, ranks: int, size: float, seed: int) -> Iterator[Made]:
    """Everything worth trying where nothing is asked for."""
    for count in GREEDY_CHUNKS:
        if count == 1 or (ranks * count) ** 2 <= GREEDY_UP_TO:
            yield partial(_greedy, collective, fabric, ranks, size, count, seed)
    if ranks <= RANKS_UP_TO // 2:
        yield _kept(partial(_trees, collective, fabric, ranks, size, None, seed))


def _kept(make: Made) -> Made:
    """Make trees once: they do not depend on the routing."""
    kept: list[Schedule] = []

    def once(routing: str | None) -> Schedule:
        if not kept:
            kept.append(make(routing))
        return kept[0]

    return once


def _routings(fabric: Fabric, ranks: int, seed: int) -> Iterator[str]:
    """List the fabric's own routing, and others that load the ways between neighbours otherwise."""
    yield fabric.routing
    known: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for name in (fabric.routing, *ROUTINGS_TRIED):
        try:
            channels = make_channels(fabric, ranks, name, seed)
        except CollectiveError:  # too many
            return
        row = np.repeat(np.arange(len(channels.source)), np.diff(channels.indptr))
        key = row * fabric.links + channels.links
        order = np.argsort(key, kind="stable")
        found = key[order], channels.share[order]
        new = not any(np.array_equal(found[0], k) and np.allclose(found[1], s) for k, s in known)
        if known and new:
            yield name
        if new:
            known.append(found)


def synthesize(
    collective: str,
    fabric: Fabric,
    ranks: int | None = None,
    *,
    size: float = 2.0**30,
    method: str | None = None,
    chunks: int | None = None,
    seed: int = 0,
    routing: str | None = None,
) -> Schedule:
    """Make a schedule for one fabric.

    Parameters
    ----------
    collective : {"all_gather", "reduce_scatter", "all_reduce"}
    fabric : Fabric
    ranks : int, optional
        The first so many endpoints. Default: all.
    size : float, B
        That it is made for, as nccl-tests counts it; it works at any other.
    method : {"greedy", "trees"}, optional
        Default: whichever takes less time at this size, over some numbers of chunks (the first that comes
        within 2 % of the lower bound).
    chunks : int, optional
        Per rank ("greedy") or per tree ("trees"). Default: chosen.
    seed : int
        Same seed, same schedule.
    routing : str, optional
        Default: the fabric's own, or "wcmp_split" or "widest_split" where the schedule is more than 2 %
        faster by that.

    Returns
    -------
    Schedule
        An ordinary one, with the method as its algorithm: replay it, cost it by ``options["routing"]``.

    Raises
    ------
    CollectiveError
        If the collective is another one, a number cannot be used, or the fabric is too large.
    RoutingError
        If ranks are not connected.

    Notes
    -----
    An all-reduce is a reduce-scatter and then an all-gather. Ranks relay and combine; switches only forward.

    Examples
    --------
    >>> from topo_sim.collectives import cost, replay
    >>> from topo_sim.topo import torus
    >>> fabric = torus((8, 8))
    >>> schedule = synthesize("all_gather", fabric, size=2**26, method="greedy")
    >>> replay(schedule)
    >>> schedule.step_count  # 63 chunks to come in over 4 links
    16
    """
    if collective not in SYNTHESIZED:
        raise CollectiveError(
            f'cannot synthesize "{collective}", expected one of {", ".join(SYNTHESIZED)}; '
            "topo-sim collective costs the algorithms of others"
        )
    p = _whole("ranks", fabric.ranks if ranks is None else ranks, 1, fabric.ranks)
    chunks = None if chunks is None else _whole("chunks", chunks, 1, MOST_CHUNKS)
    seed = _whole("seed", seed, 0, 2**63 - 1)
    size = build_schedule(collective, "ring", 1, size).size  # checks it
    if method is not None:
        SYNTHESIZERS[method]  # raises for an unknown one
    if p == 1:
        return _alone(collective, method or "greedy", size)
    makes: Iterable[Made]
    if method is not None or chunks is not None:
        name = method or "greedy"
        one = partial(SYNTHESIZERS[name], collective, fabric, p, size, chunks, seed)
        makes = [_kept(one) if name == "trees" else one]
        if routing is not None:
            return _by(one(routing), routing)
    else:
        makes = list(_makes(collective, fabric, p, size, seed))
    names = _routings(fabric, p, seed) if routing is None else iter([routing])
    return _fastest(makes, names, fabric, size, lower_bound(collective, fabric, p), seed)


def _by(schedule: Schedule, routing: str) -> Schedule:
    """Note the routing that a schedule is for."""
    return replace(schedule, options={**schedule.options, "routing": routing})


def _fastest(
    makes: Iterable[Made], routings: Iterator[str], fabric: Fabric, size: float, bound: LowerBound, seed: int
) -> Schedule:
    """Take the fastest schedule, by the first routing unless another one is clearly better."""
    best: tuple[float, Schedule] | None = None
    handicap = 1.0
    for name in routings:
        router = Router(fabric, name, seed)
        for make in makes:
            schedule = _by(make(name), name)
            time = cost_profile(schedule, fabric, router=router, bound=bound).time(size)
            if best is None or time * handicap < best[0]:
                best = (time * handicap, schedule)
            if bound.time(size) >= ENOUGH * time:
                return best[1]
        handicap = CLEARLY
    if best is None:
        raise CollectiveError(f"{fabric.name}: nothing to try, expected a synthesizer for its ranks")
    return best[1]


def _whole(name: str, value: object, least: int, most: int) -> int:
    """Check a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise CollectiveError(f"{name}: found {value!r}, expected an integer from {least} to {most}")
    return int(value)


def _alone(collective: str, method: str, size: float) -> Schedule:
    """One rank has nothing to do."""
    return replace(build_schedule(collective, "ring", 1, size), algorithm=method, options={})
