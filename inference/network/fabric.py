"""The network that a fabric is: collectives solved on its links, all groups at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import TopoSimError, UsageError
from topo_sim.collectives import (
    ALGORITHMS,
    COLLECTIVES,
    Algorithm,
    CostProfile,
    LowerBound,
    Router,
    Schedule,
    Step,
    build_schedule,
    cost_profile,
    lower_bound,
    placed,
)
from topo_sim.collectives.candidates import candidates
from topo_sim.inference.network.curve import Array, Curve, check_group
from topo_sim.topo import Fabric
from topo_sim.topo.structure import Grid

__all__ = ["FabricNetwork"]

# B; an algorithm that is the fastest at none of them is left out
_SIZES: Array = np.logspace(0, 34, 18, base=2.0)
_ALWAYS = ("ring", "pairwise", "direct")
_NO_BOUND = LowerBound(0.0, 0.0, 0.0, "none asked for")
_MOST_MESSAGES = 4_000_000
Progress = Callable[[int, int, str], None]


class FabricNetwork:
    """Communication as a fabric carries it.

    Every collective is solved on the fabric once per kind, size of group and stride, with all groups that
    fill the fabric running at once, by every algorithm that suits the fabric; the curve is then read at any
    size.

    Parameters
    ----------
    fabric : Fabric
    routing : str, optional
        Default: the fabric's own.
    overhead : float, s
        Per message, at the sender.
    seed : int
        Of hashed routings.
    progress : callable, optional
        Called with (done, total, what).

    Notes
    -----
    Sums in switches are costed for one group, and only where no two groups share a link. A torus whose
    first ranks make a smaller grid is offered the algorithms of tori on that; groups at a stride are offered
    only algorithms without a shape. All groups start together: the worst case of sharing.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> network = FabricNetwork(single_switch(8, bandwidth=100e9, latency=1e-6))
    >>> curve = network.curve("all_reduce", 4)
    >>> curve.groups, curve.choice([1.0, 1e9])
    (2, ['recursive_doubling', 'circulant'])
    >>> float(curve.time(0.0, "ring")) * 1e6  # six steps of 2 us
    12.0
    """

    def __init__(
        self,
        fabric: Fabric,
        *,
        routing: str | None = None,
        overhead: float = 0.0,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.fabric, self.name, self.ranks = fabric, fabric.name, fabric.ranks
        self.overhead, self.seed, self.progress = overhead, seed, progress
        self.router = Router(fabric, routing, seed)
        self._port = _fastest_port(fabric)
        self._curves: dict[tuple[str, int, int], Curve] = {}

    def curve(self, collective: str, group: int, stride: int = 1) -> Curve:
        """Cost a collective: see `Network.curve`."""
        key = (collective, int(group), int(stride))
        if key not in self._curves:
            check_group(self.name, self.ranks, group, stride)
            self._curves[key] = self._solve(*key)
        return self._curves[key]

    def pace(self, collective: str, group: int) -> float:
        """Bound the time per byte of a collective by the fastest port of any endpoint."""
        if group == 1:
            return 0.0
        needed = 1.0 if collective in ("all_reduce", "send_recv") else (group - 1) / group
        return needed / self._port

    def groups(self, group: int, stride: int = 1) -> list[NDArray[np.int64]]:
        """List the ranks of every group that fits: whole blocks, or one group where no block does.

        Parameters
        ----------
        group, stride : int

        Returns
        -------
        list of ndarray of int64
        """
        inner = np.arange(group) * stride
        blocks = max(self.ranks // (group * stride), 1)
        first = (np.arange(blocks)[:, None] * group * stride + np.arange(stride)).ravel()
        return [start + inner for start in first if start + inner[-1] < self.ranks]

    def _solve(self, collective: str, group: int, stride: int) -> Curve:
        if group == 1:
            return Curve(collective, 1, self.ranks, ("none",), lambda sizes: np.zeros((1, sizes.size)))
        groups = self.groups(group, stride)
        here = self.fabric if stride == 1 else placed(self.fabric, groups[0])
        found: list[tuple[str, CostProfile]] = []
        fastest = np.full(_SIZES.size, np.inf)
        bounds = [
            lower_bound(collective, here, group, overhead=self.overhead, in_network=inside)
            for inside in (False, True)
        ]
        tried = sorted(self._candidates(collective, group, stride, here), key=lambda each: each[2])
        for done, (name, options, steps) in enumerate(tried):
            if self.progress:
                self.progress(done, len(tried), f"{self.name}: {collective} of {group} by {name}")
            bound = bounds[bool(ALGORITHMS[collective][name].switches)]
            if name not in _ALWAYS and np.all(steps * bound.first + bound.pace * _SIZES >= fastest):
                continue
            schedule = build_schedule(collective, name, group, 0, **options)
            profile = self._profile(schedule, groups)
            if profile is not None:
                segments = options.get("segments")
                found.append((name + (f" x{segments}" if segments else ""), profile))
                fastest = np.minimum(fastest, _reader([profile])(_SIZES)[0])
        if not found:
            raise UsageError(
                f"{self.name}: found no algorithm of {collective} for {len(groups)} groups of {group} ranks, "
                f"expected fewer or smaller groups"
            )
        names = tuple(name for name, _ in found)
        return Curve(collective, group, len(groups), names, _reader([profile for _, profile in found]))

    def _candidates(
        self, collective: str, group: int, stride: int, here: Fabric
    ) -> list[tuple[str, dict[str, Any], int]]:
        COLLECTIVES[collective]
        tries = [(name, options) for name, options in candidates(collective, None, group, here)]
        block = _block(self.fabric, group) if stride == 1 else None
        known = {name for name, _ in tries}
        for name, entry in ALGORITHMS[collective].items():
            if block and "dims" in entry.options and name not in known and _suits(entry, block):
                tries.append((name, {"dims": block}))
        return [(name, options, self._steps(collective, name, options, group)) for name, options in tries]

    @staticmethod
    def _steps(collective: str, name: str, options: dict[str, Any], group: int) -> int:
        entry = ALGORITHMS[collective][name]
        try:
            return entry.terms(group, entry.resolve(options, group))[0]
        except TopoSimError:
            return 0

    def _profile(self, schedule: Schedule, groups: list[NDArray[np.int64]]) -> CostProfile | None:
        if not schedule.reducers:
            if schedule.transfer_count * len(groups) > _MOST_MESSAGES:
                return None
            every = _everywhere(schedule, groups, self.ranks)
            return cost_profile(
                every, self.fabric, overhead=self.overhead, router=self.router, bound=_NO_BOUND
            )
        return self._alone(schedule, groups)

    def _alone(self, schedule: Schedule, groups: list[NDArray[np.int64]]) -> CostProfile | None:
        """Cost a sum in switches for each group alone; None where two of them share a link."""
        used = np.zeros(self.fabric.capacity.size, dtype=np.int64)
        slowest: CostProfile | None = None
        for ranks in groups:
            try:
                profile = cost_profile(
                    schedule, self.fabric, ranks=ranks, overhead=self.overhead, routing=self.router.routing,
                    seed=self.seed, bound=_NO_BOUND,
                )  # fmt: skip
            except TopoSimError:
                return None
            used += profile.busy > 0
            if used.max(initial=0) > 1:
                return None
            if slowest is None or profile.time(1e6) > slowest.time(1e6):
                slowest = profile
        return slowest


def _everywhere(schedule: Schedule, groups: list[NDArray[np.int64]], ranks: int) -> Schedule:
    """Let groups that do not overlap run one schedule at once, for its cost alone: without their chunks."""
    table = np.stack(groups)
    steps = tuple(
        Step(
            table[:, step.source].ravel(),
            table[:, step.target].ravel(),
            step.fraction[0] if step.fraction.strides == (0,) else np.tile(step.fraction, len(groups)),
            False,
            step.chunks,
            repeat=step.repeat,
        )
        for step in schedule.steps
    )
    collective = replace(schedule.collective, granularity=lambda p: 1)
    return replace(schedule, collective=collective, ranks=ranks, steps=steps)


def _fastest_port(fabric: Fabric) -> float:
    """Most that any endpoint sends, B/s."""
    sums = np.bincount(fabric.link_source, fabric.capacity, len(fabric.kind))[fabric.endpoints]
    return float(sums.max(initial=0.0)) or np.inf


def _suits(entry: Algorithm, block: tuple[int, ...]) -> bool:
    return not (entry.power_of_two and any(side & (side - 1) for side in block))


def _block(fabric: Fabric, group: int) -> tuple[int, ...] | None:
    """Sides of the grid that the first ranks of a grid make, where they fill one."""
    grid = fabric.structure
    if not isinstance(grid, Grid) or not np.array_equal(fabric.endpoints, np.arange(fabric.ranks)):
        return None
    left, sides = group, []
    for side in grid.dims:  # the first axis is that of neighbouring ranks
        here = min(side, left)
        if left % here:
            return None
        sides.append(here)
        left //= here
    found = tuple(side for side in sides if side > 1)
    return found if left == 1 and len(found) > 1 else None


def _reader(profiles: list[CostProfile]) -> Callable[[Array], Array]:
    """Read several profiles at many sizes at once."""
    lines: list[tuple[Array, Array, NDArray[np.int64], Array] | None] = []
    for profile in profiles:
        if not profile.fronts:
            lines.append(None)
            continue
        counts = np.array([len(delay) for delay, _ in profile.fronts], dtype=np.int64)
        delay, pace = (np.concatenate(each) for each in zip(*profile.fronts, strict=True))
        lines.append((delay, pace, np.cumsum(counts) - counts, profile.repeats.astype(np.float64)))

    def read(sizes: Array) -> Array:
        found = np.zeros((len(lines), sizes.size))
        for i, line in enumerate(lines):
            if line is not None:
                delay, pace, begin, repeats = line
                steps = np.maximum.reduceat(delay[:, None] + np.outer(pace, sizes), begin, axis=0)
                found[i] = repeats @ steps
        return found

    return read
