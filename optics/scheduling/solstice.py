"""Solstice: thick slices first, for hybrids of circuits and packets."""

import math

import numpy as np

from topo_sim.optics.scheduling.plan import Plan, gather
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler
from topo_sim.optics.scheduling.slicing import slices, stuff

__all__ = ["solstice"]


@scheduler(
    "solstice",
    about="stuff the demand, then slice matchings of a power of two off it, the largest first",
    source="Liu et al., Scheduling techniques for hybrid circuit/packet networks, CoNEXT 2015",
    quantum=None,
)
def solstice(problem: Problem, quantum: float | None = None) -> Plan:
    """Slice perfect matchings off the stuffed demand, as thick as the threshold that all entries reach.

    Parameters
    ----------
    problem : Problem
    quantum : float, B, optional
        Amounts are rounded up to multiples of the largest power of two up to it. Default: half of what a
        circuit carries in the time of a change.

    Returns
    -------
    Plan

    Notes
    -----
    QuickStuff pads the demand to equal line sums, entries above 0 first. BigSlice takes a matching on entries
    of at least the threshold r, a power of two, sends r along it, and halves r where there is none. The
    published scheduler stops where the packet fabric can drain the rest; so does the one here (the front
    picks the best place to stop). Without a packet fabric slices would get ever thinner, down to the last
    bit, each after a change of `delta`: the quantum ends that. Rounding up lengthens no line by more than
    half of what its changes take anyway.

    Examples
    --------
    >>> plan = solstice(Problem([[0, 5, 4], [4, 0, 5], [5, 4, 0]], rate=1.0))
    >>> (plan.units / plan.units[-1]).tolist(), plan.targets[0].tolist()
    ([4.0, 4.0, 1.0], [1, 2, 0])
    """
    units = problem.units
    amount = problem.delta * problem.rate / 2 if quantum is None else quantum
    if amount > 0 and problem.busiest:
        step = 1 << int(math.log2(problem.to_units(amount)))
        step = min(step, 1 << int(units.max()).bit_length())
        units = -(-units // step) * step
    return gather(slices(stuff(np.ascontiguousarray(units)), whole=False), problem.ranks)
