"""A slow, obvious twin of a cluster's life: every event is looked for, every group counted anew."""

import math

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def take(members, device):
    """Remove a device; the last one moves into its place. Which device serves where is nobody's business."""
    members[members.index(device)] = members[-1]
    members.pop()


class Draws:
    def __init__(self, seed):
        self.seed, self.count = seed, {}

    def exponential(self, entity):
        self.count[entity] = self.count.get(entity, 0) + 1
        stream = mix(self.seed ^ mix((entity + 1) * GOLDEN & MASK))
        bits = mix((stream + self.count[entity] * GOLDEN) & MASK)
        return -math.log(((bits >> 11) + 0.5) / 2**53)


class NaiveLife:
    """Lists of who is where; no heap, no rings."""

    def __init__(self, cluster, policy, job, horizon, seed):
        self.c, self.p, self.job, self.horizon = cluster, policy, job, horizon
        self.draws = Draws(seed)
        n, g = cluster.count, cluster.group
        self.groups = [list(range(i, i + g)) for i in range(0, n, g)]
        self.domains = cluster.domains if policy.domain else 1
        each = cluster.spares // self.domains
        self.pools = [list(range(n + d * each, n + (d + 1) * each)) for d in range(self.domains)]
        self.queues = [[] for _ in range(self.domains)]
        self.ready = [0.0] * len(self.groups)
        self.swap = policy.swap if job.swap is None else job.swap
        names = "failures hits crashes part_failures interruptions rejoins swaps kept lost writing running"
        self.total = dict.fromkeys(names.split(), 0.0)
        self.blocked = [0] * len(self.groups)
        self.down_parts = set()
        self.parts = [
            (part, start // g, -(-min(start + part.reach, n) // g))
            for part in cluster.parts
            for start in range(0, n, part.reach)
        ]

    def domain_of_group(self, group):
        return group // (len(self.groups) // self.domains)

    def domain(self, device):
        n = self.c.count
        if device < n:
            return self.domain_of_group(device // self.c.group)
        return (device - n) // (self.c.spares // self.domains)

    def lifetime(self, entity):
        drawn, n, c = self.draws.exponential(entity), self.c.count + self.c.spares, self.c
        if entity < n:
            mean = 1 / c.rate if c.rate else math.inf
            return mean / math.gamma(1 + 1 / c.shape) * drawn ** (1 / c.shape)
        if entity < n + len(self.groups):
            crashes = c.crash_rate * c.group
            return drawn / crashes if crashes else math.inf
        return drawn / self.parts[entity - n - len(self.groups)][0].rate

    def stop(self, group, now, planned):
        if self.ready[group] >= now:
            return False
        ran, size = now - self.ready[group], len(self.groups[group])
        kept, lost, writing = ran, 0.0, 0.0
        if self.job.interval is not None:
            kept = writing = 0.0
            left = ran
            while left >= self.job.interval + self.job.write:
                left -= self.job.interval + self.job.write
                kept, writing = kept + self.job.interval, writing + self.job.write
            work = min(left, self.job.interval)
            writing += left - work
            kept, lost = (kept + work, 0.0) if planned else (kept, work)
        for name, value in (("kept", kept), ("lost", lost), ("writing", writing), ("running", ran)):
            self.total[name] += value * size
        self.ready[group] = math.inf
        return True

    def arm(self, group, now, delay):
        size = len(self.groups[group])
        enough = size == self.c.group or (self.p.shrinks and size >= self.job.least)
        free = enough and self.blocked[group] == 0
        self.ready[group] = now + delay + self.job.restart if free else math.inf

    def fail(self, device, now):
        self.total["failures"] += 1
        domain = self.domain(device)
        if device in self.pools[domain]:
            take(self.pools[domain], device)
            return
        group = next(i for i, members in enumerate(self.groups) if device in members)
        self.total["hits"] += 1
        self.total["interruptions"] += self.stop(group, now, False)
        take(self.groups[group], device)
        replaced = self.p.spares and self.replace(group, domain)
        self.total["swaps"] += bool(replaced)
        self.arm(group, now, self.swap if replaced else 0.0)

    def replace(self, group, domain):
        if self.pools[domain]:
            self.groups[group].append(self.pools[domain].pop())
            return True
        if self.p.salvage:
            waiting = [i for i in self.queues[domain] if i != group and self.groups[i]]
            if waiting:
                self.groups[group].append(self.groups[waiting[-1]].pop())
                self.queues[domain].append(waiting[-1])
                return True
        self.queues[domain].append(group)
        return False

    def come_back(self, device, now):
        domain = self.domain(device)
        if self.p.spares and not self.queues[domain]:
            self.pools[domain].append(device)
            return
        if self.p.spares:
            group = self.queues[domain].pop(-1 if self.p.salvage else 0)
        else:
            group = device // self.c.group
        self.total["rejoins"] += self.stop(group, now, True)
        self.groups[group].append(device)
        self.arm(group, now, self.swap if self.p.spares else 0.0)

    def crash(self, group, now):
        begin = self.ready[group]
        if begin == math.inf:
            return
        self.total["crashes"] += 1
        if self.stop(group, now, False):
            self.total["interruptions"] += 1
            begin = now
        self.ready[group] = max(begin, now + self.job.restart)

    def turn_part(self, index, now):
        part, first, last = self.parts[index]
        down = index not in self.down_parts
        (self.down_parts.add if down else self.down_parts.remove)(index)
        self.total["part_failures"] += down
        for group in range(first, last):
            self.blocked[group] += 1 if down else -1
            if down:
                self.total["interruptions"] += self.stop(group, now, False)
                self.ready[group] = math.inf
            elif self.blocked[group] == 0:
                self.arm(group, now, 0.0)
        return part.repair if down else None

    def run(self):
        n, groups = self.c.count + self.c.spares, len(self.groups)
        times = [self.lifetime(e) for e in range(n + groups + len(self.parts))]
        down = set()
        while min(times) < self.horizon:
            now = min(times)
            entity = times.index(now)
            wait = None
            if entity < n and entity not in down:
                self.fail(entity, now)
                down.add(entity)
                exponential = self.c.repair_law == "exponential"
                wait = self.c.repair * (self.draws.exponential(entity) if exponential else 1.0)
            elif entity < n:
                self.come_back(entity, now)
                down.remove(entity)
            elif entity < n + groups:
                self.crash(entity - n, now)
            else:
                wait = self.turn_part(entity - n - groups, now)
            times[entity] = now + (self.lifetime(entity) if wait is None else wait)
        for group in range(groups):
            self.stop(group, self.horizon, True)
        return self.total
