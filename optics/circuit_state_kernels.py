"""What is known of circuits and of the flows on them while they come and go."""

from collections import namedtuple

from topo_sim.base.jit import borrowed, kernel

__all__ = ["Circuits", "Story", "book", "circuits_view", "light", "link", "repeat_record", "story_view"]

# What a flow is doing: not here yet, waits for light, sends, has ended.
ABSENT, PARKED, SENDING, ENDED = range(4)
# What the clock counts: the slot that is on (-1: none), periods gone by, edges of slots passed, flows here,
# flows that send, edges in a row at which nothing could send, whether nothing has come or gone since the
# period began, and whether that period was measured from its begin.
SLOT, TURN, PASSED, HERE, BUSY, IDLE, QUIET, MEASURED = range(8)
# How a run may end: all is said, or more edges than allowed.
DONE, TOO_LONG = range(2)

# The schedule, and the pairs of ports that flows use: link l leads to `head[l]`, those of port i from
# `first[i]` on. `users[by_link[l]:by_link[l + 1]]` are the flows on link l; a period can carry
# `most` bytes of each; `cyclic`: 0 or 1.
Circuits = namedtuple("Circuits", "targets edge capacity cyclic first head by_link users most")
# Per link its light (B/s, 0: dark), and with a record what it carries: rate, since when, bytes in this slot.
# Per flow: dark links, what it is doing, bytes kept back while a period is measured, bytes handed out for it.
# `carried`: per slot, plane and port, B, and `before` at the begin of the period.
Story = namedtuple("Story", "light rate since moved dark phase kept chunk ended carried before clock over")


@kernel
def link(i, j, c):
    """Find the link from port i to port j; -1: no flow uses it."""
    low, high = c.first[i], c.first[i + 1]
    while low < high:
        middle = (low + high) // 2
        if c.head[middle] < j:
            low = middle + 1
        else:
            high = middle
    return low if low < c.first[i + 1] and c.head[low] == j else -1


@kernel
def light(slot, i, j, c):
    """Add up the circuits from port i to port j in a slot, B/s."""
    total = 0.0
    if slot >= 0:
        for p in range(c.targets.shape[1]):
            if c.targets[slot, p, i] == j:
                total += c.capacity[p]
    return total


@kernel
def book(now, c, t):
    """Put what the circuits of the slot that is on have carried into the record."""
    slot = t.clock[SLOT]
    if t.carried.size == 0 or slot < 0:
        return
    for p in range(c.targets.shape[1]):
        for i in range(c.targets.shape[2]):
            j = c.targets[slot, p, i]
            number = link(i, j, c) if j >= 0 else -1
            if number >= 0:
                amount = t.moved[number] + t.rate[number] * (now - t.since[number])
                t.carried[slot, p, i] += amount * c.capacity[p] / t.light[number]
    for number in range(t.rate.size):
        if t.light[number] > 0.0:
            t.moved[number], t.since[number] = 0.0, now


@kernel
def repeat_record(times, t):
    """Add what was recorded since the period began so many times more, and begin a period."""
    slots, planes, ports = t.carried.shape
    for s in range(slots):
        for p in range(planes):
            for i in range(ports):
                t.carried[s, p, i] += times * (t.carried[s, p, i] - t.before[s, p, i])
                t.before[s, p, i] = t.carried[s, p, i]


@kernel
def circuits_view(c):
    """See a schedule without counting references; its owner has to keep it alive."""
    return Circuits(
        borrowed(c.targets), borrowed(c.edge), borrowed(c.capacity), c.cyclic, borrowed(c.first),
        borrowed(c.head), borrowed(c.by_link), borrowed(c.users), borrowed(c.most),
    )  # fmt: skip


@kernel
def story_view(t):
    """See a story without counting references; its owner has to keep it alive."""
    return Story(
        borrowed(t.light), borrowed(t.rate), borrowed(t.since), borrowed(t.moved), borrowed(t.dark),
        borrowed(t.phase), borrowed(t.kept), borrowed(t.chunk), borrowed(t.ended), borrowed(t.carried),
        borrowed(t.before), borrowed(t.clock), borrowed(t.over),
    )  # fmt: skip
