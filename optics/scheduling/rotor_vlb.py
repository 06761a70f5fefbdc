"""RotorNet with Valiant load balancing: spare circuits carry bytes to relays."""

from topo_sim.optics.scheduling.plan import Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler
from topo_sim.optics.scheduling.rotors import rotate, slot_length

__all__ = ["rotor_vlb"]


@scheduler(
    "rotor_vlb",
    about="rotor whose spare circuits carry bytes to relays: two hops at most, evens out skew",
    source="Mellette et al., RotorNet (RotorLB), SIGCOMM 2017; Valiant 1982",
    relays=True,
    slot=None,
)
def rotor_vlb(problem: Problem, slot: float | None = None) -> Run:
    """Turn through all rotations, and hand over to relays what has no circuit of its own soon.

    Parameters
    ----------
    problem : Problem
    slot : float, s, optional
        From change to change. Default: ten times `delta`, within 1/16 and all of what one turn needs if
        every rank sends evenly.

    Returns
    -------
    Run

    Examples
    --------
    One rank sends 12 B to one other. Direct, it has a circuit in every third slot; relays fill the others.

    >>> lone = Problem([[0, 12, 0, 0], [0] * 4, [0] * 4, [0] * 4], rate=1.0)
    >>> rotate(lone, 1.0).end, rotor_vlb(lone, slot=1.0).end
    (34.0, 14.0)
    """
    even = problem.busiest / max(problem.ranks - 1, 1)
    return rotate(problem, slot_length(problem, slot, even, even), relay=True)
