"""A plain loop over fluid events that solves all rates anew each time: the twin of `simulate`."""

import numpy as np

from topo_sim.base.jit import kernel
from topo_sim.topo.flow.kernels import water_fill
from topo_sim.topo.flow.max_min import solver_arrays


@kernel
def fluid_events(indptr, links, share, by_link, flows, capacity, size, start, tolerance, finish):
    """Fill `finish` with the time at which the last byte of each flow enters its path.

    Rates are max-min fair among the flows under way and are solved again at every arrival and end.
    Ends within `tolerance` (relative to the current time) of the next one count as simultaneous.
    Returns the number of solves.
    """
    count, width = size.size, capacity.size
    left, claim, fresh, level = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    users, heap = np.empty(width, np.int64), np.empty(width, np.int64)
    weight, rate, remaining = np.ones(count), np.zeros(count), size.copy()
    order = np.argsort(start, kind="mergesort")
    active = np.empty(count, np.int64)
    running, arrived, solves = 0, 0, 0
    now = start[order[0]] if count > 0 else 0.0
    while running > 0 or arrived < count:
        if running == 0 and start[order[arrived]] > now:
            now = start[order[arrived]]
        while arrived < count and start[order[arrived]] <= now:
            f = order[arrived]
            arrived += 1
            if size[f] == 0.0:
                finish[f] = start[f]
            else:
                active[running] = f
                running += 1
        if running == 0:
            continue
        for i in range(running):
            rate[active[i]] = -1.0
        water_fill(
            indptr,
            links,
            share,
            by_link,
            flows,
            weight,
            capacity,
            rate,
            left,
            claim,
            fresh,
            users,
            level,
            heap,
        )
        solves += 1
        step = np.inf
        for i in range(running):
            step = min(step, remaining[active[i]] / rate[active[i]])
        soon = start[order[arrived]] if arrived < count else np.inf
        until = min(now + step, soon)
        slack = tolerance * until
        kept = 0
        for i in range(running):
            f = active[i]
            if now + remaining[f] / rate[f] <= until + slack:
                finish[f] = now + remaining[f] / rate[f]
                rate[f] = 0.0
            else:
                remaining[f] -= rate[f] * (until - now)
                active[kept] = f
                kept += 1
        running = kept
        now = until
    return solves


def plain_ends(paths, capacity, size, start=None, tolerance=1e-12):
    """When the last byte of each flow is sent."""
    p = solver_arrays(paths, capacity.size)
    start = np.zeros(len(paths)) if start is None else start
    finish = start.copy()
    rows = (p.indptr, p.links, p.share, p.by_link, p.flows)
    fluid_events(*rows, capacity, size, start, tolerance, finish)
    return finish
