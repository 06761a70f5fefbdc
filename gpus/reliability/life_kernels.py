"""Kernels of a cluster's life: failures, repairs and what they do to groups, from event to event.

Every entity (device, group that may crash, shared part) has one event to come, so the heap holds one entry
per entity and an event only replaces the entry at its top.
"""

from typing import NamedTuple

import numpy as np

from topo_sim.base.jit import borrowed, kernel

__all__ = ["COUNTS", "FLAGS", "NUMBERS", "LifeState", "live"]

# What the run counts; work is in device-seconds.
COUNTS = (
    *("failures", "hits", "crashes", "part_failures", "interruptions", "rejoins", "swaps", "without_spare"),
    *("kept", "lost", "writing", "running", "whole", "events"),
)
FAILED, HITS, CRASHED, PARTS, STOPPED, REJOINED, SWAPPED, SHORT = range(8)
KEPT, LOST, WRITING, RUNNING, WHOLE, EVENTS = range(8, len(COUNTS))
NUMBERS = ("horizon", "scale", "shape", "repair", "swap", "restart", "interval", "write", "crash_mean")
HORIZON, SCALE, SHAPE, REPAIR, SWAP, RESTART, INTERVAL, WRITE, CRASH_MEAN = range(len(NUMBERS))
FLAGS = ("own_place", "shrinks", "salvage", "exponential_repair", "least", "group", "groups_per_domain")
OWN_PLACE, SHRINKS, SALVAGE, EXPONENTIAL, LEAST, GROUP, PER_DOMAIN = range(len(FLAGS))
POOL, DOWN = -1, -2


class LifeState(NamedTuple):
    """Arrays of one run; `live` fills and changes them.

    Devices come first among the entities, then groups (their crashes), then shared parts. `members` holds a
    row per group of which `size` entries count; `pool` a row per domain of which `spare` count. `queue` is a
    ring per domain of groups that miss a device, `head` its first and `waiting` its length.
    """

    heap_time: np.ndarray
    heap_entity: np.ndarray
    draws: np.ndarray
    home: np.ndarray  # group of a device, or -1 - domain of a spare
    where: np.ndarray  # group that a device is in, POOL or DOWN
    place: np.ndarray  # its index among the members or in the pool
    members: np.ndarray
    size: np.ndarray
    ready: np.ndarray  # when a group runs, or ran, again; infinite while it cannot
    blocked: np.ndarray  # shared parts that are down, per group
    pool: np.ndarray
    spare: np.ndarray
    queue: np.ndarray
    head: np.ndarray
    waiting: np.ndarray
    donor: np.ndarray  # group per domain that gives its devices away, or -1
    part_mean: np.ndarray
    part_repair: np.ndarray
    part_first: np.ndarray  # first group of a part, and one past its last
    part_last: np.ndarray
    part_down: np.ndarray
    numbers: np.ndarray
    flags: np.ndarray
    counts: np.ndarray
    bins: np.ndarray  # work kept, by time
    down_time: np.ndarray  # time with so many devices down
    runs: np.ndarray  # rows of group, begin and end of running, as many as there is room for
    logged: np.ndarray  # how many there were


@kernel
def _borrow(s):
    """See the state without counting references: short kernels pass it on at every event."""
    return LifeState(
        borrowed(s.heap_time),
        borrowed(s.heap_entity),
        borrowed(s.draws),
        borrowed(s.home),
        borrowed(s.where),
        borrowed(s.place),
        borrowed(s.members),
        borrowed(s.size),
        borrowed(s.ready),
        borrowed(s.blocked),
        borrowed(s.pool),
        borrowed(s.spare),
        borrowed(s.queue),
        borrowed(s.head),
        borrowed(s.waiting),
        borrowed(s.donor),
        borrowed(s.part_mean),
        borrowed(s.part_repair),
        borrowed(s.part_first),
        borrowed(s.part_last),
        borrowed(s.part_down),
        borrowed(s.numbers),
        borrowed(s.flags),
        borrowed(s.counts),
        borrowed(s.bins),
        borrowed(s.down_time),
        borrowed(s.runs),
        borrowed(s.logged),
    )


@kernel
def _mix(x):
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@kernel
def _exponential(state, seed, entity):
    """Draw number `draws[entity]` of an entity: a pure function of seed, entity and number."""
    state.draws[entity] += 1
    stream = _mix(seed ^ _mix(np.uint64(entity + 1) * np.uint64(0x9E3779B97F4A7C15)))
    bits = _mix(stream + np.uint64(state.draws[entity]) * np.uint64(0x9E3779B97F4A7C15))
    return -np.log((np.float64(bits >> np.uint64(11)) + 0.5) / 9007199254740992.0)


@kernel
def _replace_top(state, time):
    """Give the entity at the top of the heap its next event."""
    times, entities = state.heap_time, state.heap_entity
    entity, n, i = entities[0], times.shape[0], 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time:
            break
        times[i], entities[i] = times[child], entities[child]
        i = child
    times[i], entities[i] = time, entity


@kernel
def _spread(state, begin, end, work):
    """Add work done evenly between two times to the bins."""
    width = state.numbers[HORIZON] / state.bins.shape[0]
    first = min(int(begin / width), state.bins.shape[0] - 1)
    last = min(int(end / width), state.bins.shape[0] - 1)
    if first == last:
        state.bins[first] += work
        return
    each = work / (end - begin)
    state.bins[first] += each * ((first + 1) * width - begin)
    for i in range(first + 1, last):
        state.bins[i] += each * width
    state.bins[last] += each * (end - last * width)


@kernel
def _stop(state, group, now, planned):
    """Stop a group that runs and book what it did since it was ready; return whether it ran."""
    begin = state.ready[group]
    if begin >= now:
        return False
    ran, devices = now - begin, float(state.size[group])
    interval, write = state.numbers[INTERVAL], state.numbers[WRITE]
    kept, lost, writing = ran, 0.0, 0.0
    if interval < np.inf:
        cycles = np.floor(ran / (interval + write))
        rest = ran - cycles * (interval + write)
        kept, writing = cycles * interval, cycles * write + max(rest - interval, 0.0)
        if planned:
            kept += min(rest, interval)
        else:
            lost = min(rest, interval)
    state.counts[RUNNING] += ran * devices
    if state.size[group] == state.flags[GROUP]:
        state.counts[WHOLE] += ran
    state.counts[KEPT] += kept * devices
    state.counts[LOST] += lost * devices
    state.counts[WRITING] += writing * devices
    if kept > 0.0:
        _spread(state, begin, now, kept * devices)
    row = state.logged[0]
    state.logged[0] += 1
    if row < state.runs.shape[0]:
        state.runs[row, 0], state.runs[row, 1], state.runs[row, 2] = group, begin, now
    state.ready[group] = np.inf
    return True


@kernel
def _arm(state, group, now, delay):
    """Say when a group that stands runs again."""
    missing = state.flags[GROUP] - state.size[group]
    can = missing == 0 or (state.flags[SHRINKS] == 1 and state.size[group] >= state.flags[LEAST])
    if can and state.blocked[group] == 0:
        state.ready[group] = now + delay + state.numbers[RESTART]
    else:
        state.ready[group] = np.inf


@kernel
def _join(state, device, group):
    state.members[group, state.size[group]] = device
    state.where[device], state.place[device] = group, state.size[group]
    state.size[group] += 1


@kernel
def _leave(state, device):
    """Take a device out of its group, or out of the pool of its domain."""
    group, at = state.where[device], state.place[device]
    if group == POOL:
        row, count = state.pool[_domain(state, device)], state.spare
        group = _domain(state, device)
    else:
        row, count = state.members[group], state.size
    count[group] -= 1
    row[at] = row[count[group]]
    state.place[row[at]] = at
    state.where[device] = DOWN


@kernel
def _domain(state, device):
    home = state.home[device]
    return home // state.flags[PER_DOMAIN] if home >= 0 else -1 - home


@kernel
def _wait(state, domain, group):
    """Put a group that misses a device at the end of the queue."""
    slot = (state.head[domain] + state.waiting[domain]) % state.queue.shape[1]
    state.queue[domain, slot] = group
    state.waiting[domain] += 1


@kernel
def _served(state, domain):
    """Take the group that gets the next device: the first, or with salvage the last, which misses fewest."""
    state.waiting[domain] -= 1
    slot = state.head[domain]
    if state.flags[SALVAGE] == 1:
        slot += state.waiting[domain]
    else:
        state.head[domain] = (slot + 1) % state.queue.shape[1]
    return state.queue[domain, slot % state.queue.shape[1]]


@kernel
def _replace(state, group, domain):
    """Find a device for a group that lost one; return whether there was any."""
    if state.flags[OWN_PLACE] == 1:
        return False
    if state.spare[domain] > 0:
        device = state.pool[domain, state.spare[domain] - 1]
        _leave(state, device)
        _join(state, device, group)
        return True
    state.counts[SHORT] += 1
    donor = state.donor[domain]
    if state.flags[SALVAGE] == 1 and donor >= 0 and donor != group and state.size[donor] > 0:
        device = state.members[donor, state.size[donor] - 1]
        _leave(state, device)
        _join(state, device, group)
        _wait(state, domain, donor)
        return True
    state.donor[domain] = group
    _wait(state, domain, group)
    return False


@kernel
def _device_fails(state, device, now):
    state.counts[FAILED] += 1
    group = state.where[device]
    if group == POOL:
        _leave(state, device)
        return
    state.counts[HITS] += 1
    if _stop(state, group, now, False):
        state.counts[STOPPED] += 1
    _leave(state, device)
    replaced = _replace(state, group, _domain(state, device))
    state.counts[SWAPPED] += replaced
    _arm(state, group, now, state.numbers[SWAP] if replaced else 0.0)


@kernel
def _device_returns(state, device, now):
    domain, own = _domain(state, device), state.flags[OWN_PLACE] == 1
    if not own and state.waiting[domain] == 0:
        state.pool[domain, state.spare[domain]] = device
        state.where[device], state.place[device] = POOL, state.spare[domain]
        state.spare[domain] += 1
        return
    group = state.home[device] if own else _served(state, domain)
    state.counts[REJOINED] += _stop(state, group, now, True)
    _join(state, device, group)
    if not own and state.size[group] == state.flags[GROUP] and state.donor[domain] == group:
        state.donor[domain] = -1
        if state.waiting[domain] > 0:
            slot = state.head[domain] + state.waiting[domain] - 1
            state.donor[domain] = state.queue[domain, slot % state.queue.shape[1]]
    _arm(state, group, now, 0.0 if own else state.numbers[SWAP])


@kernel
def _group_crashes(state, group, now):
    """Interrupt a group without breaking anything; one that is being restarted starts over."""
    begin = state.ready[group]
    if begin == np.inf:
        return
    state.counts[CRASHED] += 1
    if _stop(state, group, now, False):
        state.counts[STOPPED] += 1
        begin = now
    state.ready[group] = max(begin, now + state.numbers[RESTART])


@kernel
def _part_turns(state, part, now):
    """Fail or mend a shared part, and with it the groups that need it."""
    down = state.part_down[part] == 0
    state.part_down[part] = down
    state.counts[PARTS] += down
    for group in range(state.part_first[part], state.part_last[part]):
        if down:
            state.counts[STOPPED] += _stop(state, group, now, False)
            state.blocked[group] += 1
            state.ready[group] = np.inf
        else:
            state.blocked[group] -= 1
            if state.blocked[group] == 0:
                _arm(state, group, now, 0.0)
    return down


@kernel
def _lifetime(state, seed, entity):
    """Time until an entity that is up fails."""
    devices, groups = state.home.shape[0], state.size.shape[0]
    drawn = _exponential(state, seed, entity)
    if entity < devices:
        return state.numbers[SCALE] * drawn ** (1.0 / state.numbers[SHAPE])
    if entity < devices + groups:
        return state.numbers[CRASH_MEAN] * drawn
    return state.part_mean[entity - devices - groups] * drawn


@kernel
def _turn(state, seed, entity, now):
    """Let what happens to one entity happen; return when it happens to it again, and how many went down."""
    devices, groups = state.home.shape[0], state.size.shape[0]
    if entity < devices and state.where[entity] != DOWN:
        _device_fails(state, entity, now)
        repair = state.numbers[REPAIR]
        if state.flags[EXPONENTIAL] == 1:
            repair *= _exponential(state, seed, entity)
        return now + repair, 1
    if entity < devices:
        _device_returns(state, entity, now)
        return now + _lifetime(state, seed, entity), -1
    if entity < devices + groups:
        _group_crashes(state, entity - devices, now)
    elif _part_turns(state, entity - devices - groups, now):
        return now + state.part_repair[entity - devices - groups], 0
    return now + _lifetime(state, seed, entity), 0


@kernel
def live(state, seed):
    """Run one life to its horizon.

    Parameters
    ----------
    state : LifeState
        All up and running at time 0, with nothing counted.
    seed : uint64
        Of all draws.
    """
    _run(_borrow(state), seed)


@kernel
def _run(state, seed):
    for entity in range(state.heap_time.shape[0]):
        state.heap_time[entity] = _lifetime(state, seed, entity)
    order = np.argsort(state.heap_time)
    state.heap_time[:] = state.heap_time[order]
    state.heap_entity[:] = order
    horizon, before, down = state.numbers[HORIZON], 0.0, 0
    while state.heap_time[0] < horizon:
        now, entity = state.heap_time[0], state.heap_entity[0]
        state.down_time[min(down, state.down_time.shape[0] - 1)] += now - before
        again, more = _turn(state, seed, entity, now)
        _replace_top(state, again)
        before, down = now, down + more
        state.counts[EVENTS] += 1
    state.down_time[min(down, state.down_time.shape[0] - 1)] += horizon - before
    for group in range(state.size.shape[0]):
        _stop(state, group, horizon, True)
