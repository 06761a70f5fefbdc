"""Kernel: bytes over the circuits of rotors, direct or over one relay, interval by interval."""

import numpy as np

from topo_sim.base.jit import kernel

__all__ = ["turn"]

ROUNDING = 1e-12


@kernel
def _send(here, i, j, room, dust, done, crossing):
    """Send what rank i has for rank j as far as there is room, or but for dust; returns how much."""
    amount = here[i, j] if here[i, j] <= room + dust else room
    if amount > 0.0:
        here[i, j] -= amount
        done[i, j] += amount
        crossing[i, j] += amount
    return amount


@kernel
def _offer(own, relayed, given, taken, crossing, i, k, room, turn_bytes, dust):
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
    crossing[i, k] += total
    return total


@kernel
def _over(own, relayed, reach):
    """Whether no line has more left than `reach`."""
    n = len(own)
    columns = np.zeros(n)
    for i in range(n):
        row = 0.0
        for j in range(n):
            amount = own[i, j] + relayed[i, j]
            row += amount
            columns[j] += amount
            if row > reach or columns[j] > reach:
                return False
    return True


@kernel
def turn(shift, start, length, rate, packet_rate, relay, turn_bytes, state, spare):
    """Send over rotating circuits until all is delivered or packets could have drained the rest.

    In interval t plane q joins rank i to rank i + ``shift[t, q]`` (0: dark) from ``start[t]`` on, for
    ``length[t]``. `state` (7, ranks, ranks) holds own and relayed bytes that wait, then what was sent direct,
    given to relays, taken by them, passed on, and what crossed circuits. Returns how many intervals were used
    (-1: all, and bytes are left), when the last byte left, and the most carried beyond the rate.
    """
    own, relayed, direct, given, taken, passed, crossing = (
        state[0], state[1], state[2], state[3], state[4], state[5], state[6]
    )  # fmt: skip
    n = len(own)
    dust = ROUNDING * turn_bytes
    end, excess = 0.0, 0.0
    for t in range(len(length)):
        if _over(own, relayed, packet_rate * start[t]):
            return t, end, excess
        room = length[t] * rate
        for q in range(shift.shape[1]):
            for i in range(n):
                spare[q, i] = room
                if shift[t, q] != 0:
                    j = (i + shift[t, q]) % n
                    spare[q, i] -= _send(relayed, i, j, room, dust, passed, crossing)
                    spare[q, i] -= _send(own, i, j, max(spare[q, i], 0.0), dust, direct, crossing)
        for q in range(shift.shape[1]):
            for i in range(n):
                if relay and spare[q, i] > 0.0 and shift[t, q] != 0:
                    k = (i + shift[t, q]) % n
                    spare[q, i] -= _offer(
                        own, relayed, given, taken, crossing, i, k, spare[q, i], turn_bytes, dust
                    )
                if spare[q, i] < room:
                    end = max(end, start[t] + min((room - spare[q, i]) / rate, length[t]))
                    excess = max(excess, -spare[q, i])
    return (len(length) if _over(own, relayed, 0.0) else -1), end, excess
