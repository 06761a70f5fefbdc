"""The compiled event loop for whole flows of equal weight: after each event, only what it can touch.

It calls `plain_rates` of another file, whose edits the on-disk cache of compiled code does not notice:
clear that cache (tests use a fresh one) after editing plain_kernels.py.
"""

from collections import namedtuple

import numpy as np

from topo_sim.base.jit import kernel
from topo_sim.topo.flow.plain_kernels import plain_rates

__all__ = ["plain_events"]

# A set of flows to solve again that outgrows this is widened at once to all that can change.
MANY = 128
# What links carry is kept up to date by differences, and summed afresh after so many events.
RESUM = 256
# Relative slack when rates and loads are compared.
SLACK = 1e-12

# The problem, and per flow: rate, bottleneck link, end at that rate, bytes left at a time `since`, the
# epoch in which it was last in the set to be solved, and its place in the heap of ends.
Flows = namedtuple("Flows", "indptr links size rate tight end remaining since inside where heap")
# Per link: capacity, sum of rates, the entries of running flows (list `member[by_link[l]:]` of length
# `length[l]`, each entry's place in it `slot`, its flow `owner`), and marks for `_repair`.
Links = namedtuple("Links", "capacity carried by_link member length slot owner mark local")
# The set of flows to be solved again, with their new rates and bottlenecks.
Chosen = namedtuple("Chosen", "flow rate tight")


@kernel
def _enter(f, flows, links):
    """Put the entries of a flow into the lists of its links."""
    for e in range(flows.indptr[f], flows.indptr[f + 1]):
        link = flows.links[e]
        links.member[links.by_link[link] + links.length[link]] = e
        links.slot[e] = links.length[link]
        links.length[link] += 1


@kernel
def _leave(f, flows, links):
    """Take the entries of a flow out of the lists of its links; the last one fills the gap."""
    for e in range(flows.indptr[f], flows.indptr[f + 1]):
        link = flows.links[e]
        links.carried[link] -= flows.rate[f]
        links.length[link] -= 1
        moved = links.member[links.by_link[link] + links.length[link]]
        links.member[links.by_link[link] + links.slot[e]] = moved
        links.slot[moved] = links.slot[e]


@kernel
def _place(f, flows, running):
    """Move a flow whose end has changed to its place in the heap of ends."""
    heap, where, end = flows.heap, flows.where, flows.end
    i, key = where[f], end[f]
    while i > 0 and end[heap[(i - 1) // 2]] > key:
        heap[i] = heap[(i - 1) // 2]
        where[heap[i]] = i
        i = (i - 1) // 2
    while True:
        child = 2 * i + 1
        if child >= running:
            break
        if child + 1 < running and end[heap[child + 1]] < end[heap[child]]:
            child += 1
        if end[heap[child]] >= key:
            break
        heap[i] = heap[child]
        where[heap[i]] = i
        i = child
    heap[i], where[f] = f, i


@kernel
def _widen(chosen, count, epoch, touched, spare, load, most, reach, flows, links):
    """Add the flows outside the set that the new rates inside it leave without a bottleneck.

    Of each touched link, `spare` is what the rest leaves of it, `load` and `most` are the sum and the
    largest of the new rates, `reach` is the rate of those that it holds back (negative if none).
    """
    for i in range(touched.size):
        link = touched[i]
        limit = links.capacity[link]
        full = limit - spare[i] + load[i] >= limit * (1.0 - SLACK)
        for k in range(links.by_link[link], links.by_link[link] + links.length[link]):
            h = links.owner[links.member[k]]
            if flows.inside[h] == epoch:
                continue
            squeezed = reach[i] >= 0.0 and flows.rate[h] > reach[i] * (1.0 + SLACK)
            overtaken = not full or most[i] > flows.rate[h] * (1.0 + SLACK)
            if squeezed or (flows.tight[h] == link and overtaken):
                flows.inside[h] = epoch
                chosen.flow[count] = h
                count += 1
    return count


@kernel
def _widen_to_all(chosen, count, epoch, floor, running, flows):
    """Add all running flows with a rate of at least `floor`."""
    for i in range(running):
        h = flows.heap[i]
        if flows.inside[h] != epoch and flows.rate[h] >= floor:
            flows.inside[h] = epoch
            chosen.flow[count] = h
            count += 1
    return count


@kernel
def _solve(chosen, count, stamp, flows, links):
    """Solve the set against the rest. Returns its rows, the links touched and what the rest leaves."""
    entries, width, used = 0, 0, 0
    for j in range(count):
        entries += flows.indptr[chosen.flow[j] + 1] - flows.indptr[chosen.flow[j]]
    rows, begin = np.empty(entries, np.int32), np.empty(count + 1, np.int64)
    touched = np.empty(min(entries, links.capacity.size), np.int32)
    spare = np.empty(touched.size)
    for j in range(count):
        f = chosen.flow[j]
        begin[j] = used
        for e in range(flows.indptr[f], flows.indptr[f + 1]):
            link = flows.links[e]
            if links.mark[link] != stamp:
                links.mark[link], links.local[link], touched[width] = stamp, width, link
                spare[width] = links.capacity[link] - links.carried[link]
                width += 1
            rows[used] = links.local[link]
            spare[links.local[link]] += flows.rate[f]
            used += 1
    begin[count] = used
    spare = np.maximum(spare[:width], 0.0)
    plain_rates(begin, rows, spare, chosen.rate[:count], chosen.tight[:count])
    return begin, rows, touched[:width], spare


@kernel
def _repair(chosen, count, epoch, stamp, floor, running, flows, links):
    """Solve a set of flows against the rest, and widen it until all flows have a bottleneck.

    The rest keeps its rates, which is right as soon as every flow outside still has a full link on
    which none is faster: the certificate of max-min fairness. A set that grows large is widened at once
    to all flows with a rate of at least `floor`, the lowest level at which water-filling goes another
    way than before. Returns the size of the set and the stamp used last.
    """
    complete = False
    while True:
        stamp += 1
        begin, rows, touched, spare = _solve(chosen, count, stamp, flows, links)
        if not complete:
            width = touched.size
            load, most, reach = np.zeros(width), np.zeros(width), np.full(width, -1.0)
            for j in range(count):
                reach[chosen.tight[j]] = chosen.rate[j]
                for e in range(begin[j], begin[j + 1]):
                    load[rows[e]] += chosen.rate[j]
                    most[rows[e]] = max(most[rows[e]], chosen.rate[j])
            wider = _widen(chosen, count, epoch, touched, spare, load, most, reach, flows, links)
            if wider > count:
                count = wider
                if count > MANY:
                    count = _widen_to_all(chosen, count, epoch, floor, running, flows)
                    complete = True
                continue
        for j in range(count):
            chosen.tight[j] = touched[chosen.tight[j]]
        return count, stamp


@kernel
def _retire(now, epoch, running, chosen, flows, links, finish):
    """End the flows whose time has come, and choose those that their links held back.

    Returns how many still run, how many are chosen, and the lowest rate that ended.
    """
    gone, floor = 0, np.inf
    while running > 0 and flows.end[flows.heap[0]] <= now:
        f = flows.heap[0]
        finish[f] = flows.end[f]
        floor = min(floor, flows.rate[f] * (1.0 - 1e-9))
        running -= 1
        last = flows.heap[running]
        flows.heap[0], flows.where[last] = last, 0
        if running > 0:
            _place(last, flows, running)
        _leave(f, flows, links)
        flows.inside[f] = epoch
        chosen.flow[flows.size.size - 1 - gone] = f
        gone += 1
    count = 0
    for g in range(gone):
        f = chosen.flow[flows.size.size - 1 - g]
        for e in range(flows.indptr[f], flows.indptr[f + 1]):
            link = flows.links[e]
            for k in range(links.by_link[link], links.by_link[link] + links.length[link]):
                h = links.owner[links.member[k]]
                if flows.tight[h] == link and flows.inside[h] != epoch:
                    flows.inside[h] = epoch
                    chosen.flow[count] = h
                    count += 1
    return running, count, floor


@kernel
def _apply(now, chosen, count, running, flows, links):
    """Give the chosen flows their new rates."""
    for j in range(count):
        f, rate = chosen.flow[j], chosen.rate[j]
        flows.tight[f] = chosen.tight[j]
        if rate != flows.rate[f]:
            flows.remaining[f] -= flows.rate[f] * (now - flows.since[f])
            for e in range(flows.indptr[f], flows.indptr[f + 1]):
                links.carried[flows.links[e]] += rate - flows.rate[f]
            flows.rate[f], flows.since[f] = rate, now
            flows.end[f] = now + max(flows.remaining[f], 0.0) / rate
            _place(f, flows, running)


@kernel
def _set_up(indptr, links, capacity, size):
    """Make the state of the event loop: all flows out, all links idle."""
    flows, width = size.size, capacity.size
    by_link, owner = np.zeros(width + 1, np.int64), np.empty(links.size, np.int32)
    for f in range(flows):
        for e in range(indptr[f], indptr[f + 1]):
            by_link[links[e] + 1] += 1
            owner[e] = f
    for link in range(width):
        by_link[link + 1] += by_link[link]
    return (
        Flows(
            indptr, links, size, np.zeros(flows), np.full(flows, -1, np.int32), np.full(flows, np.inf),
            size.copy(), np.zeros(flows), np.zeros(flows, np.int64), np.empty(flows, np.int32),
            np.empty(flows, np.int32),
        ),
        Links(
            capacity, np.zeros(width), by_link, np.empty(links.size, np.int32), np.zeros(width, np.int32),
            np.empty(links.size, np.int32), owner, np.zeros(width, np.int64), np.empty(width, np.int32),
        ),
        Chosen(np.empty(flows, np.int32), np.empty(flows), np.empty(flows, np.int32)),
    )  # fmt: skip


@kernel
def _carry(running, flows, links):
    """Sum afresh what each link carries."""
    links.carried[:] = 0.0
    for i in range(running):
        f = flows.heap[i]
        for e in range(flows.indptr[f], flows.indptr[f + 1]):
            links.carried[flows.links[e]] += flows.rate[f]


@kernel
def plain_events(indptr, path_links, capacity, size, start, tolerance, finish):
    """Fluid events of whole flows; fills `finish` with the time at which each has sent its last byte.

    Every flow must cross a link and all capacities be finite. Ends within `tolerance` (relative to the
    time) of the next one count as simultaneous. Returns the number of events and how many flows they
    solved in all.
    """
    flows, links, chosen = _set_up(indptr, path_links, capacity, size)
    order = np.argsort(start, kind="mergesort")
    running, arrived, epoch, solved, stamp = 0, 0, 0, 0, 0
    while running > 0 or arrived < size.size:
        now = flows.end[flows.heap[0]] if running > 0 else np.inf
        if arrived < size.size:
            now = min(now, start[order[arrived]])
        epoch += 1
        if epoch % RESUM == 0:
            _carry(running, flows, links)
        until = now * (1.0 + tolerance)
        running, count, floor = _retire(until, epoch, running, chosen, flows, links, finish)
        while arrived < size.size and start[order[arrived]] <= now:
            f = order[arrived]
            arrived += 1
            finish[f] = start[f]
            if size[f] > 0.0:
                _enter(f, flows, links)
                flows.heap[running], flows.where[f], flows.since[f] = f, running, now
                flows.inside[f], floor = epoch, 0.0
                running += 1
                chosen.flow[count] = f
                count += 1
        if count > 0:
            count, stamp = _repair(chosen, count, epoch, stamp, floor, running, flows, links)
            _apply(now, chosen, count, running, flows, links)
            solved += count
    return epoch, solved
