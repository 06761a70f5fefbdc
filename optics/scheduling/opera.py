"""Opera: rotors that change one after another, so that some always have light."""

from topo_sim.optics.scheduling.plan import Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler
from topo_sim.optics.scheduling.rotors import rotate, slot_length

__all__ = ["opera"]


@scheduler(
    "opera",
    about="rotor_vlb whose planes change in turn: with two planes or more some always have light",
    source="Mellette et al., Expanding across time (Opera), NSDI 2020",
    relays=True,
    slot=None,
)
def opera(problem: Problem, slot: float | None = None) -> Run:
    """Turn through all rotations, plane after plane, with relays as in `rotor_vlb`.

    Parameters
    ----------
    problem : Problem
    slot : float, s, optional
        From change to change of one plane. Default: as for `rotor_vlb`.

    Returns
    -------
    Run

    Notes
    -----
    The demand is bulk: it waits for a direct circuit or takes one relay. Short flows, which Opera sends at
    once over the expander of all circuits that stand, are not part of it. On one plane, or where all planes
    must stop together, it equals `rotor_vlb`.

    Examples
    --------
    >>> even = Problem([[0, 4, 4], [4, 0, 4], [4, 4, 0]], rate=1.0, delta=1.0, planes=2, stop="plane")
    >>> opera(even, slot=5.0).end >= 4.0
    True
    """
    even = problem.busiest / max(problem.ranks - 1, 1)
    return rotate(problem, slot_length(problem, slot, even, even), stagger=True, relay=True)
