"""The compiled repair of max-min rates after flows have come or gone.

All flows that a link holds back run at one rate, the *level* of the link, and form its *group*. A link is at
rest if it is full and no flow on it is faster than its level, or if it holds back none and is not over full.
When all links are at rest, every flow has its bottleneck: the certificate of max-min fairness. So links that
come or go or changing rates have disturbed are put to rest, lowest level first, until none is left:

- a group whose level must rise takes along its flows, except those that another level stops sooner;
- a link whose level must fall takes its group down, and takes in the flows of other groups that are faster;
- flows that have just come are *loose*: the first link that is put to rest takes them in.
"""

import numpy as np

from topo_sim.base.jit import kernel
from topo_sim.topo.flow.heap_kernels import heap_drop, heap_set
from topo_sim.topo.flow.state_kernels import SLACK, join_group, leave_group

__all__ = ["arrive", "depart", "reshare", "set_capacity"]

# A sum of shares that has lost this much of what it once was is made afresh: its digits are gone.
WORN = 1e-3


@kernel
def _disturb(number, at, s):
    """Queue a link that may not be at rest any more; `at` is the level of what disturbed it."""
    on, more = s.link[number], s.more[number]
    if more.queued == 1:
        return
    if more.seen != s.count[1]:
        more.seen = s.count[1]
        s.touched[s.count[0]] = number
        s.count[0] += 1
    if more.many > 0 or more.loose > 0:
        at = min((more.capacity - on.others) / on.claim, on.level)
    elif on.others <= more.full:
        return
    more.queued, on.alarm = 1, np.inf
    heap_set(number, at, s.queue.node, s.queue.items, s.queue.count)


@kernel
def set_capacity(number, capacity, s):
    """Change what a link may carry, before arrivals of the same epoch; it stays above 0."""
    on, more = s.link[number], s.more[number]
    more.capacity, more.full = capacity, capacity * (1.0 + SLACK)
    if more.length == 0:
        on.others, on.claim = 0.0, 0.0
    if more.queued == 0 and more.many == 0 and s.count[2] == 0:
        on.alarm = more.full
    if more.queued == 0:
        _disturb(number, 0.0, s)
    elif more.many > 0:
        at = min((capacity - on.others) / on.claim, on.level)
        heap_set(number, at, s.queue.node, s.queue.items, s.queue.count)


@kernel
def _rest(number, s):
    """Take a link out of the queue."""
    heap_drop(number, s.queue.node, s.queue.items, s.queue.count)
    s.more[number].queued = 0
    idle = s.more[number].many == 0 and s.count[2] == 0
    s.link[number].alarm = s.more[number].full if idle else -np.inf


@kernel
def _shift_group(number, level, now, s):
    """Bring the group of a link to another level, and all that its flows cross up to date."""
    indptr, path, link, share, group = s.indptr, s.path, s.link, s.share, s.group
    more, whole = s.more[number], share.size == 0
    less = level - link[number].level
    more.grown += link[number].level * (now - more.since)
    more.since, link[number].level = now, level
    for i in range(more.begin, more.begin + more.many):
        f = group[i]
        for e in range(indptr[f], indptr[f + 1]):
            other = path[e]
            if other != number:
                link[other].others += less if whole else less * share[e]
                if link[other].others > link[other].alarm:
                    _disturb(other, level, s)


@kernel
def _hand_over(f, number, now, s):
    """Take a flow out of its group into that of another link, at the level of that one."""
    link, share = s.link, s.share
    old = s.tight[f]
    before, after = link[old].level, link[number].level
    leave_group(f, now, s)
    join_group(f, number, now, s)
    for e in range(s.indptr[f], s.indptr[f + 1]):
        other = s.path[e]
        on, part = link[other], share[e] if share.size > 0 else 1.0
        if other == number:
            on.others -= part * before
            on.claim += part
            s.more[other].most = max(s.more[other].most, on.claim)
        elif other == old:
            on.claim -= part
            on.others += part * after
        else:
            on.others += part * (after - before)
        _disturb(other, after, s)


@kernel
def arrive(f, s):
    """Let a flow run, as a loose one without a group."""
    member = s.member
    for e in range(s.indptr[f], s.indptr[f + 1]):
        number = s.path[e]
        on, more = s.link[number], s.more[number]
        member[more.begin + more.length].flow, member[more.begin + more.length].entry = f, e
        s.slot[e] = more.length
        more.length += 1
        more.loose += 1
        on.claim += s.share[e] if s.share.size > 0 else 1.0
        more.most = max(more.most, on.claim)
        level = (more.capacity - on.others) / on.claim
        if more.queued == 0:
            _disturb(number, 0.0, s)
        elif level < s.queue.node[number].key:
            heap_set(number, level, s.queue.node, s.queue.items, s.queue.count)


@kernel
def depart(f, now, s):
    """Take an ended flow out of its group and off its links."""
    member, slot = s.member, s.slot
    held = s.tight[f]
    level = s.link[held].level
    leave_group(f, now, s)
    for e in range(s.indptr[f], s.indptr[f + 1]):
        number = s.path[e]
        on, more = s.link[number], s.more[number]
        part = s.share[e] if s.share.size > 0 else 1.0
        if number == held:
            on.claim -= part
        else:
            on.others -= part * level
        more.length -= 1
        at, last = more.begin + slot[e], more.begin + more.length
        member[at].flow, member[at].entry = member[last].flow, member[last].entry
        slot[member[at].entry] = slot[e]
        _disturb(number, 0.0, s)


@kernel
def _sum_afresh(number, s):
    """Sum anew what a link carries for others, and the shares of its group and of the loose flows on it."""
    tight, link, member, share = s.tight, s.link, s.member, s.share
    more, others, claim = s.more[number], 0.0, 0.0
    for k in range(more.begin, more.begin + more.length):
        held = tight[member[k].flow]
        part = share[member[k].entry] if share.size > 0 else 1.0
        if held < 0 or held == number:
            claim += part
        else:
            others += part * link[held].level
    link[number].others, link[number].claim, more.most = others, claim, claim


@kernel
def _level_among(number, s):
    """Find the level at which a link is full if the faster ones of the flows held back elsewhere slow down.

    Newton's method on a concave function, from below: exact after finitely many steps. Notes in `count[3]`
    whether there are any.
    """
    tight, link, member, share = s.tight, s.link, s.member, s.share
    on, more, level = link[number], s.more[number], 0.0
    if on.claim > 0.0:
        level = max((more.capacity - on.others) / on.claim, 0.0)
    s.count[3] = 0
    while True:
        others, claim = on.others, on.claim
        limit = level * (1.0 + SLACK)
        for k in range(more.begin, more.begin + more.length):
            held = tight[member[k].flow]
            if held >= 0 and link[held].level > limit and held != number:
                part = share[member[k].entry] if share.size > 0 else 1.0
                others -= part * link[held].level
                claim += part
        higher = (more.capacity - others) / claim
        if claim > on.claim:
            s.count[3] = 1
        if higher <= limit:
            return level
        level = higher


@kernel
def _raise_group(number, level, now, s):
    """Raise a group, except for the flows that the level of another link stops sooner."""
    indptr, path, link, stop = s.indptr, s.path, s.link, s.stop
    more = s.more[number]
    waiting = more.many
    for i in range(waiting):
        f, lowest, to = s.group[more.begin + i], np.inf, -1
        for e in range(indptr[f], indptr[f + 1]):
            if link[path[e]].level < lowest and path[e] != number:
                lowest, to = link[path[e]].level, path[e]
        stop[i].flow, stop[i].link, stop[i].level = f, to, lowest
    checked, i = 0, 0
    while checked < waiting:
        if stop[i].level < level * (1.0 - SLACK):
            _hand_over(stop[i].flow, stop[i].link, now, s)
            if more.many == 0:
                return
            level = (more.capacity - link[number].others) / link[number].claim
            waiting -= 1
            stop[i].flow, stop[i].link = stop[waiting].flow, stop[waiting].link
            stop[i].level = stop[waiting].level
            checked = 0
        else:
            checked += 1
            i += 1
        if i >= waiting:
            i = 0
    _shift_group(number, level, now, s)


@kernel
def _lower(number, level, now, s):
    """Make a link hold back its group at a level, and those of other groups that are faster."""
    tight, link, member, more = s.tight, s.link, s.member, s.more[number]
    if more.many > 0:
        _shift_group(number, level, now, s)
    link[number].level = level
    limit = level * (1.0 + SLACK) if s.count[3] == 1 else np.inf
    for k in range(more.begin if s.count[3] == 1 else more.begin + more.length, more.begin + more.length):
        held = tight[member[k].flow]
        if held >= 0 and link[held].level > limit and held != number:
            _hand_over(member[k].flow, number, now, s)


@kernel
def _take_in(number, now, s):
    """Make a link, whose level is set, hold back the loose flows that cross it.

    Those that the level of another link stops sooner go to that one.
    """
    indptr, tight, path, link, member, share = s.indptr, s.tight, s.path, s.link, s.member, s.share
    more, level = s.more[number], link[number].level
    for k in range(more.begin, more.begin + more.length):
        f = member[k].flow
        if tight[f] >= 0:
            continue
        to = number
        for e in range(indptr[f], indptr[f + 1]):
            if link[path[e]].level < link[to].level:
                to = path[e]
        join_group(f, to, now, s)
        for e in range(indptr[f], indptr[f + 1]):
            other = path[e]
            s.more[other].loose -= 1
            if other != to:
                part = share[e] if share.size > 0 else 1.0
                link[other].others += part * link[to].level
                link[other].claim -= part
            _disturb(other, level, s)
    if more.many == 0:
        link[number].level = np.inf


@kernel
def _target_level(number, s):
    """Say at which level a queued link should be.

    Where that is not where it is, its sums are made afresh first: differences add up their roundings.
    """
    on, more = s.link[number], s.more[number]
    if more.many == 0 and more.loose == 0:
        on.claim = 0.0
        return _level_among(number, s) if on.others > more.full else np.inf
    if s.share.size > 0 and on.claim < WORN * more.most:
        _sum_afresh(number, s)
    level = (more.capacity - on.others) / on.claim
    if more.many > 0 and abs(level - on.level) <= SLACK * on.level:
        return on.level
    _sum_afresh(number, s)
    level = (more.capacity - on.others) / on.claim
    if more.many == 0 or level < on.level * (1.0 - SLACK):
        return _level_among(number, s)
    return on.level if more.loose > 0 else level


@kernel
def reshare(now, s):
    """Put the queued links to rest, lowest level first, and all that this disturbs.

    Returns how many links it has visited.
    """
    link, node, items, count = s.link, s.queue.node, s.queue.items, s.queue.count
    visits = 0
    while count[0] > 0:
        number = items[0]
        more, old = s.more[number], link[number].level
        visits += 1
        if more.loose > 0:
            # What it would be if no other flow had to slow down: cheap, never too high, and it only rises.
            level = min((more.capacity - link[number].others) / link[number].claim, old)
            if level > node[number].key:
                heap_set(number, level, node, items, count)
                continue
        level = _target_level(number, s)
        if more.loose > 0:
            heap_set(number, max(level, node[number].key), node, items, count)
            if items[0] != number:
                continue
            if more.many == 0 or level < old * (1.0 - SLACK):
                _lower(number, level, now, s)
            _rest(number, s)
            _take_in(number, now, s)
            continue
        if more.many == 0:
            if level < np.inf:
                _lower(number, level, now, s)
        elif level > old * (1.0 + SLACK):
            _raise_group(number, level, now, s)
        elif level < old * (1.0 - SLACK):
            _lower(number, level, now, s)
        _rest(number, s)
    return visits
