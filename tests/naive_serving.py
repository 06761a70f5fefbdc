"""A slow, obvious twin of a serving run: lists of requests, every event looked for, nothing clever."""

import bisect
import heapq
import math
from itertools import count


def cell(grid, x):
    if len(grid) == 1 or x <= grid[0]:
        return 0, 0.0
    i = min(bisect.bisect_right(grid, x) - 1, len(grid) - 2)
    return i, (x - grid[i]) / (grid[i + 1] - grid[i])


def between(xs, ys, table, x, y):
    (i, u), (j, v) = cell(xs, x), cell(ys, y)
    i1, j1 = min(i + 1, len(xs) - 1), min(j + 1, len(ys) - 1)
    low = table[i][j] + u * (table[i1][j] - table[i][j])
    if v == 0:
        return low
    high = table[i][j1] + u * (table[i1][j1] - table[i][j1])
    return low + v * (high - low)


class Request:
    def __init__(self, number, arrival, prompt, output):
        self.number, self.arrival, self.prompt, self.output = number, arrival, prompt, output
        self.times = []  # of its tokens
        self.earlier = 0.0
        self.state, self.at, self.source = "to come", None, None
        self.blocks, self.kept, self.restarts, self.preempted = 0, 0, 0, 0
        self.finish = math.nan
        self.transfer = None

    @property
    def length(self):
        return self.prompt + len(self.times)


class Instance:
    def __init__(self, number, role, table, blocks):
        self.number, self.role, self.table, self.blocks = number, role, table, blocks
        self.up, self.work, self.epoch = True, None, 0
        self.queue, self.batch, self.incoming = [], [], []
        self.used, self.load, self.busy = 0, 0, 0.0
        self.sends_until = self.receives_until = 0.0

    @property
    def free(self):
        return self.blocks - self.used


class NaiveServing:
    def __init__(self, requests, pools, rules, links=None, outages=(), horizon=1e9):
        self.rules, self.links, self.horizon, self.now = rules, links, horizon, 0.0
        rows = zip(requests.arrival.tolist(), requests.prompt.tolist(), requests.output.tolist(), strict=True)
        self.requests = [Request(i, *row) for i, row in enumerate(rows)]
        self.split = len(pools) == 2
        self.pools, self.limbo = [], [[], []]
        numbers = count()
        for k, pool in enumerate(pools):
            role = ("prefill", "decode")[k] if self.split else "both"
            blocks = pool.table.capacity // rules.block
            self.pools.append(
                [Instance(next(numbers), role, pool.table, blocks) for _ in range(pool.instances)]
            )
        self.instances = [i for pool in self.pools for i in pool]
        self.turn = [0, 0]
        self.heap, self.order, self.todo = [], count(), []
        self.gaps, self.batches = [], [{}, {}]
        cuts = [(b, 1, int(i), False) for i, b, e in outages]
        cuts += [(e, 0, int(i), True) for i, b, e in outages if e < math.inf]
        self.cuts = sorted(cuts)
        self.waiting_arrivals = list(self.requests)

    # Who goes where.

    def pick(self, k):
        pool = self.pools[k]
        if self.rules.dispatch == "round_robin":
            for step in range(len(pool)):
                at = (self.turn[k] + step) % len(pool)
                if pool[at].up:
                    self.turn[k] = at + 1
                    return pool[at]
            return None
        return min((i for i in pool if i.up), key=lambda i: i.load, default=None)

    def assign(self, r, k, state):
        r.state, r.at = state, self.pick(k)
        if r.at is None:
            self.limbo[k].append(r)
            return
        r.charged = r.length
        r.at.load += r.charged
        r.at.queue.append(r)
        self.look(r.at)

    def look(self, instance):
        if instance not in self.todo:
            self.todo.append(instance)

    def size(self, tokens):
        return -(-tokens // self.rules.block)

    def need(self, i, r):
        reserve = self.rules.memory == "reserve" and i.role != "prefill"
        return self.size(r.prompt + r.output if reserve else r.length)

    def fits(self, i, need):
        margin = int(i.blocks * self.rules.margin)
        return i.free - need >= margin or (i.used == 0 and need <= i.free)

    def arrive(self, r):
        most = min(pool[0].blocks for pool in self.pools)
        if self.size(r.prompt + r.output) > most:
            r.state = "refused"
        else:
            self.assign(r, 0, "waiting")

    # Passes.

    def let_in(self, i, r):
        i.queue.pop(0)
        r.blocks = self.need(i, r)
        i.used += r.blocks
        i.batch.append(r)
        r.state, r.target, r.done = "prefill", r.length, 0

    def compose(self, i):
        """What each request does in the next pass: (request, tokens), None for decoding."""
        whole = i.role == "prefill" or (i.role == "both" and self.rules.chunk == 0)
        work = []
        if whole:
            while i.queue and len(i.batch) < self.rules.most_batch:
                r = i.queue[0]
                total = sum(tokens for _, tokens in work)
                if (work and total + r.length > self.rules.most_tokens) or not self.fits(i, self.need(i, r)):
                    break
                self.let_in(i, r)
                work.append((r, r.length))
            if work or i.role == "prefill":
                return work
        work = [(r, None) for r in self.growing(i)]
        if i.role == "both" and self.rules.chunk:
            work += self.chunks(i, self.rules.chunk - len(work))
        return work

    def growing(self, i):
        ready = []
        for r in [r for r in i.batch if r.state == "decode"]:
            if r not in i.batch:
                continue
            while r in i.batch and r.blocks < self.size(r.length):
                if i.free:
                    i.used += 1
                    r.blocks += 1
                else:
                    self.put_out(i)
            if r in i.batch:
                ready.append(r)
        return ready

    def put_out(self, i):
        r = i.batch.pop()
        i.used -= r.blocks
        r.blocks, r.preempted = 0, r.preempted + 1
        if i.role == "both":
            r.state = "waiting"
            i.queue.insert(0, r)
        else:
            i.load -= r.charged
            self.assign(r, 0, "waiting")

    def chunks(self, i, room):
        work, k = [], 0
        while room > 0:
            if k == len(i.batch):
                if not i.queue or len(i.batch) == self.rules.most_batch:
                    break
                if not self.fits(i, self.need(i, i.queue[0])):
                    break
                self.let_in(i, i.queue[0])
            r = i.batch[k]
            if r.state == "prefill":
                tokens = min(room, r.target - r.done)
                work.append((r, tokens))
                room -= tokens
            k += 1
        return work

    def time(self, i, work):
        t, whole = i.table, i.role == "prefill" or self.rules.chunk == 0

        def prefill(tokens, squares):
            return between(t.tokens, t.lengths, t.prefill, tokens, squares / tokens)

        def decode(batch, positions):
            return between(t.batches, t.contexts, t.decode, batch, positions / batch)

        filling = [(r, tokens) for r, tokens in work if tokens is not None]
        decoding = [r for r, tokens in work if tokens is None]
        batch, positions = len(decoding), sum(r.length for r in decoding)
        if not filling:
            return decode(batch, positions)
        tokens = sum(n for _, n in filling)
        squares = 0.0
        for r, n in filling:
            squares += float(r.done + n) ** 2 - float(r.done) ** 2
        times = [prefill(tokens, squares)]
        if whole:
            longest = max(n for _, n in filling)
            times.append(prefill(longest, longest * longest))
        if batch:
            alone = decode(batch, positions)
            both = prefill(tokens + batch, squares) + (alone - decode(batch, batch * t.contexts[0]))
            times += [alone, both]
        return max(times)

    def start(self, i):
        if not i.up or i.work:
            return
        work = self.compose(i)
        if not work:
            return
        i.work, i.began = work, self.now
        batch = sum(tokens is None for _, tokens in work)
        if batch:
            k = 1 if i.role == "decode" else 0
            self.batches[k][batch] = self.batches[k].get(batch, 0) + 1
        self.push(self.now + self.time(i, work), ("pass", i, i.epoch))

    def push(self, time, what):
        heapq.heappush(self.heap, (time, next(self.order), what))

    def token(self, r):
        if r.times:
            self.gaps.append(self.now - r.times[-1])
        r.times.append(self.now)

    def end_pass(self, i):
        i.busy += self.now - i.began
        doing, i.work = dict(i.work), None
        for r in list(i.batch):
            if r not in doing:
                continue
            prefilled = False
            if doing[r] is not None:
                r.done += doing[r]
                prefilled = r.done == r.target
            if doing[r] is None or prefilled:
                self.token(r)
                if len(r.times) == r.output:
                    i.batch.remove(r)
                    i.load -= r.charged
                    i.used -= r.blocks
                    r.state, r.finish = "finished", self.now
                elif i.role == "prefill":
                    i.batch.remove(r)
                    i.load -= r.charged
                    r.kept, r.blocks, r.source = r.blocks, 0, i
                    self.assign(r, 1, "handover")
                else:
                    r.state = "decode"
        self.look(i)

    # KV on its way.

    def send(self, j):
        while j.queue and len(j.batch) + len(j.incoming) < self.rules.most_batch:
            r = j.queue[0]
            need, i = self.need(j, r), r.source
            if not self.fits(j, need):
                return
            j.queue.pop(0)
            j.used += need
            r.blocks, r.state = need, "transfer"
            j.incoming.append(r)
            k = j.number - len(self.pools[0])
            begin = max(self.now, i.sends_until, j.receives_until)
            end = begin + self.links.bytes_per_token * (r.length - 1) / self.links.rate[i.number][k]
            i.sends_until = j.receives_until = end
            r.transfer = object()
            self.push(end + self.links.latency[i.number][k], ("transfer", r, r.transfer))

    def receive(self, r):
        i, j = r.source, r.at
        i.used -= r.kept
        r.kept, r.source, r.state = 0, None, "decode"
        j.incoming.remove(r)
        j.batch.append(r)
        self.look(i)
        self.look(j)

    # Failures.

    def lose(self, r):
        r.restarts += 1
        r.blocks, r.kept, r.source, r.transfer = 0, 0, None, None
        self.assign(r, 0, "waiting")

    def fail(self, i):
        i.up = False
        if i.work:
            i.busy += self.now - i.began
        i.work, i.epoch = None, i.epoch + 1
        i.queue, i.batch, i.incoming, i.used, i.load = [], [], [], 0, 0
        i.sends_until = i.receives_until = 0.0
        for r in self.requests:
            if r.state == "waiting" and r.at is i:
                self.assign(r, 0, "waiting")
            elif r.state in ("prefill", "decode") and r.at is i:
                self.lose(r)
            elif r.state in ("handover", "transfer") and r.source is i:
                if r.at is not None:
                    r.at.load -= r.charged
                if r.state == "handover":
                    (r.at.queue if r.at else self.limbo[1]).remove(r)
                else:
                    r.at.incoming.remove(r)
                    r.at.used -= r.blocks
                    self.look(r.at)
                self.lose(r)
            elif r.state in ("handover", "transfer") and r.at is i:
                r.blocks, r.transfer = 0, None
                self.assign(r, 1, "handover")

    def revive(self, i):
        i.up = True
        k = 1 if i.role == "decode" else 0
        waiting, self.limbo[k] = self.limbo[k], []
        for r in waiting:
            self.assign(r, k, r.state)
        self.look(i)

    # The clock.

    def next(self):
        options = []
        if self.cuts:
            options.append((self.cuts[0][0], 0))
        if self.waiting_arrivals:
            options.append((self.waiting_arrivals[0].arrival, 1))
        while self.heap and self.stale(self.heap[0][2]):
            heapq.heappop(self.heap)
        if self.heap:
            options.append((self.heap[0][0], 2))
        return min(options, default=(math.inf, -1))

    def stale(self, what):
        kind, who, mark = what
        return who.epoch != mark if kind == "pass" else who.transfer is not mark

    def run(self):
        while True:
            time, which = self.next()
            if all(r.state in ("finished", "refused") for r in self.requests):
                return self
            if which < 0 or time > self.horizon:
                self.now = self.horizon
                return self
            self.now = time
            if which == 0:
                _, _, number, up = self.cuts.pop(0)
                (self.revive if up else self.fail)(self.instances[number])
            elif which == 1:
                self.arrive(self.waiting_arrivals.pop(0))
            else:
                kind, who, _ = heapq.heappop(self.heap)[2]
                (self.end_pass if kind == "pass" else self.receive)(who)
            while self.todo:
                i = self.todo.pop(0)
                if i.role == "decode" and i.up:
                    self.send(i)
                self.start(i)
