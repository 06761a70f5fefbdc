"""Flows over circuits in exact fractions, event after event: the slow, obvious twin of `run_circuits`."""

from fractions import Fraction
from itertools import pairwise


def circuits_at(schedule, slot):
    """Capacity of every pair of ports in a slot, B/s."""
    light = {}
    if slot is None:
        return light
    for plane, row in enumerate(schedule.targets[slot].tolist()):
        for i, j in enumerate(row):
            if j >= 0:
                light[i, j] = light.get((i, j), Fraction(0)) + Fraction(float(schedule.capacity[plane]))
    return light


def slot_at(schedule, time):
    """The slot that is on from a time on, and when it ends (None: never)."""
    durations = [Fraction(d) for d in schedule.durations.tolist()]
    period = sum(durations)
    turn = time // period if schedule.cyclic else 0
    begin = turn * period
    for slot, duration in enumerate(durations):
        if begin <= time < begin + duration:
            return slot, begin + duration
        begin += duration
    return None, None


def fair_rates(ways, light):
    """Max-min fair rates by filling up: {flow: rate} for flows whose ways are lit."""
    rates = {}
    open_flows = {f: way for f, way in ways.items() if all(pair in light for pair in way)}
    room = dict(light)
    while open_flows:
        users = {}
        for way in open_flows.values():
            for pair in way:
                users[pair] = users.get(pair, 0) + 1
        level, tight = min((room[pair] / n, pair) for pair, n in users.items())
        for f in [f for f, way in open_flows.items() if tight in way]:
            rates[f] = level
            for pair in open_flows.pop(f):
                room[pair] -= level
    return rates


def run_naively(schedule, hops, size, start, latency, after=(), behind=(), delay=None, most=100_000):
    """Finish times (None: never), and bytes carried by slot and pair."""
    flows = len(hops)
    exact = [[Fraction(float(x)) for x in values] for values in (size, start, latency, delay or [0] * flows)]
    left, due, late, wait = exact
    ways = {f: list(pairwise(way)) for f, way in enumerate(hops)}
    parents = {f: [] for f in range(flows)}
    for kind, rows in ((True, after), (False, behind)):
        for f, parent in rows:
            parents[f].append((parent, kind))
    sent = [None] * flows
    carried = {}
    now = Fraction(0)
    for _ in range(most):
        changed = True
        while changed:
            changed = False
            for f in range(flows):
                begin = begin_of(f, parents, sent, late, wait, due)
                if sent[f] is None and begin is not None and begin <= now and left[f] == 0:
                    sent[f] = max(begin, now) if Fraction(float(size[f])) else begin
                    changed = True
        begins = {f: begin_of(f, parents, sent, late, wait, due) for f in range(flows) if sent[f] is None}
        if not begins:
            return sent, carried
        here = {f: ways[f] for f, begin in begins.items() if begin is not None and begin <= now}
        slot, edge = slot_at(schedule, now)
        rates = fair_rates(here, circuits_at(schedule, slot))
        times = [now + left[f] / rate for f, rate in rates.items()]
        times += [begin for begin in begins.values() if begin is not None and begin > now]
        times += [edge] if edge is not None else []
        if not times:
            return sent, carried
        step = min(times) - now
        for f, rate in rates.items():
            left[f] -= rate * step
            for pair in ways[f]:
                carried[slot, pair] = carried.get((slot, pair), 0) + rate * step
        now += step
    return sent, carried


def begin_of(f, parents, sent, late, wait, due):
    """When a flow is due, if that is known."""
    if any(sent[parent] is None for parent, _ in parents[f]):
        return None
    heard = [sent[parent] + (late[parent] if arrival else 0) + wait[f] for parent, arrival in parents[f]]
    return max([due[f], *heard])
