"""A plan as circuits over time: which port of which plane leads where, and when all is dark."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.collectives.reconfiguration.configurations import Configuration

if TYPE_CHECKING:
    from topo_sim.collectives.reconfiguration.plan import ReconfigurationPlan

__all__ = ["PlaneSlots", "plan_slots", "planes_of"]

MOST_CELLS = 2**27
SAME = 1e-12


@dataclass(frozen=True)
class PlaneSlots:
    """Circuits of every plane, slot after slot.

    Parameters
    ----------
    targets : ndarray of int32, shape (slots, planes, ranks)
        Where the port of a rank on a plane leads; -1: nowhere.
    durations : ndarray of float64, shape (slots,), s
    """

    targets: NDArray[np.int32]
    durations: NDArray[np.float64]


def planes_of(one: Configuration, ports: int) -> NDArray[np.int32]:
    """Set a configuration with one port of every rank on each plane.

    Parameters
    ----------
    one : Configuration
    ports : int

    Returns
    -------
    ndarray of int32, shape (ports, ranks)
        Every circuit on ``one.planes(ports)`` planes; those that are left are dark.

    Raises
    ------
    UsageError
        If a rank has fewer ports than circuits.

    Notes
    -----
    The circuits are made regular by others, and matchings are taken from them one after the other: in a
    regular bipartite graph there always is one (König).

    Examples
    --------
    >>> from topo_sim.collectives.reconfiguration import ring
    >>> planes_of(ring(3), 2).tolist()
    [[1, 2, 0], [1, 2, 0]]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    each, ranks = one.planes(ports), one.ranks
    out = np.full((ports, ranks), -1, dtype=np.int32)
    missing = [one.degree - np.bincount(end, minlength=ranks) for end in (one.source, one.target)]
    spare = [np.repeat(np.arange(ranks), count) for count in missing]
    ends = [np.concatenate(pair) for pair in ((one.source, spare[0]), (one.target, spare[1]))]
    left = csr_array((np.ones(len(ends[0])), (ends[0], ends[1])), shape=(ranks, ranks))
    rank, real = np.arange(ranks), set(one.key.tolist())
    for i in range(one.degree):
        chosen = maximum_bipartite_matching(left, perm_type="column").astype(np.int64)
        left = left - csr_array((np.ones(ranks), (rank, chosen)), shape=(ranks, ranks))
        left.eliminate_zeros()
        key = rank * ranks + chosen
        lit = np.isin(key, list(real))
        real -= set(key[lit].tolist())
        out[i * each : (i + 1) * each, lit] = chosen[lit]
    return out


def plan_slots(plan: "ReconfigurationPlan") -> PlaneSlots:
    """Lay a plan out in time.

    Parameters
    ----------
    plan : ReconfigurationPlan

    Returns
    -------
    PlaneSlots
        As long as the plan takes. Planes that have changed and wait for their turn hold their circuits.

    Raises
    ------
    UsageError
        If a fabric that was given carries a step (its cables are no circuits), the plan takes no time, or
        it needs more memory than can be had.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> from topo_sim.collectives.reconfiguration import Circuits, circuit_profile
    >>> circuits = Circuits(rate=1e9, alpha=0.0, reconfiguration=1e-3)
    >>> schedule = build_schedule("all_to_all", "pairwise", 3, 3e6)
    >>> slots = plan_slots(circuit_profile(schedule, circuits, base=None).plan(policy="always"))
    >>> slots.targets[:, 0].tolist(), slots.durations.round(6).tolist()
    ([[-1, -1, -1], [1, 2, 0], [-1, -1, -1], [2, 0, 1]], [0.001, 0.001, 0.001, 0.001])
    """
    if not plan.time > 0:
        raise UsageError(f"{plan.algorithm}: the plan takes {plan.time} s, expected a time above 0")
    planes = plan.circuits.ports
    spans = _spans(plan)
    edges = np.unique(np.concatenate([[0.0], *([begin, end] for _, begin, end, _ in spans)]))
    edges = edges[np.append(True, np.diff(edges) > SAME * plan.time)]
    if (len(edges) - 1) * planes * plan.ranks > MOST_CELLS:
        raise UsageError(
            f"{plan.algorithm}: {len(edges) - 1:,} slots of {planes} planes of {plan.ranks:,} ports, "
            f"expected at most {MOST_CELLS:,} in all"
        )
    targets = np.full((len(edges) - 1, planes, plan.ranks), -1, dtype=np.int32)
    middle = (edges[1:] + edges[:-1]) / 2
    known: dict[int, NDArray[np.int32]] = {}
    for c, begin, end, own in spans:
        one = plan.candidates[c]
        if not isinstance(one, Configuration):
            raise UsageError(f"{one.name} is a fabric that was given, expected steps over circuits only")
        if c not in known:
            known[c] = planes_of(one, planes)
        first, last = np.searchsorted(middle, [begin, end])
        # A group carries circuits of one port a rank, which every plane can set.
        source = known[c][own] if len(own) == planes else known[c][:1]
        targets[first:last, own] = source
    return PlaneSlots(targets, np.diff(edges))


Span = tuple[int, float, float, NDArray[np.int64]]


def _spans(plan: "ReconfigurationPlan") -> list[Span]:
    """Candidates with the time from and to which they are set, and the planes that they are set on."""
    phase = np.cumsum(np.diff(plan.choice, prepend=-2) != 0) - 1
    first = np.flatnonzero(np.diff(phase, prepend=-1))
    lasts = np.bincount(phase, plan.step_times * plan.repeats)
    planes = plan.circuits.ports
    spans: list[Span] = []
    now, began = 0.0, -1
    free: list[float] = []
    for i, step in enumerate(first.tolist()):
        groups = int(plan.groups[step])
        if (start := int(phase[plan.segment[step]])) != began:
            began, free = start, [now] * groups
        turn = (i - began) % groups
        own = np.array_split(np.arange(planes), groups)[turn]
        waits = plan.circuits.paid if plan.switched[step] else 0.0
        if step == 0 and plan.circuits.first_free:
            waits = 0.0
        ready = free[turn] + waits
        now = max(now, ready) + float(lasts[i])
        spans.append((int(plan.choice[step]), ready, now, own))
        free[turn] = now
    return spans
