"""Fill rounds greedily: which chunk goes over which channel, when."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["fill_rounds"]


@kernel
def _fits(a, indptr, links, share, used, budget):
    """Whether the links of a channel have room for one more chunk in this round."""
    for e in range(indptr[a], indptr[a + 1]):
        if used[links[e]] + share[e] > budget[links[e]] * (1 + 1e-9):
            return False
    return True


@kernel
def _rarest(u, v, pace, held, near, holders):
    """Chunk that the fewest ranks hold, of those that u can send and v lacks, ties at random; -1 for none.

    What v can get at less than `pace` is left out; an infinite `pace` leaves out nothing.
    """
    best, key = -1, np.inf
    for c in range(len(holders)):
        if held[u, c] == 1 and held[v, c] == 0 and (pace == np.inf or pace <= near[v, c] * (1 + 1e-9)):
            rank = holders[c] + np.random.random()  # noqa: NPY002
            if rank < key:
                best, key = c, rank
    return best


@kernel
def fill_rounds(
    source, target, pace, indptr, links, share, budget, origin, between, loose, seed, out_channel, out_chunk,
    out_end,
):  # fmt: skip
    """Send every chunk from its origin to all ranks, round by round.

    Channel a leads from ``source[a]`` to ``target[a]`` at ``pace[a]`` and puts ``share`` of each chunk on its
    links, which take ``budget`` chunks per round. A rank sends what it held when the round began. Channels
    take turns, in random order, one chunk each; each takes the chunk that the fewest ranks hold, among those
    that the target cannot get over a quicker channel (``between``: pace from rank to rank) from a rank that
    holds them or is about to. If `loose`, what is left of a round is filled without that last condition.

    Transfer i is ``out_channel[i], out_chunk[i]``; round t ends before transfer ``out_end[t]``. Returns the
    number of rounds, or -1 if a round sends nothing or there is no room for more.
    """
    np.random.seed(seed)  # noqa: NPY002 (compiled: the only generator that numba seeds)
    ranks, chunks, channels = len(between), len(origin), len(source)
    held = np.zeros((ranks, chunks), dtype=np.int8)  # 1: held, 2: arriving in this round
    near = np.full((ranks, chunks), np.inf)
    holders = np.ones(chunks, dtype=np.int64)
    for c in range(chunks):
        held[origin[c], c] = 1
        near[:, c] = between[origin[c]]
    used = np.zeros(len(budget))
    missing, sent, rounds = (ranks - 1) * chunks, 0, 0
    order = np.arange(channels)
    while missing > 0:
        if rounds == len(out_end):
            return -1
        used[:] = 0.0
        before = sent
        for i in range(channels - 1, 0, -1):
            j = np.random.randint(0, i + 1)  # noqa: NPY002
            order[i], order[j] = order[j], order[i]
        for again in range(2 if loose else 1):
            waiting = channels
            while waiting > 0:
                left = 0
                for i in range(waiting):
                    a = order[i]
                    u, v = source[a], target[a]
                    if not _fits(a, indptr, links, share, used, budget):
                        continue
                    best = _rarest(u, v, np.inf if again else pace[a], held, near, holders)
                    if best < 0:
                        continue
                    for e in range(indptr[a], indptr[a + 1]):
                        used[links[e]] += share[e]
                    held[v, best] = 2
                    holders[best] += 1
                    near[:, best] = np.minimum(near[:, best], between[v])
                    out_channel[sent], out_chunk[sent] = a, best
                    sent += 1
                    order[left], order[i] = order[i], order[left]  # only those that sent may do so again
                    left += 1
                waiting = left
        if sent == before:
            return -1
        missing -= sent - before
        for i in range(before, sent):
            held[target[out_channel[i]], out_chunk[i]] = 1
        out_end[rounds] = sent
        rounds += 1
    return rounds
