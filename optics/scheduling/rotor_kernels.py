"""Kernel: bytes over the circuits of rotors, direct or over one relay, interval by interval."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["turn"]

ROUNDING = 1e-12


@kernel
def _send(here, i, j, room, dust, done):
    """Send what rank i has for rank j as far as there is room, or but for dust; returns how much."""
    amount = here[i, j] if here[i, j] <= room + dust else room
    if amount > 0.0:
        here[i, j] -= amount
        done[i, j] += amount
    return amount


@kernel
def _offer(own, relayed, given, taken, handed, i, k, room, turn_bytes, dust):
    """Hand over to rank k what it can pass on in its next turn; returns how much."""
    n = len(own)
    wanted = 0.0
    if room <= dust:
        return 0.0
    for j in range(n):
        if j != i and j != k and own[i, j] > 0.0:
            wanted += max(min(own[i, j], turn_bytes - relayed[k, j] - own[k, j]), 0.0)
    if wanted <= 0.0:
        return 0.0
    share = min(1.0, room / wanted)
    total = 0.0
    for j in range(n):
        if j != i and j != k and own[i, j] > 0.0:
            amount = max(min(own[i, j], turn_bytes - relayed[k, j] - own[k, j]), 0.0) * share
            amount = own[i, j] if amount > 0.0 and own[i, j] <= amount + dust else amount
            own[i, j] -= amount
            given[i, j] += amount
            relayed[k, j] += amount
            taken[k, j] += amount
            total += amount
    handed[i, k] += total
    return total


@kernel
def _busiest(own, relayed):
    """Largest line sum of what is left."""
    n = len(own)
    columns = np.zeros(n)
    most = 0.0
    for i in range(n):
        row = 0.0
        for j in range(n):
            amount = own[i, j] + relayed[i, j]
            row += amount
            columns[j] += amount
        most = max(most, row)
    return max(most, columns.max())


@kernel
def _empty(own, relayed):
    """Whether nothing is left."""
    for i in range(len(own)):
        for j in range(len(own)):
            if own[i, j] > 0.0 or relayed[i, j] > 0.0:
                return False
    return True


@kernel
def turn(shift, start, length, rate, packet_rate, relay, turn_bytes, state, spare):
    """Send over rotating circuits until all is delivered or packets could have drained the rest.

    In interval t plane q joins rank i to rank i + ``shift[t, q]`` (0: dark) from ``start[t]`` on, for
    ``length[t]``. `state` (7, ranks, ranks) holds own and relayed bytes that wait, then what was sent direct,
    given to relays and taken by them (by last rank), passed on, and handed over (by relay). Returns how many
    intervals were used (-1: all, and bytes are left), when the last byte left, and the most carried beyond
    the rate.
    """
    own, relayed, direct, given, taken, passed, handed = (
        state[0], state[1], state[2], state[3], state[4], state[5], state[6]
    )  # fmt: skip
    n = len(own)
    end, excess = 0.0, 0.0
    for t in range(len(length)):
        if _empty(own, relayed):
            return t, end, excess
        span = length[t]
        if packet_rate > 0.0:  # from then on packets alone would have drained all that is left
            span = min(span, _busiest(own, relayed) / packet_rate - start[t])
            if span <= 0.0:
                return t, end, excess
        room = span * rate
        dust = ROUNDING * room
        for q in range(shift.shape[1]):
            for i in range(n):
                spare[q, i] = room
                if shift[t, q] != 0:
                    j = (i + shift[t, q]) % n
                    spare[q, i] -= _send(relayed, i, j, room, dust, passed)
                    spare[q, i] -= _send(own, i, j, max(spare[q, i], 0.0), dust, direct)
        for q in range(shift.shape[1]):
            for i in range(n):
                if relay and spare[q, i] > 0.0 and shift[t, q] != 0:
                    k = (i + shift[t, q]) % n
                    spare[q, i] -= _offer(
                        own, relayed, given, taken, handed, i, k, spare[q, i], turn_bytes, dust
                    )
                if spare[q, i] < room:
                    end = max(end, start[t] + min((room - spare[q, i]) / rate, span))
                    excess = max(excess, -spare[q, i])
    return (len(length) if _empty(own, relayed) else -1), end, excess
