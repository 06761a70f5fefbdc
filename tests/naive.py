"""Slow, obvious twins of the kernels: plain Python, exact fractions, no cleverness."""

import itertools
import math
from fractions import Fraction

import networkx as nx

GPU = 0


# Sharing. A flow is a list of (link, share) pairs; a link may occur more than once.


def rows(paths):
    """A `Paths` object as one list of (link, share) pairs per flow."""
    flows = []
    for f in range(len(paths)):
        at = range(int(paths.indptr[f]), int(paths.indptr[f + 1]))
        flows.append(
            [(int(paths.links[e]), 1.0 if paths.share is None else float(paths.share[e])) for e in at]
        )
    return flows


def max_min(flows, capacity, weights=None):
    """Max-min rates by progressive filling: raise all levels together, freeze what meets a full link."""
    weights = [1] * len(flows) if weights is None else weights
    weight = [Fraction(float(w)) for w in weights]
    left = {link: Fraction(float(c)) for link, c in enumerate(capacity) if math.isfinite(c)}
    rate = [Fraction(0)] * len(flows)
    growing = {f for f, row in enumerate(flows) if any(link in left for link, _ in row)}
    free = set(range(len(flows))) - growing
    while growing:
        slope = dict.fromkeys(left, Fraction(0))
        for f in growing:
            for link, share in flows[f]:
                if link in slope:
                    slope[link] += weight[f] * Fraction(float(share))
        rise = min(left[link] / s for link, s in slope.items() if s)
        for f in growing:
            rate[f] += rise * weight[f]
        for link, s in slope.items():
            left[link] -= rise * s
        full = {link for link, s in slope.items() if s and left[link] == 0}
        growing = {f for f in growing if not any(link in full for link, _ in flows[f])}
    return [math.inf if f in free else rate[f] for f in range(len(flows))]


def completion(flows, capacity, size, start):
    """When each fluid flow has sent its last byte: share, go on to the next start or end, share again."""
    remaining = [Fraction(float(s)) for s in size]
    starts = [Fraction(float(s)) for s in start]
    finish = [s if r == 0 else None for s, r in zip(starts, remaining, strict=True)]
    now = min(starts, default=Fraction(0))
    while None in finish:
        active = [f for f, end in enumerate(finish) if end is None and starts[f] <= now]
        coming = [s for s in starts if s > now]
        rates = max_min([flows[f] for f in active], capacity)
        for f, rate in zip(active, rates, strict=True):
            if rate == math.inf:
                finish[f] = now
        moving = [(f, r) for f, r in zip(active, rates, strict=True) if r != math.inf]
        until = min([*coming, *(now + remaining[f] / r for f, r in moving)], default=now)
        for f, rate in moving:
            remaining[f] -= rate * (until - now)
            if remaining[f] == 0:
                finish[f] = until
        now = until
    return finish


def refine(flows, capacity, labels):
    """Coarsest equitable partition by colour refinement on sorted tuples: colours of flows and links."""
    flow_colour = list(labels)
    link_colour = list(capacity)
    count = 0
    while True:
        on_link = [[] for _ in capacity]
        for f, row in enumerate(flows):
            for link, share in row:
                on_link[link].append((flow_colour[f], share))
        link_colour = _renumber([(c, tuple(sorted(on))) for c, on in zip(link_colour, on_link, strict=True)])
        flow_colour = _renumber(
            [
                (c, tuple(sorted((link_colour[link], share) for link, share in row)))
                for c, row in zip(flow_colour, flows, strict=True)
            ]
        )
        found = len(set(flow_colour)) + len(set(link_colour))
        if found == count:
            return flow_colour, link_colour
        count = found


def _renumber(keys):
    number = {key: i for i, key in enumerate(sorted(set(keys)))}
    return [number[key] for key in keys]


# Routing. Nodes and links as the fabric numbers them.


def arcs(fabric):
    """Links that leave each node, as lists of (link, other end)."""
    out = [[] for _ in fabric.kind]
    for link, (u, v) in enumerate(zip(fabric.link_source.tolist(), fabric.link_target.tolist(), strict=True)):
        out[u].append((link, v))
    return out


def distances(fabric, root):
    """Hops from a node to every node that can be reached; endpoints forward only where they may."""
    out, may = arcs(fabric), fabric.forwards
    found, ring = {root: 0}, [root]
    while ring:
        after = []
        for node in ring:
            if node == root or may[node]:
                for _, other in out[node]:
                    if other not in found:
                        found[other] = found[node] + 1
                        after.append(other)
        ring = after
    return found


def shortest_paths(fabric, source, target):
    """Every shortest path between two nodes, as tuples of links."""
    out, may = arcs(fabric), fabric.forwards
    length = distances(fabric, source).get(target)
    if length is None:
        return []
    paths = []

    def walk(node, path):
        if node == target:
            paths.append(tuple(path))
        elif len(path) < length and (node == source or may[node]):
            for link, other in out[node]:
                walk(other, [*path, link])

    walk(source, [])
    return [path for path in paths if len(path) == length]


def split(fabric, source, target):
    """Fraction of a flow on each link if every node splits evenly over the next links of shortest paths."""
    paths = shortest_paths(fabric, source, target)
    following = {}
    for path in paths:
        for link in path:
            following.setdefault(int(fabric.link_source[link]), set()).add(link)
    share, amount = {}, {source: Fraction(1)}
    for _ in range(len(paths[0])):
        after = {}
        for node, part in amount.items():
            for link in following[node]:
                share[link] = part / len(following[node])
                other = int(fabric.link_target[link])
                after[other] = after.get(other, Fraction(0)) + share[link]
        amount = after
    return share


def dimension_order(dims, wrap, source, target):
    """Nodes on the way: one axis after the other, the shorter way round, upwards on a tie."""
    here, goal, rest = [], [], (source, target)
    for k in dims:
        here.append(rest[0] % k)
        goal.append(rest[1] % k)
        rest = (rest[0] // k, rest[1] // k)

    def number():
        return sum(x * math.prod(dims[:d]) for d, x in enumerate(here))

    nodes = [number()]
    for d, k in enumerate(dims):
        up, down = (goal[d] - here[d]) % k, (here[d] - goal[d]) % k
        step = (1 if up <= down else -1) if wrap else (1 if goal[d] > here[d] else -1)
        while here[d] != goal[d]:
            here[d] = (here[d] + step) % k
            nodes.append(number())
    return nodes


# Fabrics.


def endpoint_hops(fabric):
    """Number of ordered pairs of different endpoints at each distance; None counts pairs without a path."""
    counts = {}
    for source in fabric.endpoints.tolist():
        found = distances(fabric, source)
        for target in fabric.endpoints.tolist():
            if target != source:
                hops = found.get(target)
                counts[hops] = counts.get(hops, 0) + 1
    return counts


def bisection(fabric):
    """Least capacity one way between two halves of the endpoints: every half, a max-flow each."""
    ranks = range(fabric.ranks)
    nodes = fabric.endpoints.tolist()
    best = math.inf
    for half in {fabric.ranks // 2, (fabric.ranks + 1) // 2}:
        for side in itertools.combinations(ranks, half):
            best = min(best, _cut(fabric, {nodes[r] for r in side}))
    return best


def _cut(fabric, side):
    """Least capacity that separates some endpoints from all others, switches going where they like."""
    graph = nx.DiGraph()
    graph.add_nodes_from(["s", "t"])
    columns = (fabric.link_source, fabric.link_target, fabric.capacity)
    for u, v, c in zip(*(column.tolist() for column in columns), strict=True):
        a, b = (n if fabric.kind[n] != GPU else "s" if n in side else "t" for n in (u, v))
        if a != b:
            before = graph.edges[a, b]["capacity"] if graph.has_edge(a, b) else 0.0
            graph.add_edge(a, b, capacity=before + c)
    if len(graph) == 2:
        return graph.edges["s", "t"]["capacity"] if graph.has_edge("s", "t") else 0.0
    return nx.maximum_flow_value(graph, "s", "t")


def link_multiset(fabric):
    """The links of a fabric by what they are, whatever their numbers."""
    columns = (fabric.link_source, fabric.link_target, fabric.capacity, fabric.latency, fabric.medium)
    return sorted(
        (fabric.names[u], fabric.names[v], c, t, fabric.media[m])
        for u, v, c, t, m in zip(*(column.tolist() for column in columns), strict=True)
    )


# Cost.


def schedule_time(schedule, fabric, flows_of, overhead=0.0):
    """Time of a schedule, step by step; ``flows_of(source, target)`` gives (link, share) rows."""
    total = Fraction(0)
    for step in schedule.steps:
        sources, targets = step.source.tolist(), step.target.tolist()
        flows = flows_of(sources, targets)
        size = [schedule.size * fraction for fraction in step.fraction.tolist()]
        ends = completion(flows, fabric.capacity.tolist(), size, [0.0] * len(flows))
        slowest = Fraction(0)
        for source, row, end in zip(sources, flows, ends, strict=True):
            travel = sum(Fraction(float(fabric.latency[link])) * Fraction(share) for link, share in row)
            waits = Fraction(overhead) * sources.count(source)
            slowest = max(slowest, end + travel + waits)
        total += slowest * step.repeat
    return float(total)
