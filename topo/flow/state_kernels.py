"""The state of flows under way: what is known of each flow, each entry of a path, each link, and its group.

All flows that a link holds back run at one rate, the *level* of the link, and form its *group*: a heap by the
bytes per member at which each ends. When the level changes, no flow of the group has to be looked at.

State is few arrays of records, so that what is used together lies together.
"""

from collections import namedtuple

import numpy as np

from topo_sim.base.jit import borrowed, kernel
from topo_sim.topo.flow.heap_kernels import heap_new, heap_view

__all__ = ["SLACK", "State", "join_group", "leave_group", "new_state", "state_view", "sum_afresh"]

# Relative slack within which levels count as equal, and links as full.
SLACK = 1e-13

# A flow: its place in its group, and its target: what the group's bytes per member must have grown to when
# it ends, or the bytes left of a flow without a group.
FLOW = np.dtype([("target", np.float64), ("where", np.int64)])
# A flow on a link, and the entry of its path by which.
MEMBER = np.dtype([("flow", np.int32), ("entry", np.int32)])
# What the innermost loops need of a link: the rate of flows held back elsewhere (`others`), above which
# value of it the link has to be queued (`alarm`), the `level` of its group (infinite: no group), and the
# shares of its group and of loose flows (`claim`).
LINK = np.dtype([(name, np.float64) for name in ("others", "alarm", "level", "claim")])
# The rest: the most it may carry (`full`: capacity and slack), what `claim` once was (`most`), the bytes
# per member of its group (`grown`) until `since`, where its members begin, how many there are (`length`),
# how many flows its group has (`many`), how many entries are loose, whether it is queued, and the epoch
# in which it last was (`seen`).
MORE = np.dtype(
    [(name, np.float64) for name in ("capacity", "full", "most", "grown", "since")]
    + [("begin", np.int64), ("seen", np.int64)]
    + [(name, np.int32) for name in ("length", "many", "loose", "queued")]
)
# Which link and level stops a flow that is to be raised.
STOP = np.dtype([("level", np.float64), ("flow", np.int32), ("link", np.int32)])
# All of it. Per flow: the link whose group it is in (`tight`, -1: none). Per entry: its link (`path`),
# its share (empty: 1 everywhere), and the place of the flow among the members of the link (`slot`).
# `group` holds the heap of each link's group, by target, from `begin` on; `stop` is scratch; `queue`
# holds the links to be put to rest, by level. `touched[:count[0]]` are the links of this epoch, which is
# `count[1]`; `count[2]` is 1 if links without a group are to be listed as well; `count[3]` is a note from
# `_level_among` to `_lower`.
State = namedtuple(
    "State", "indptr tight flow path share slot link more member group touched stop count queue"
)


@kernel
def new_state(indptr, path, share, capacity, size, every_link):
    """Make the state of flows none of which is under way."""
    flow, link, more = np.zeros(size.size, FLOW), np.zeros(capacity.size, LINK), np.zeros(capacity.size, MORE)
    for f in range(size.size):
        flow[f].target = size[f]
    for e in range(path.size):
        more[path[e]].length += 1
    begin = 0
    for i in range(capacity.size):
        more[i].capacity, more[i].full = capacity[i], capacity[i] * (1.0 + SLACK)
        more[i].begin = begin
        begin += more[i].length
        more[i].length = 0
        link[i].level, link[i].alarm = np.inf, -np.inf if every_link == 1 else more[i].full
    return State(
        indptr, np.full(size.size, -1, np.int32), flow, path, share, np.empty(path.size, np.int32), link,
        more, np.empty(path.size, MEMBER),
        np.empty(path.size, np.int32), np.empty(capacity.size, np.int32), np.empty(size.size, STOP),
        np.array([0, 1, every_link, 0]), heap_new(capacity.size),
    )  # fmt: skip


@kernel
def state_view(s):
    """See a state without counting references; its owner has to keep it alive."""
    return State(
        borrowed(s.indptr), borrowed(s.tight), borrowed(s.flow), borrowed(s.path), borrowed(s.share),
        borrowed(s.slot), borrowed(s.link),
        borrowed(s.more), borrowed(s.member), borrowed(s.group), borrowed(s.touched), borrowed(s.stop),
        borrowed(s.count), heap_view(s.queue),
    )  # fmt: skip


@kernel
def _place(f, i, base, many, flow, group):
    """Put a flow into the hole at place i of a group, or where the order of targets wants it."""
    key = flow[f].target
    while i > 0:
        above = group[base + ((i - 1) >> 1)]
        if flow[above].target <= key:
            break
        group[base + i] = above
        flow[above].where = i
        i = (i - 1) >> 1
    while True:
        child = 2 * i + 1
        if child >= many:
            break
        below = group[base + child]
        if child + 1 < many and flow[group[base + child + 1]].target < flow[below].target:
            child += 1
            below = group[base + child]
        if flow[below].target >= key:
            break
        group[base + i] = below
        flow[below].where = i
        i = child
    group[base + i] = f
    flow[f].where = i


@kernel
def join_group(f, number, now, s):
    """Take a flow without a group into that of a link, whose level is set."""
    to = s.more[number]
    if to.many == 0:
        to.grown, to.since = 0.0, now
        if to.queued == 0:
            s.link[number].alarm = -np.inf
    s.flow[f].target += to.grown + s.link[number].level * (now - to.since)
    s.tight[f] = number
    to.many += 1
    _place(f, to.many - 1, to.begin, to.many, s.flow, s.group)


@kernel
def leave_group(f, now, s):
    """Take a flow out of its group; its target becomes the bytes left."""
    number = s.tight[f]
    held = s.more[number]
    held.many -= 1
    last = s.group[held.begin + held.many]
    if last != f:
        _place(last, s.flow[f].where, held.begin, held.many, s.flow, s.group)
    s.flow[f].target -= held.grown + s.link[number].level * (now - held.since)
    s.tight[f] = -1
    if held.many == 0:
        s.link[number].level = np.inf
        if held.queued == 0 and s.count[2] == 0:
            s.link[number].alarm = held.full


@kernel
def sum_afresh(now, s):
    """Make the sums of all links afresh, and count the bytes of groups from here."""
    flow, tight, member, share = s.flow, s.tight, s.member, s.share
    for number in range(s.link.size):
        on, more = s.link[number], s.more[number]
        on.others, on.claim = 0.0, 0.0
        if more.many > 0:
            grown = more.grown + on.level * (now - more.since)
            more.grown, more.since = 0.0, now
            for i in range(more.begin, more.begin + more.many):
                flow[s.group[i]].target -= grown
        for k in range(more.begin, more.begin + more.length):
            held = tight[member[k].flow]
            part = share[member[k].entry] if share.size > 0 else 1.0
            if held == number:
                on.claim += part
            else:
                on.others += part * s.link[held].level
        more.most = on.claim
