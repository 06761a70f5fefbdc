"""Slow, obvious twins of what schedules circuits: permutations by the dozen, bytes slot by slot."""

import itertools
import math

import numpy as np


def permutations(n):
    """All of them; a rank that keeps its place has no circuit."""
    return list(itertools.permutations(range(n)))


def decompose(matrix):
    """Birkhoff and von Neumann on a matrix of integers with equal line sums: any matching on the support."""
    left = [list(map(int, row)) for row in matrix]
    terms = []
    while any(map(any, left)):
        found = next(p for p in permutations(len(left)) if all(left[i][j] for i, j in enumerate(p)))
        amount = min(left[i][j] for i, j in enumerate(found))
        for i, j in enumerate(found):
            left[i][j] -= amount
        terms.append((found, amount))
    return terms


def thickest(left):
    """Largest power of two that all entries of some perfect matching reach; 0 if there is none."""
    best = max(min(left[i][j] for i, j in enumerate(p)) for p in permutations(len(left)))
    return 2 ** int(math.log2(best)) if best else 0


def optimum(demand, rate, delta):
    """Least time of all sets of configurations, direct circuits, one plane, all ports stopping: N of 3."""
    from scipy.optimize import linprog

    n = len(demand)
    best = math.inf
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j and demand[i][j]]
    for size in range(1, n + 4):
        for chosen in itertools.combinations(permutations(n), size):
            cover = [[-1.0 * (p[i] == j) for p in chosen] for i, j in pairs]
            need = [-demand[i][j] / rate for i, j in pairs]
            found = linprog([1.0] * size, A_ub=cover, b_ub=need)
            if found.status == 0:
                best = min(best, found.fun + size * delta)
    return best


def optimum_by_program(demand, rate, delta):
    """The same as a program with a yes or no for each configuration: N of 4."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n = len(demand)
    all_of_them = permutations(n)
    count = len(all_of_them)
    most = np.asarray(demand).sum() / rate
    rows, least = [], []
    for i in range(n):
        for j in range(n):
            if i != j and demand[i][j]:
                rows.append([float(p[i] == j) for p in all_of_them] + [0.0] * count)
                least.append(demand[i][j] / rate)
    for k in range(count):  # no time without the configuration
        row = [0.0] * (2 * count)
        row[k], row[count + k] = -1.0, most
        rows.append(row)
        least.append(0.0)
    found = milp(
        [1.0] * count + [delta] * count,
        constraints=LinearConstraint(np.array(rows), np.array(least), np.inf),
        integrality=[0] * count + [1] * count,
        bounds=Bounds(0, [np.inf] * count + [1.0] * count),
    )
    return found.fun


def best_choice(left, pause):
    """The best bytes per time over all matchings and lengths (Eclipse's choice)."""
    n = len(left)
    lengths = sorted({int(x) for row in left for x in row if x})
    return max(
        sum(min(t, left[i][p[i]]) for i in range(n)) / (t + pause) for p in permutations(n) for t in lengths
    )


def bound(demand, rate, delta, per_port):
    """The bound in its plain form: one plane, no packets, the first configuration paid."""
    lines = [list(row) for row in demand] + [list(column) for column in zip(*demand, strict=True)]
    sums = [sum(line) / rate for line in lines]
    counts = [sum(1 for x in line if x) for line in lines]
    if per_port:
        return max(s + delta * k for s, k in zip(sums, counts, strict=True))
    return max(sums) + delta * max(counts)


def carry(targets, durations, rate, demand):
    """Bytes of each pair over circuits that nobody relays, slot by slot; and when the last one leaves."""
    n = len(demand)
    left = [list(map(float, row)) for row in demand]
    now, last = 0.0, 0.0
    for planes, duration in zip(targets, durations, strict=True):
        for circuits in planes:
            for i in range(n):
                j = int(circuits[i])
                if j >= 0:
                    amount = min(left[i][j], rate * duration)
                    left[i][j] -= amount
                    if amount:
                        last = max(last, now + amount / rate)
        now += duration
    return [[demand[i][j] - left[i][j] for j in range(n)] for i in range(n)], last


def relayed(demand, rate, delta, live, slots):
    """Rotors on one plane with relays: what is left after so many slots, and what crossed circuits in all."""
    n = len(demand)
    own = {(i, j): float(demand[i][j]) for i in range(n) for j in range(n)}
    waits = dict.fromkeys(own, 0.0)
    crossed, last = 0.0, 0.0
    room = rate * live
    for s in range(slots):
        shift = s % (n - 1) + 1
        start = s * (live + delta) + delta
        spare = {}
        for i in range(n):
            j = (i + shift) % n
            spare[i] = room
            for pile in (waits, own):
                amount = min(pile[i, j], spare[i])
                pile[i, j] -= amount
                spare[i] -= amount
        for i in range(n):
            k = (i + shift) % n
            offers = {
                j: max(min(own[i, j], room - waits[k, j] - own[k, j]), 0.0)
                for j in range(n)
                if j not in (i, k)
            }
            total = sum(offers.values())
            share = min(1.0, spare[i] / total) if total else 0.0
            for j, amount in offers.items():
                own[i, j] -= amount * share
                waits[k, j] += amount * share
                spare[i] -= amount * share
            if room - spare[i] > 1e-9 * room:
                last = max(last, start + (room - spare[i]) / rate)
            crossed += room - spare[i]
    return sum(own.values()) + sum(waits.values()), crossed, last


def dark_between(targets, durations, delta, first_free):
    """Whether every port of every plane is dark for `delta` before each circuit that it did not have."""
    slack = 1e-9 * sum(durations)
    for p in range(len(targets[0])):
        for side in range(2):  # sending, receiving
            for port in range(len(targets[0][0])):
                held, dark = None, 0.0
                for planes, duration in zip(targets, durations, strict=True):
                    circuits = list(planes[p])
                    now = (circuits.index(port) if port in circuits else -1) if side else circuits[port]
                    if now < 0:
                        dark += duration
                        continue
                    free = held is None and first_free
                    if now != held and not free and dark < delta - slack:
                        return False
                    held, dark = now, 0.0
    return True
