"""Compiled water-filling of crowded links: one by one, lowest level first, a band of levels at a time.

Levels only rise, so a link above the roof of a band cannot be filled in it. Only the flows on the links
below are listed by link: of a flow's entries, one is ever needed to give it its rate. Between bands the
rows of flows that have theirs drop out.

What makes it fast is memory, read in sequence where it can be: rows are of equal length, links are
numbered in 16 bits where that is enough, and a list holds copies of the rows. Indices are unsigned,
since signed ones are checked for being negative.
"""

from collections import namedtuple

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["fill_bands"]

# A band takes this share of the links, judged by so many of them; the last one takes all that are left,
# once those are few, or a band has settled less than a given share of the flows.
BAND = 0.15
SAMPLE = 256
FEW = 1024
WORTH_A_BAND = 0.2
# Where links carry fewer flows than this on average, one band takes all.
CROWDED = 8.0
# Rows that are searched before what is found is dealt out: they stay in the nearest memory.
HAND = 256
# Rows of up to so many words are copied to the lists of links; of longer ones, only the place.
NARROW = 4
# What is found is a row above a link in one word.
LINK = np.uint64(0xFFFFFFFF)
WORD = np.uint64(32)
ONE = np.uint64(1)
HIGHEST = np.finfo(np.float64).max

Paths = namedtuple("Paths", "indptr links")
# Rows of `words` words of 64 bits, each as long as `per` links: first up to `room` links in `link`, `idle`
# after the last; at the end, in `flow`, the flow, as -1 - flow if it has more links than that. In lists of
# links, rows say there which row they are, likewise, and may have no links.
Rows = namedtuple("Rows", "word link flow words per room idle")
# Per link: (capacity left, users) side by side in `state`, whether it is in the band, the word where its
# next row goes, and the level at which it was filled.
Links = namedtuple("Links", "state chosen place level")
# The links of a band, of which link i has rows first[i]:first[i + 1], the highest level and the most rows.
Band = namedtuple("Band", "link first roof most")


@kernel
def _sift_down(key, link, size, i):
    """Restore the heap of (key, link) below position i."""
    low_key, low_link = key[i], link[i]
    while True:
        child = 2 * i + 1
        if child >= size:
            break
        if child + 1 < size and key[child + 1] < key[child]:
            child += 1
        if key[child] >= low_key:
            break
        key[i], link[i] = key[child], link[child]
        i = child
    key[i], link[i] = low_key, low_link


@kernel
def _level(state, link):
    """Capacity left per user of a link that has users."""
    return max(state[link, 0], 0.0) / state[link, 1]


@kernel
def _rows(kind, count, words, idle):
    """Room for rows whose links are numbered in the type of `kind`."""
    word = np.empty(words * count, np.int64)
    room = (8 * words - 4) // kind.itemsize
    return Rows(word, word.view(kind.dtype), word.view(np.int32), words, 8 // kind.itemsize, room, idle)


@kernel
def _pack(paths, active, count, rows):
    """Copy the paths of the active flows to rows of equal length."""
    at = rows.words * rows.per
    for i in range(count):
        f = active[i]
        first, length = paths.indptr[f], paths.indptr[f + 1] - paths.indptr[f]
        for c in range(rows.room):
            if c == length:
                rows.link[np.uint64(i * at + c)] = rows.idle
                break
            rows.link[np.uint64(i * at + c)] = paths.links[np.uint64(first + c)]
        rows.flow[2 * rows.words * (i + 1) - 1] = f if length <= rows.room else -1 - f


@kernel
def _choose(live, count, share, links):
    """Make a band of that share of the links, the lowest; returns it and how many of `live` have users."""
    state, kept, low = links.state, 0, np.inf
    for i in range(count):
        live[kept] = live[i]
        if state[live[i], 1] > 0.0:
            low = min(low, _level(state, live[i]))
            kept += 1
    roof = HIGHEST
    if kept > FEW and share < 1.0:
        gap, size = kept // SAMPLE, 0
        drawn = np.empty(kept // gap + 1)
        for i in range(0, kept, gap):
            level, k = _level(state, live[i]), size
            while k > 0 and drawn[k - 1] > level:
                drawn[k] = drawn[k - 1]
                k -= 1
            drawn[k] = level
            size += 1
        roof = max(low, drawn[int(share * size)])
    link, first, size, most = np.empty(kept, np.int32), np.zeros(kept + 1, np.int64), 0, 0
    for i in range(kept):
        links.chosen[live[i]] = _level(state, live[i]) <= roof
        if links.chosen[live[i]]:
            link[size] = live[i]
            first[size + 1] = first[size] + np.int64(state[live[i], 1])
            most = max(most, first[size + 1] - first[size])
            size += 1
    return Band(link[:size], first[: size + 1], roof, most), kept


@kernel
def _deal(found, size, rows, place, lists):
    """Append the rows of the entries found to the lists of their links, whole if there is room for that."""
    step, words = lists.words, rows.words
    for k in range(size):
        link, i = found[k] & LINK, found[k] >> WORD
        to = place[link]
        place[link] = to + np.uint64(step)
        if step == words:
            for w in range(words):
                lists.word[to + np.uint64(w)] = rows.word[i * np.uint64(words) + np.uint64(w)]
        f = rows.flow[np.uint64(2 * words) * (i + ONE) - ONE]
        lists.flow[np.uint64(2) * (to + np.uint64(step)) - ONE] = np.int32(i) ^ (f >> 31)


@kernel
def _list(paths, rows, count, by, tight, links, lists):
    """List the rows of the links in the band; returns how many have no rate yet: these move up.

    What may or may not be kept is written anyway, and overwritten unless a count moves on: branches that
    nobody can predict would cost more.
    """
    found = np.empty(HAND * rows.room + 1, np.uint64)
    words, per, chosen, kept = rows.words, rows.per, links.chosen, 0
    for start in range(0, count, HAND):
        fresh, size = kept, np.uint64(0)
        for i in range(start, min(start + HAND, count)):
            f = rows.flow[2 * words * (i + 1) - 1]
            for w in range(words):
                rows.word[np.uint64(kept * words + w)] = rows.word[np.uint64(i * words + w)]
            tight[np.uint32(f ^ (f >> 31))] = by[i]
            kept += by[i] < 0
        for i in range(fresh, kept):
            for e in range(i * words * per, i * words * per + rows.room):
                link = rows.link[np.uint64(e)]
                if link == rows.idle:
                    break
                found[size] = np.uint64(i) << WORD | np.uint64(link)
                size += np.uint64(chosen[link])
        _deal(found, size, rows, links.place, lists)
        for i in range(fresh, kept):
            f = rows.flow[2 * words * (i + 1) - 1]
            if f < 0:
                for e in range(paths.indptr[-1 - f] + rows.room, paths.indptr[-f]):
                    if chosen[paths.links[e]]:
                        found[0] = np.uint64(i) << WORD | np.uint64(paths.links[e])
                        _deal(found, np.uint64(1), rows, links.place, lists)
    by[:kept] = -1
    return kept


@kernel
def _list_all(paths, rows, count, by, links, lists):
    """List the flows of all links, by place: `_list` where nothing is to be left out."""
    step, chosen, place = rows.words * rows.per, links.chosen, links.place
    for i in range(count):
        if by[i] >= 0:
            continue
        f = rows.flow[2 * rows.words * (i + 1) - 1]
        for e in range(i * step, i * step + rows.room):
            link = rows.link[np.uint64(e)]
            if chosen[link]:
                lists.flow[np.uint64(2) * place[link] + ONE] = i ^ (f >> 31)
                place[link] += ONE
            elif link == rows.idle:
                break
        if f < 0:
            for e in range(paths.indptr[-1 - f] + rows.room, paths.indptr[-f]):
                link = np.uint32(paths.links[e])
                if chosen[link]:
                    lists.flow[np.uint64(2) * place[link] + ONE] = i ^ (f >> 31)
                    place[link] += ONE


@kernel
def _fix_rest(f, now, room, paths, state):
    """Take a flow that got the rate `now` off the links that its row has no room for."""
    for e in range(paths.indptr[f] + room, paths.indptr[f + 1]):
        state[paths.links[e], 0] -= now
        state[paths.links[e], 1] -= 1.0


@kernel
def _bucket(left, users, top, scale, buckets):
    """Bucket of a link by its users per capacity left: the more, the lower its level, the sooner."""
    if left <= 0.0:
        return 0
    return min(max(int((top - users / left) * scale), 0), buckets - 1)


@kernel
def _queue(band, state, buckets):
    """Sort the links of a band into buckets; returns heads, nexts, what the first begins with, the scale."""
    top = 0.0
    for link in band.link:
        if state[link, 0] > 0.0:
            top = max(top, state[link, 1] / state[link, 0])
    width = top - 1.0 / band.roof if band.roof > 0.0 else 0.0
    scale = buckets / width if width > 0.0 else 0.0
    head, after = np.full(buckets, -1, np.int32), np.empty(band.link.size, np.int32)
    for i in range(band.link.size):
        link = band.link[i]
        b = _bucket(state[link, 0], state[link, 1], top, scale, buckets)
        after[i], head[b] = head[b], i
    return head, after, top, scale


@kernel
def _open(b, band, state, head, after, top, scale, key, heap):
    """Put the links of bucket b that are not past it by now into the heap; returns how many."""
    size, i = 0, head[b]
    while i >= 0:
        later, link = after[i], band.link[i]
        if state[link, 1] > 0.0 and _level(state, link) <= band.roof:
            to = _bucket(state[link, 0], state[link, 1], top, scale, head.size)
            if to > b:
                after[i], head[to] = head[to], i
            else:
                key[size], heap[size] = _level(state, link), i
                size += 1
        i = later
    for i in range(size // 2 - 1, -1, -1):
        _sift_down(key, heap, size, i)
    return size


@kernel
def _fill(band, paths, rows, lists, by, links):
    """Fill the links of a band one by one, lowest level first, up to its roof; returns the flows settled.

    Links wait in buckets; only those of the current bucket are in a heap, and one whose level has risen
    past it moves on without being sifted. Its flows are settled here and not by another kernel, for a
    call with so many arrays takes as long as the work where links carry few.
    """
    state, step, settled, whole = links.state, lists.words, 0, lists.words == rows.words
    head, after, top, scale = _queue(band, state, band.link.size // 4 + 1)
    some, source = np.empty(band.most, np.int64), lists.link if whole else rows.link
    key, heap = np.empty(band.link.size), np.empty(band.link.size, np.int32)
    for b in range(head.size):
        size = _open(b, band, state, head, after, top, scale, key, heap)
        while size > 0:
            i = heap[0]
            link = band.link[i]
            now = _level(state, link) if state[link, 1] > 0.0 else np.inf
            if key[0] < now <= band.roof:
                to = _bucket(state[link, 0], state[link, 1], top, scale, head.size)
                if to <= b:
                    key[0] = now
                    _sift_down(key, heap, size, 0)
                    continue
                after[i], head[to] = head[to], i
            elif now <= key[0]:
                now, found = key[0], 0
                links.level[link] = now
                for at in range(step * band.first[i], step * band.first[i + 1], step):
                    row = lists.flow[2 * (at + step) - 1]
                    own = np.uint32(row ^ (row >> 31))
                    some[found] = at
                    found += by[own] < 0
                    by[own] = link if by[own] < 0 else by[own]
                settled += found
                for k in range(found):
                    row = lists.flow[2 * (some[k] + step) - 1]
                    at = (some[k] if whole else np.int64(row ^ (row >> 31)) * rows.words) * rows.per
                    for e in range(at, at + rows.room):
                        other = source[np.uint64(e)]
                        if other == rows.idle:
                            break
                        state[other, 0] -= now
                        state[other, 1] -= 1.0
                    if row < 0:
                        f = rows.flow[-2 * rows.words * np.int64(row) - 1]
                        _fix_rest(-1 - f, now, rows.room, paths, state)
            size -= 1
            key[0], heap[0] = key[size], heap[size]
            if size > 0:
                _sift_down(key, heap, size, 0)
    return settled


@kernel
def fill_bands(kind, paths, active, count, state, rate, tight):
    """Fill all links, band by band; `state` holds (capacity left, users) per link.

    Links are numbered in the type of `kind`, unsigned, which must hold one number more than there are links.
    Fills `rate` and `tight` of the active flows, infinite and -1 where no link limits one.
    """
    width, entries, widest = state.shape[0], 0, 0
    for i in range(count):
        length = paths.indptr[active[i] + 1] - paths.indptr[active[i]]
        widest, entries = max(widest, length), entries + length
    # No row is wider than three times the mean: the rest of longer paths is looked up.
    words = (min(widest, 3 * entries // count + 1) * kind.itemsize + 11) // 8
    rows = _rows(kind, count, words, width)
    _pack(paths, active, count, rows)
    links = Links(state, np.zeros(width + 1, np.uint8), np.empty(width, np.uint64), np.empty(width))
    live, among, left = np.empty(width, np.int32), np.int64(0), count
    for link in range(width):
        live[among] = link
        among += state[link, 1] > 0.0 and state[link, 0] < np.inf
    step, share = words if words <= NARROW else 1, BAND if entries > CROWDED * among else 1.0
    lists, by, held = _rows(kind, np.int64(0), step, width), np.full(count, -1, np.int32), count
    while left > 0:
        band, among = _choose(live, among, share, links)
        if among == 0:
            break
        for i in range(band.link.size):
            links.place[band.link[i]] = step * band.first[i]
        if lists.word.size < step * band.first[-1]:
            lists = _rows(kind, band.first[-1], step, width)
        if step < words and band.link.size == among:
            _list_all(paths, rows, held, by, links, lists)
        else:
            held = _list(paths, rows, held, by, tight, links, lists)
        settled = _fill(band, paths, rows, lists, by, links)
        for link in band.link:
            links.chosen[link] = 0
        share = BAND if settled >= WORTH_A_BAND * left else 1.0
        left -= settled
    for i in range(held):
        f = rows.flow[2 * words * (i + 1) - 1]
        tight[f ^ (f >> 31)] = by[i]
    for i in range(count):
        f = active[i]
        rate[f] = links.level[tight[f]] if tight[f] >= 0 else np.inf
