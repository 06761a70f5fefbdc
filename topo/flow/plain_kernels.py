"""Compiled water-filling for the common case: whole flows of equal weight.

Two ways that are exact both, for two kinds of problem. Where links carry few flows, most links are the
tightest one for all their flows at once, and a few rounds over all flows settle them (`_round`). Where
links carry many, links must be taken one by one, lowest level first (`fill_bands` of another
file, whose edits the on-disk cache of compiled code does not notice: clear it after editing that).
"""

import numpy as np

from topo_sim.base.jit import kernel
from topo_sim.topo.flow.band_kernels import Paths, fill_bands

__all__ = ["plain_rates"]

# A round must settle this share of the flows for another one to be worth it; rounds are not even
# tried where links carry more flows than this on average.
WORTH_A_ROUND = 0.2
CROWDED = 16.0


@kernel
def _round(indptr, links, left, users, active, count, low, level, slack, rate, tight):
    """Fix the flows on every link whose level is the lowest on all paths that cross it.

    Levels only rise as flows are fixed, so such a link is a bottleneck of all its flows now. Returns
    how many flows of `active` remain, moved to its front.
    """
    for link in range(level.size):
        level[link] = max(left[link], 0.0) / users[link] if users[link] > 0 else np.inf
        slack[link] = 0
    for i in range(count):
        first, last = indptr[active[i]], indptr[active[i] + 1]
        least = np.inf
        for e in range(first, last):
            least = min(least, level[links[e]])
        low[i] = least
        for e in range(first, last):
            if level[links[e]] > least:
                slack[links[e]] = 1
    kept = 0
    for i in range(count):
        f = active[i]
        first, last = indptr[f], indptr[f + 1]
        held = low[i] == np.inf
        for e in range(first, last):
            if slack[links[e]] == 0 and level[links[e]] < np.inf:
                held = True
                tight[f] = links[e]
                break
        if held:
            rate[f] = low[i]
            for e in range(first, last):
                left[links[e]] -= low[i]
                users[links[e]] -= 1
        else:
            active[kept] = f
            kept += 1
    return kept


@kernel
def plain_rates(kind, indptr, links, capacity, rate, tight):
    """Max-min rates of whole flows of equal weight; fills `rate`, and `tight` with a bottleneck of each.

    A flow that crosses no limited link gets an infinite rate and -1. Links are numbered in the type of
    `kind`, unsigned: 16 bits do for fewer than 65,535 of them.
    """
    width, count = capacity.size, 0
    users, used = np.zeros(width, np.int32), 0
    for e in range(links.size):
        users[np.uint32(links[e])] += 1
    for link in range(width):
        used += users[link] > 0
    left = capacity.copy()
    active = np.empty(indptr.size - 1, np.int32)
    for f in range(indptr.size - 1):
        rate[f], tight[f] = np.inf, -1
        if indptr[f + 1] > indptr[f]:
            active[count] = f
            count += 1
    if links.size < CROWDED * used:
        low, level, slack = np.empty(count), np.empty(width), np.empty(width, np.uint8)
        while count > 0:
            kept = _round(indptr, links, left, users, active, count, low, level, slack, rate, tight)
            settled = count - kept
            count = kept
            if settled < WORTH_A_ROUND * count:
                break
    if count == 0:
        return
    state = np.empty((width, 2))
    for link in range(width):
        state[link, 0], state[link, 1] = left[link], users[link]
    fill_bands(kind, Paths(indptr, links), active, count, state, rate, tight)
