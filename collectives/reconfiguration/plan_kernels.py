"""Choose configurations step by step."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["best_groups", "greedy_choice", "optimal_choice"]


@kernel
def optimal_choice(cost, switch, initial, choice):
    """Least time over all ways to hold or change the configuration before each step (dynamic programming).

    ``cost[i, c]`` is the time of step i on candidate c, ``switch[i]`` what changing before it takes;
    `initial` is set when the steps begin (-1: none of them). Fills `choice` and returns the time. Of ways
    that take equally long, one with the fewest changes.
    """
    steps, count = cost.shape
    held = np.empty((steps, count), dtype=np.bool_)
    best_before = np.zeros(steps, dtype=np.int64)
    time = np.full(count, np.inf)
    changes = np.zeros(count, dtype=np.int64)
    least, fewest = 0.0, 0
    if initial >= 0:
        time[initial] = 0.0
    for i in range(steps):
        changed, more = least + switch[i], fewest + 1
        least, fewest, which = np.inf, 0, 0
        for c in range(count):
            hold = time[c] < changed or (time[c] == changed and changes[c] <= more)
            held[i, c] = hold
            value = time[c]
            if not hold:
                value = changed
                changes[c] = more
            value += cost[i, c]
            time[c] = value
            if value < least or (value == least and changes[c] < fewest):
                least, fewest, which = value, changes[c], c
        if i + 1 < steps:
            best_before[i + 1] = which
        else:
            choice[i] = which
    for i in range(steps - 1, 0, -1):
        choice[i - 1] = choice[i] if held[i, choice[i]] else best_before[i]
    return least


@kernel
def greedy_choice(cost, switch, initial, choice):
    """Before each step, the configuration with the least time of this step, changing included."""
    steps, count = cost.shape
    now = initial
    for i in range(steps):
        best = np.inf
        which = 0
        if now >= 0:
            best, which = cost[i, now], now
        for c in range(count):
            value = cost[i, c] + switch[i]
            if value < best:
                best, which = value, c
        choice[i] = which
        now = which


@kernel
def best_groups(fixed, work, switch, ready, most, planes, groups, start):
    """Least time when the planes carry phases in turn, in groups, and change while others carry.

    Phase i takes ``fixed[i]``, and ``work[i]`` if all planes carry it; its planes change in ``switch[i]``,
    except those of phase 0 if they are `ready`. In a segment of phases the planes form g equal groups (the
    first ones one plane larger) that take the phases in turn; between segments all have ended. ``most[i]``
    bounds g where phase i is carried. Fills, of each phase, g (`groups`) and where its segment began
    (`start`); returns the time.
    """
    phases = len(fixed)
    time = np.full(phases + 1, np.inf)
    time[0] = 0.0
    by, since = np.zeros(phases, dtype=np.int64), np.zeros(phases, dtype=np.int64)
    ends = np.zeros(phases + 1)
    for s in range(phases):
        for g in range(1, planes + 1):
            end = 0.0
            for i in range(s, phases if g > 1 else s + 1):
                if g > most[i]:
                    break
                turn = i - s
                free = ends[i - g] if turn >= g else 0.0
                free += 0.0 if ready and i == 0 else switch[i]
                member = turn % g
                share = planes // g + (1 if member < planes % g else 0)
                end = max(end, free) + fixed[i] + work[i] * planes / share
                ends[i] = end
                if time[s] + end < time[i + 1]:
                    time[i + 1] = time[s] + end
                    by[i], since[i] = g, s
    i = phases
    while i > 0:
        s, g = since[i - 1], by[i - 1]
        for j in range(s, i):
            groups[j], start[j] = g, s
        i = s
    return time[phases]
