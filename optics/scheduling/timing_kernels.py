"""Kernels: what configurations carry in their order, and when planes and ports hold them."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["hold", "merge", "ports", "serve"]


@kernel
def serve(left, targets, units, rest, carried):
    """Carry a demand configuration by configuration; trim each to what it carries.

    `targets` loses circuits that carry nothing, `units` becomes the most that one carries, `rest` the largest
    line sum that is left after each, `carried` (configurations, ranks) what each circuit carries.
    """
    n = len(left)
    rows = np.zeros(n, np.int64)
    columns = np.zeros(n, np.int64)
    for i in range(n):
        for j in range(n):
            rows[i] += left[i, j]
            columns[j] += left[i, j]
    for k in range(len(units)):
        most = 0
        for i in range(n):
            j = targets[k, i]
            amount = 0 if j < 0 or j == i else min(left[i, j], units[k])
            carried[k, i] = amount
            if amount == 0:
                targets[k, i] = -1
                continue
            left[i, j] -= amount
            rows[i] -= amount
            columns[j] -= amount
            most = max(most, amount)
        units[k] = most
        rest[k] = 0
        for i in range(n):
            rest[k] = max(rest[k], rows[i], columns[i])


@kernel
def merge(targets, units, rest, carried):
    """Join configurations in a row that one matching can hold; returns how many are left, in front."""
    count, n = targets.shape
    last = -1
    source = np.empty(n, np.int64)
    for k in range(count):
        if units[k] == 0:
            continue
        fits = last >= 0
        i = 0
        while fits and i < n:
            j = targets[k, i]
            fits = j < 0 or targets[last, i] == j or (targets[last, i] < 0 and source[j] < 0)
            i += 1
        if not fits:
            last += 1
            source[:] = -1
        most = 0
        for i in range(n):
            j = targets[k, i]
            if not fits:
                targets[last, i] = j
                carried[last, i] = carried[k, i]
            elif j >= 0:
                targets[last, i] = j
                carried[last, i] += carried[k, i]
            if j >= 0:
                source[j] = i
            most = max(most, carried[last, i])
        units[last] = most
        rest[last] = rest[k]
    return last + 1


@kernel
def hold(live, delta, planes, first_free, plane, start):
    """Give each piece in turn to the plane that is ready first."""
    ready = np.full(planes, -delta if first_free else 0.0)
    for k in range(len(live)):
        p = np.argmin(ready)
        plane[k] = p
        start[k] = ready[p] + delta
        ready[p] = start[k] + live[k]


@kernel
def ports(targets, amounts, share, plane, planes, delta, first_free, circuits, times):
    """Set up every circuit as soon as both its ports are free.

    Piece k is row ``share[k, 0]`` of `targets`, ``1 / share[k, 1]`` of its `amounts` (s), on ``plane[k]``.
    Writes plane, source and target into `circuits` and start and duration into `times`; returns how many.
    """
    n = targets.shape[1]
    free_out = np.zeros((planes, n))
    free_in = np.zeros((planes, n))
    last = np.full((planes, n), -1, np.int64)
    last_in = np.full((planes, n), -1, np.int64)
    count = 0
    for k in range(len(plane)):
        p = plane[k]
        row = share[k, 0]
        for i in range(n):
            j = targets[row, i]
            if j < 0:
                continue
            took = amounts[row, i] / share[k, 1]
            before = last[p, i]
            if before >= 0 and before == last_in[p, j]:  # it stands already
                times[before, 1] += took
                free_out[p, i] = free_in[p, j] = free_out[p, i] + took
                continue
            pause = 0.0 if first_free and before < 0 and last_in[p, j] < 0 else delta
            start = max(free_out[p, i], free_in[p, j]) + pause
            circuits[count, 0] = p
            circuits[count, 1] = i
            circuits[count, 2] = j
            times[count, 0] = start
            times[count, 1] = took
            last[p, i] = last_in[p, j] = count
            free_out[p, i] = free_in[p, j] = start + took
            count += 1
    return count
