"""How batches form: who goes where, who is let in, who is put out."""

from topo_sim.base.jit import inlined, kernel
from topo_sim.inference.serving.state_kernels import (
    BOTH,
    DECODING,
    FILLING,
    PREFILL,
    WAITING,
    dequeue,
    enqueue,
    enqueue_first,
    move,
    poke,
)

__all__ = ["assign", "blocks_for", "fill_chunks", "fill_whole", "fits", "grow", "need_of"]


@inlined
def blocks_for(s, tokens):
    """Blocks that so many tokens take."""
    return (tokens + s.run[0].block - 1) // s.run[0].block


@inlined
def _pick(s, pool):
    """Choose an instance of a pool that is up: the one with the fewest tokens, or the next in turn."""
    first = s.run[0].first_decode if pool == 1 else 0
    end = s.run[0].first_decode if pool == 0 else s.instance.shape[0]
    if s.run[0].round_robin == 1:
        for k in range(end - first):
            i = first + (s.queue[s.instance.shape[0] + pool].turn + k) % (end - first)
            if s.instance[i].up == 1:
                s.queue[s.instance.shape[0] + pool].turn = i - first + 1
                return i
        return -1
    best = -1
    for i in range(first, end):
        if s.instance[i].up == 1 and (best < 0 or s.instance[i].load < s.instance[best].load):
            best = i
    return best


@kernel
def assign(s, r, pool, phase):
    """Queue a request at an instance of a pool, or at the pool where nothing is up."""
    i = _pick(s, pool)
    move(s, r, phase)
    s.request[r].home = i
    if i < 0:
        enqueue(s, s.instance.shape[0] + pool, r)
        return
    s.request[r].charged = s.request[r].prompt + s.request[r].made
    s.instance[i].load += s.request[r].charged
    enqueue(s, i, r)
    poke(s, i)


@inlined
def fits(s, i, need):
    """Whether blocks can be given to a newcomer: some stay free, unless nothing else is there."""
    return s.instance[i].free - need >= s.instance[i].margin or (
        s.instance[i].free == s.instance[i].blocks and need <= s.instance[i].free
    )


@inlined
def _take_in(s, i, r, need):
    """Give a request of the queue blocks and a place in the batch."""
    dequeue(s, i)
    s.instance[i].free -= need
    s.request[r].held = need
    s.request[r].target, s.request[r].done = s.request[r].prompt + s.request[r].made, 0
    s.members[i, s.instance[i].count] = r
    s.instance[i].count += 1
    move(s, r, FILLING)


@inlined
def need_of(s, i, r):
    """Blocks that a request is admitted with."""
    if s.run[0].reserve == 1 and s.instance[i].role != PREFILL:
        return blocks_for(s, s.request[r].prompt + s.request[r].output)
    return blocks_for(s, s.request[r].prompt + s.request[r].made)


@kernel
def fill_whole(s, i):
    """Compose a pass of whole prompts; return its tokens, their squares, and the longest prompt."""
    before, tokens, squares, longest = s.instance[i].count, 0, 0.0, 0
    while s.queue[i].head >= 0 and s.instance[i].count < s.run[0].most_batch:
        r = s.queue[i].head
        length, need = s.request[r].prompt + s.request[r].made, need_of(s, i, r)
        if (tokens > 0 and tokens + length > s.run[0].most_tokens) or not fits(s, i, need):
            break
        _take_in(s, i, r, need)
        s.request[r].take = length
        tokens += length
        squares += float(length) * length
        longest = max(longest, length)
    if tokens > 0:
        for k in range(before):
            s.request[s.members[i, k]].take = 0
    return tokens, squares, longest


@kernel
def fill_chunks(s, i, room):
    """Compose the prompts' part of a mixed pass; return its tokens and what they add to the squares."""
    tokens, squares, k = 0, 0.0, 0
    while tokens < room:
        if k == s.instance[i].count:
            if s.queue[i].head < 0 or s.instance[i].count == s.run[0].most_batch:
                break
            r = s.queue[i].head
            need = need_of(s, i, r)
            if not fits(s, i, need):
                break
            _take_in(s, i, r, need)
        r = s.members[i, k]
        if s.request[r].phase == FILLING:
            s.request[r].take = min(room - tokens, s.request[r].target - s.request[r].done)
            tokens += s.request[r].take
            before, after = float(s.request[r].done), float(s.request[r].done + s.request[r].take)
            squares += after * after - before * before
        k += 1
    for j in range(k, s.instance[i].count):
        if s.request[s.members[i, j]].phase == FILLING:
            s.request[s.members[i, j]].take = 0
    return tokens, squares


@kernel
def _preempt(s, i):
    """Put the youngest of a batch out: its KV is given up, and made anew later."""
    s.instance[i].count -= 1
    r = s.members[i, s.instance[i].count]
    s.instance[i].free += s.request[r].held
    s.request[r].held = 0
    s.request[r].preempted += 1
    if s.instance[i].role == BOTH:
        move(s, r, WAITING)
        enqueue_first(s, i, r)
    else:
        s.instance[i].load -= s.request[r].charged
        assign(s, r, 0, WAITING)
    return r


@inlined
def grow(s, i):
    """Give all that decode a block for their next token, youngest out first; return batch and positions."""
    batch, positions, k = 0, 0, 0
    while k < s.instance[i].count:
        r = s.members[i, k]
        k += 1
        if s.request[r].phase != DECODING:
            continue
        need, out = blocks_for(s, s.request[r].prompt + s.request[r].made), False
        while s.request[r].held < need and not out:
            if s.instance[i].free > 0:
                s.instance[i].free -= 1
                s.request[r].held += 1
            else:
                out = _preempt(s, i) == r
        if not out:
            s.request[r].take = -1
            batch += 1
            positions += s.request[r].prompt + s.request[r].made
    return batch, positions
