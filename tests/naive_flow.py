"""Slow, obvious twins of demands, loads and throughput: one flow, one commodity at a time."""

import itertools
from fractions import Fraction

import networkx as nx
import numpy as np
from scipy.optimize import linprog

import naive


def loads(fabric, source, target, amount):
    """Load of each link if every pair splits evenly over the next links of its shortest paths."""
    load = [Fraction(0)] * fabric.links
    nodes = fabric.endpoints.tolist()
    for s, t, a in zip(source.tolist(), target.tolist(), amount.tolist(), strict=True):
        for link, share in naive.split(fabric, nodes[s], nodes[t]).items():
            load[link] += share * Fraction(a)
    return np.array([float(x) for x in load])


def valiant_loads(fabric, middles, source, target, amount):
    """Mean load over all middle nodes, each half split evenly."""
    load = [Fraction(0)] * fabric.links
    nodes = fabric.endpoints.tolist()
    for s, t, a in zip(source.tolist(), target.tolist(), amount.tolist(), strict=True):
        for middle in middles:
            for ends in ((nodes[s], middle), (middle, nodes[t])):
                if ends[0] != ends[1]:
                    for link, share in naive.split(fabric, *ends).items():
                        load[link] += share * Fraction(a) / len(middles)
    return np.array([float(x) for x in load])


def throughput(fabric, source, target, amount):
    """Max concurrent flow, one commodity per pair, every conservation row written out."""
    nodes, links, pairs = len(fabric.kind), fabric.links, len(source)
    equal, ends = np.zeros((pairs * nodes, pairs * links + 1)), fabric.endpoints
    bounds = [(0, None)] * (pairs * links + 1)
    for k in range(pairs):
        a, b = int(ends[source[k]]), int(ends[target[k]])
        for link in range(links):
            u, v = int(fabric.link_source[link]), int(fabric.link_target[link])
            equal[k * nodes + u, k * links + link] -= 1
            equal[k * nodes + v, k * links + link] += 1
            if (u != a and not fabric.forwards[u]) or (v != b and not fabric.forwards[v]):
                bounds[k * links + link] = (0, 0)
        equal[k * nodes + a, -1], equal[k * nodes + b, -1] = amount[k], -amount[k]
    share = np.hstack([np.eye(links)] * pairs + [np.zeros((links, 1))])
    cost = np.zeros(pairs * links + 1)
    cost[-1] = -1
    found = linprog(cost, share, fabric.capacity, equal, np.zeros(len(equal)), bounds)
    return found.x[-1]


def longest_matching(fabric):
    """Largest sum of distances over all permutations of the endpoints."""
    nodes = fabric.endpoints.tolist()
    far = [naive.distances(fabric, a) for a in nodes]
    return max(
        sum(far[i][nodes[j]] for i, j in enumerate(order))
        for order in itertools.permutations(range(len(nodes)))
    )


def twisted(dims, twist):
    """Neighbours of a twisted torus, walked coordinate by coordinate."""
    short, graph = min(dims), nx.MultiGraph()
    for at in itertools.product(*(range(k) for k in dims)):
        for axis, k in enumerate(dims):
            to = list(at)
            to[axis] += 1
            if to[axis] == k:
                to[axis] = 0
                if k == short:
                    to = [(x + twist) % m if m > short else x for x, m in zip(to, dims, strict=True)]
            graph.add_edge(at, tuple(to))
    return graph
