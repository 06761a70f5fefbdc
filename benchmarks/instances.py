"""The instances that the flow engine is measured on: named, with fixed seeds, the same every time.

Links carry 1 B/s where only rates are asked for. Where flows have sizes, links carry 1 MB/s and sizes
are whole bytes around 1 MB (SimGrid takes no fractions of a byte), so times are in seconds. Fluid times
scale: the shape is what counts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.topo import Fabric, fat_tree, route, torus
from topo_sim.topo.flow import Paths

__all__ = ["INSTANCES", "QUICK", "QUICK_RINGS", "RINGS", "Instance", "Problem", "ring_order"]

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Problem:
    """Whole flows of equal weight; `size` is None where only rates are asked for.

    With `ranks`, flow ``s * ranks + r`` is what rank r sends to the next one in step s of a ring: it waits
    for what its rank sent and received in the step before.

    The peers read links and know nothing of shares: given split flows they would agree with each other
    on another problem, so these are refused.
    """

    paths: Paths
    capacity: NDArray[np.float64]
    size: NDArray[np.float64] | None = None
    ranks: int = 0

    def __post_init__(self) -> None:
        if self.paths.share is not None:
            raise ValueError("paths: found shares, expected whole flows")


@dataclass(frozen=True)
class Instance:
    """A problem that can be built again and again.

    Parameters
    ----------
    name : str
    build : callable
        Takes nothing, returns the `Problem`.
    kind : str
        "max_min" or "events".
    first : int
        Events that the plain loop is run for, as a check; 0 for all of them. More than a minute of it
        is not worth anyone's time.
    """

    name: str
    build: Callable[[], Problem]
    kind: str
    first: int = 0


def fat_tree_pairs(k: int, flows: int) -> Problem:
    """Random pairs on a k-ary fat-tree, each over a random core: paths of 2, 4 or 6 links.

    Drawn by `default_rng(0)` in this order: source, distance to the target, aggregation switch (the same
    in both pods), core switch of that switch's group.
    """
    rng, hosts, half = np.random.default_rng(0), k**3 // 4, k // 2
    source = rng.integers(0, hosts, flows).astype(np.int32)
    target = ((source + rng.integers(1, hosts, flows)) % hosts).astype(np.int32)
    middle = rng.integers(0, half, flows).astype(np.int32)
    core = rng.integers(0, half, flows).astype(np.int32)
    paths, links = fat_tree_paths(k, source, target, middle, core)
    return Problem(paths, np.ones(links))


def fat_tree_paths(
    k: int,
    source: NDArray[np.int32],
    target: NDArray[np.int32],
    middle: NDArray[np.int32],
    core: NDArray[np.int32],
) -> tuple[Paths, int]:
    """Paths over given aggregation and core switches, and the number of links; a million rows at a time."""
    hosts, half = k**3 // 4, k // 2
    wires = k * half * half
    first = np.cumsum([0, hosts, hosts, *[wires] * 3]).astype(np.int32)
    same_pod = source // half**2 == target // half**2
    hops = np.where(source // half == target // half, 2, np.where(same_pod, 4, 6))
    indptr = np.concatenate([[0], np.cumsum(hops)])
    links = np.empty(indptr[-1], np.int32)
    for at in range(0, source.size, MEGABYTE):
        part = slice(at, min(at + MEGABYTE, source.size))
        s, d, a, c = source[part], target[part], middle[part], core[part]
        up, down = s // half * half + a, d // half * half + a
        over, under = s // half**2 * half + a, d // half**2 * half + a
        row = [s, up, over * half + c, under * half + c, down, d]
        rows = np.stack([o + r for o, r in zip(first[[0, 2, 4, 5, 3, 1]], row, strict=True)], axis=1)
        use = np.stack([hops[part] >= n for n in (2, 4, 6, 6, 4, 2)], axis=1)
        links[indptr[part.start] : indptr[part.stop]] = rows[use]
    return Paths(indptr, links), 2 * hosts + 4 * wires


def random_links(links: int, flows: int) -> Problem:
    """Flows of six links each, drawn from all links alike."""
    drawn = np.random.default_rng(0).integers(0, links, 6 * flows)
    return Problem(Paths(np.arange(flows + 1) * 6, drawn), np.ones(links))


def torus_pairs(dims: tuple[int, ...], flows: int) -> Problem:
    """Random pairs on a torus, dimension order."""
    rng, fabric = np.random.default_rng(0), torus(dims, bandwidth=1.0)
    source = rng.integers(0, fabric.ranks, flows)
    target = (source + rng.integers(1, fabric.ranks, flows)) % fabric.ranks
    return Problem(_route(fabric, source, target), fabric.capacity.copy())


def ring_all_reduce(radix: int, ranks: int) -> Problem:
    """All steps of a ring all-reduce of 1 MB per rank and step, over endpoints in their order, d-mod-k."""
    source, half, steps = np.arange(ranks, dtype=np.int32), radix // 2, 2 * (ranks - 1)
    target = (source + 1) % ranks
    one, width = fat_tree_paths(radix, source, target, target % half, target // half % half)
    links = np.tile(one.links, steps)
    indptr = np.concatenate([[0], np.cumsum(np.tile(np.diff(one.indptr), steps))])
    size = np.full(ranks * steps, float(MEGABYTE))
    return Problem(Paths(indptr, links), np.full(width, float(MEGABYTE)), size, ranks)


def ring_order(problem: Problem) -> NDArray[np.int64]:
    """What each flow of a ring waits for, as rows of (flow, parent)."""
    p = problem.ranks
    later = np.arange(p, len(problem.paths))
    own = later - p
    received = later - p - later % p + (later % p - 1) % p
    return np.concatenate([np.stack([later, own], axis=1), np.stack([later, received], axis=1)])


def _fabric(shape: tuple[int, ...] | int, bandwidth: float) -> Fabric:
    return (
        fat_tree(shape, bandwidth=bandwidth) if isinstance(shape, int) else torus(shape, bandwidth=bandwidth)
    )


def _route(fabric: Fabric, source: NDArray[np.int64], target: NDArray[np.int64]) -> Paths:
    """One path per flow: dimension order on a torus, hashed ECMP (seed 0) on a fat-tree."""
    return route(fabric, source, target, "dimension_order" if fabric.family == "torus" else "ecmp", seed=0)


def _sizes(flows: int, sizes: str) -> NDArray[np.float64] | None:
    """All 1 MB, or all different between 0.5 and 1.5 MB."""
    if sizes == "equal":
        return np.full(flows, float(MEGABYTE))
    drawn = np.random.default_rng(1).permutation(MEGABYTE + 1)[:flows]
    return MEGABYTE / 2 + drawn.astype(np.float64)


def permutation(shape: tuple[int, ...] | int, sizes: str | None = None) -> Problem:
    """Everyone sends to someone else."""
    fabric = _fabric(shape, 1.0 if sizes is None else float(MEGABYTE))
    target = np.random.default_rng(0).permutation(fabric.ranks)
    source = np.flatnonzero(target != np.arange(fabric.ranks))
    paths = _route(fabric, source, target[source])
    return Problem(paths, fabric.capacity.copy(), None if sizes is None else _sizes(len(paths), sizes))


def all_to_all(shape: tuple[int, ...] | int, ranks: int, sizes: str | None = None) -> Problem:
    """The first `ranks` ranks send to each other."""
    fabric = _fabric(shape, 1.0 if sizes is None else float(MEGABYTE))
    source, target = np.divmod(np.arange(ranks * ranks), ranks)
    apart = source != target
    paths = _route(fabric, source[apart], target[apart])
    return Problem(paths, fabric.capacity.copy(), None if sizes is None else _sizes(len(paths), sizes))


def all_to_all_mod_k(k: int, ranks: int, sizes: str) -> Problem:
    """The first `ranks` ranks of a k-ary fat-tree, up by the digits of the target (d-mod-k), as SimGrid."""
    source, target = np.divmod(np.arange(ranks * ranks, dtype=np.int32), ranks)
    apart = source != target
    source, target, half = source[apart], target[apart], k // 2
    paths, links = fat_tree_paths(k, source, target, target % half, target // half % half)
    return Problem(paths, np.full(links, float(MEGABYTE)), _sizes(len(paths), sizes))


def permutation_mod_k(k: int, sizes: str) -> Problem:
    """Everyone on a k-ary fat-tree sends to someone else, by d-mod-k routes."""
    target = np.random.default_rng(0).permutation(k**3 // 4).astype(np.int32)
    source, half = np.flatnonzero(target != np.arange(target.size)).astype(np.int32), k // 2
    target = target[source]
    paths, links = fat_tree_paths(k, source, target, target % half, target // half % half)
    return Problem(paths, np.full(links, float(MEGABYTE)), _sizes(len(paths), sizes))


def all_to_all_uneven(dims: tuple[int, ...], ranks: int, sizes: str) -> Problem:
    """The first `ranks` ranks of a torus, dimension order, x fastest, with ties as SimGrid breaks them.

    Half-way round an even ring, every node goes up but the one in the middle of the numbering. Where all
    go the same way the torus looks alike from everywhere and a handful of events end it; this rule alone
    makes hundreds.
    """
    source, target = np.divmod(np.arange(ranks * ranks), ranks)
    apart = source != target
    source, target = source[apart], target[apart]
    here, stride, columns, used = source.copy(), 1, [], []
    for axis, k in enumerate(dims):
        s, t = source // stride % k, target // stride % k
        up = ((t > s) & (t <= s + k // 2)) | ((s > k // 2) & ((s + k // 2) % k >= t))
        hops = np.where(up, (t - s) % k, (s - t) % k)
        for hop in range(hops.max(initial=0)):
            on, at = hop < hops, here // stride % k
            columns.append((here * len(dims) + axis) * 2 + ~up)
            used.append(on)
            here += np.where(on, (at + np.where(up, 1, -1)) % k - at, 0) * stride
        stride *= k
    use = np.stack(used, axis=1)
    paths = Paths(np.concatenate([[0], np.cumsum(use.sum(axis=1))]), np.stack(columns, axis=1)[use])
    return Problem(paths, np.full(2 * len(dims) * stride, float(MEGABYTE)), _sizes(len(paths), sizes))


CUBE, PLANK, LONG = (16, 16, 16), (8, 8, 16), (16, 32, 32)

_ALL = [
    # Rates.
    Instance("fat-tree-32-pairs-1e5", lambda: fat_tree_pairs(32, 10**5), "max_min"),
    Instance("fat-tree-32-pairs-1e6", lambda: fat_tree_pairs(32, 10**6), "max_min"),
    Instance("fat-tree-64-pairs-1e7", lambda: fat_tree_pairs(64, 10**7), "max_min"),
    Instance("torus-4096-pairs-1e5", lambda: torus_pairs(CUBE, 10**5), "max_min"),
    Instance("torus-4096-permutation", lambda: permutation(CUBE), "max_min"),
    Instance("torus-16384-permutation", lambda: permutation(LONG), "max_min"),
    Instance("fat-tree-16000-permutation", lambda: permutation(40), "max_min"),
    Instance("torus-4096-all-to-all-256", lambda: all_to_all(CUBE, 256), "max_min"),
    Instance("random-1k", lambda: random_links(1000, 1000), "max_min"),
    Instance("random-4k", lambda: random_links(4000, 4000), "max_min"),
    Instance("random-16k", lambda: random_links(16000, 16000), "max_min"),
    Instance("random-64k", lambda: random_links(64000, 64000), "max_min"),
    Instance("random-4k-256k", lambda: random_links(4000, 256000), "max_min"),
    # Whole runs, torus.
    Instance("torus-1024-permutation-equal", lambda: permutation(PLANK, "equal"), "events"),
    Instance("torus-1024-permutation-distinct", lambda: permutation(PLANK, "distinct"), "events"),
    Instance("torus-4096-permutation-equal", lambda: permutation(CUBE, "equal"), "events"),
    Instance("torus-4096-permutation-distinct", lambda: permutation(CUBE, "distinct"), "events"),
    Instance("torus-16384-permutation-distinct", lambda: permutation(LONG, "distinct"), "events", 500),
    Instance("torus-1024-all-to-all-128-equal", lambda: all_to_all(PLANK, 128, "equal"), "events"),
    Instance("torus-1024-all-to-all-256-equal", lambda: all_to_all(PLANK, 256, "equal"), "events"),
    Instance("torus-1024-all-to-all-512-equal", lambda: all_to_all(PLANK, 512, "equal"), "events", 200),
    Instance("torus-4096-all-to-all-256-equal", lambda: all_to_all(CUBE, 256, "equal"), "events"),
    Instance("torus-4096-all-to-all-256-distinct", lambda: all_to_all(CUBE, 256, "distinct"), "events", 500),
    # The same by SimGrid's tie rule.
    Instance("torus-1024-all-to-all-128-uneven", lambda: all_to_all_uneven(PLANK, 128, "equal"), "events"),
    Instance("torus-1024-all-to-all-256-uneven", lambda: all_to_all_uneven(PLANK, 256, "equal"), "events"),
    Instance(
        "torus-1024-all-to-all-512-uneven", lambda: all_to_all_uneven(PLANK, 512, "equal"), "events", 100
    ),
    Instance("torus-4096-all-to-all-256-uneven", lambda: all_to_all_uneven(CUBE, 256, "equal"), "events"),
    # Whole runs, fat-tree.
    Instance("fat-tree-1024-permutation-distinct", lambda: permutation(16, "distinct"), "events"),
    Instance("fat-tree-16000-permutation-distinct", lambda: permutation(40, "distinct"), "events", 500),
    Instance("fat-tree-65536-permutation-distinct", lambda: permutation(64, "distinct"), "events", 100),
    Instance("fat-tree-1024-all-to-all-64-distinct", lambda: all_to_all(16, 64, "distinct"), "events"),
    Instance(
        "fat-tree-1024-all-to-all-128-distinct", lambda: all_to_all(16, 128, "distinct"), "events", 1000
    ),
    Instance("fat-tree-1024-all-to-all-256-equal", lambda: all_to_all(16, 256, "equal"), "events"),
    Instance("fat-tree-1024-all-to-all-512-equal", lambda: all_to_all(16, 512, "equal"), "events"),
    Instance("fat-tree-1024-all-to-all-1024-equal", lambda: all_to_all(16, 1024, "equal"), "events", 3),
    # The same by d-mod-k routes, as SimGrid's.
    Instance("fat-tree-16000-mod-k-permutation", lambda: permutation_mod_k(40, "distinct"), "events", 500),
    Instance("fat-tree-65536-mod-k-permutation", lambda: permutation_mod_k(64, "distinct"), "events", 100),
    Instance("fat-tree-1024-mod-k-64-distinct", lambda: all_to_all_mod_k(16, 64, "distinct"), "events"),
    Instance(
        "fat-tree-1024-mod-k-128-distinct", lambda: all_to_all_mod_k(16, 128, "distinct"), "events", 1000
    ),
    Instance("fat-tree-1024-mod-k-256-equal", lambda: all_to_all_mod_k(16, 256, "equal"), "events"),
    Instance("fat-tree-1024-mod-k-512-equal", lambda: all_to_all_mod_k(16, 512, "equal"), "events"),
    Instance("fat-tree-1024-mod-k-1024-equal", lambda: all_to_all_mod_k(16, 1024, "equal"), "events"),
]

_TINY = [
    Instance("tiny-fat-tree-pairs", lambda: fat_tree_pairs(4, 500), "max_min"),
    Instance("tiny-torus-permutation", lambda: permutation((4, 4, 4)), "max_min"),
    Instance("tiny-random", lambda: random_links(100, 200), "max_min"),
    Instance("tiny-torus-permutation-distinct", lambda: permutation((4, 4, 4), "distinct"), "events"),
    Instance("tiny-torus-all-to-all-equal", lambda: all_to_all((4, 4, 4), 16, "equal"), "events"),
    Instance("tiny-fat-tree-all-to-all-distinct", lambda: all_to_all(4, 8, "distinct"), "events", 20),
    Instance("tiny-torus-all-to-all-uneven", lambda: all_to_all_uneven((4, 4), 8, "equal"), "events"),
    Instance("tiny-fat-tree-mod-k-distinct", lambda: all_to_all_mod_k(4, 6, "distinct"), "events"),
]

# Flows that wait for others: the plain loop cannot run them, SimGrid can.
_RINGS = [
    Instance("ring-all-reduce-256", lambda: ring_all_reduce(16, 256), "events"),
    Instance("ring-all-reduce-1024", lambda: ring_all_reduce(16, 1024), "events"),
]
_TINY_RINGS = [Instance("tiny-ring-all-reduce", lambda: ring_all_reduce(4, 12), "events")]

INSTANCES = {instance.name: instance for instance in _ALL}
QUICK = {instance.name: instance for instance in _TINY}
RINGS = {instance.name: instance for instance in _RINGS}
QUICK_RINGS = {instance.name: instance for instance in _TINY_RINGS}
