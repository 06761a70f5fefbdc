"""From configurations in order to circuits in time: where packets take over, which plane holds what when."""

import math

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.optics.scheduling.plan import Plan, Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.timeline import PortTimes, SlotTimes
from topo_sim.optics.scheduling.timing_kernels import hold, merge, ports, serve

__all__ = ["execute"]

_CUTS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0, math.inf)


def execute(problem: Problem, plan: Plan) -> Run:
    """Carry the demand along a plan.

    Parameters
    ----------
    problem : Problem
    plan : Plan

    Returns
    -------
    Run

    Notes
    -----
    Each configuration carries what is left of its entries, ends with its last byte, and is joined to the one
    before where one matching can hold both. With a packet fabric circuits stop after the configuration that
    makes the later of circuits and packets earliest. On several planes long configurations are cut into equal
    parts, held at once or not; parts go, longest first, to the plane that is ready first (or, where all
    planes stop together, side by side), with the number of parts that ends first. Where ports stop one by
    one every circuit is set up as soon as both its ports are done with the one before it.
    """
    left, targets = problem.units.copy(), plan.targets.copy()
    units, carried = plan.units.copy(), np.zeros(targets.shape, dtype=np.int64)
    rest = np.zeros(len(units), dtype=np.int64)
    serve(left, targets, units, rest, carried)
    count = merge(targets, units, rest, carried)
    targets, units, rest, carried = targets[:count], units[:count], rest[:count], carried[:count]
    if left.any() and not problem.packet_rate:
        raise UsageError("the configurations leave bytes over, expected a packet fabric for them")
    count = _cut(problem, units, rest, carried)
    targets, units, carried = targets[:count], units[:count], carried[:count]
    sent = np.zeros(problem.ranks**2, dtype=np.int64)
    flat = targets + np.arange(problem.ranks, dtype=np.int64) * problem.ranks
    used = targets >= 0
    np.add.at(sent, flat[used], carried[used])
    whole = (sent.reshape(problem.units.shape) == problem.units) | (problem.units == 0)
    circuits = np.minimum(problem.to_bytes(sent).reshape(whole.shape), problem.bytes)
    circuits = np.where(whole, problem.bytes, circuits)
    times = _time(problem, targets, problem.to_bytes(units), problem.to_bytes(carried))
    end = float((times.start + times.live).max()) if times.start.size else 0.0
    return Run(times, circuits, problem.bytes - circuits, end)


def _cut(
    problem: Problem, units: NDArray[np.int64], rest: NDArray[np.int64], carried: NDArray[np.int64]
) -> int:
    """How many configurations to run before packets take the rest."""
    if not problem.packet_rate:
        return len(units)
    n = np.arange(len(units) + 1)
    live = problem.to_bytes(units) / problem.rate
    if problem.stop == "port":
        ends = np.cumsum(problem.to_bytes(carried) / problem.rate + problem.delta * (carried > 0), axis=0)
        busy = np.concatenate([[0.0], ends.max(axis=1, initial=0.0)]) / problem.planes
    else:
        busy = np.concatenate([[0.0], np.cumsum(live + problem.delta)]) / problem.planes
    busy -= np.where((n > 0) & problem.first_free, problem.delta, 0.0)
    over = problem.to_bytes(np.concatenate([[problem.units_busiest], rest])) / problem.packet_rate
    return int(np.argmin(np.maximum(busy, over)))


def _time(
    p: Problem, targets: NDArray[np.int32], most: NDArray[np.float64], carried: NDArray[np.float64]
) -> SlotTimes | PortTimes:
    live = most / p.rate
    row, parts = _parts(p, live)
    length = live[row] / parts
    if p.planes == 1:
        plane, start = np.zeros(len(row), np.int64), np.cumsum(length + p.delta) - length
        start -= p.delta if p.first_free else 0.0
    elif p.stop == "all":
        plane, start = _side_by_side(p, length)
    else:
        plane, start = np.zeros(len(row), np.int64), np.zeros(len(row))
        hold(length, p.delta, p.planes, p.first_free, plane, start)
    if p.stop != "port":
        return SlotTimes(targets, row, plane, start, length)
    share = np.stack([row, parts], axis=1)
    most_circuits = int((targets >= 0).sum(axis=1)[row].sum())
    circuits, times = np.zeros((most_circuits, 3), np.int64), np.zeros((most_circuits, 2))
    count = ports(targets, carried / p.rate, share, plane, p.planes, p.delta, p.first_free, circuits, times)
    place, when = circuits[:count].T.copy(), times[:count].T.copy()
    return PortTimes(place[0], place[1], place[2], when[0], when[1], len(targets))


def _side_by_side(p: Problem, length: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Planes that change together hold parts of similar length."""
    group, plane = np.divmod(np.arange(len(length)), p.planes)
    longest = length[:: p.planes]  # the longest of each group comes first
    begin = np.cumsum(longest + p.delta) - longest - (p.delta if p.first_free else 0.0)
    return plane.astype(np.int64), begin[group] if len(length) else np.zeros(0)


def _parts(p: Problem, live: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut long configurations for several planes: row and number of parts of each part, longest first."""
    count = len(live)
    if p.planes == 1 or not count:
        return np.arange(count), np.ones(count, dtype=np.int64)
    even = live.sum() / p.planes
    best, choice = math.inf, np.ones(count, dtype=np.int64)
    for cut in _CUTS:
        parts = (
            np.clip(np.ceil(live / (even / cut)), 1, p.planes).astype(np.int64)
            if cut < math.inf
            else (np.full(count, p.planes))
        )
        row = np.repeat(np.arange(count), parts)
        length = np.sort((live / parts)[row])[::-1].copy()
        if p.stop == "all":
            start = _side_by_side(p, length)[1]
        else:
            plane, start = np.zeros(len(row), np.int64), np.zeros(len(row))
            hold(length, p.delta, p.planes, p.first_free, plane, start)
        end = float((start + length).max())
        if end < best * (1 - 1e-12):
            best, choice = end, parts
    row = np.repeat(np.arange(count), choice)
    order = np.argsort(-(live / choice)[row], kind="stable")
    return row[order], choice[row[order]]
