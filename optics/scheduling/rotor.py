"""RotorNet without relays: fixed matchings in turn, each byte waits for its own."""

from topo_sim.optics.scheduling.plan import Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.optics.scheduling.registry import scheduler
from topo_sim.optics.scheduling.rotors import rotate, slot_length

__all__ = ["rotor"]


@scheduler(
    "rotor",
    about="N - 1 fixed matchings round robin, whatever the demand; every byte waits for its circuit",
    source="Mellette et al., RotorNet, SIGCOMM 2017",
    slot=None,
)
def rotor(problem: Problem, slot: float | None = None) -> Run:
    """Turn through all rotations; all planes change together.

    Parameters
    ----------
    problem : Problem
    slot : float, s, optional
        From change to change. Default: ten times `delta`, within 1/16 and all of the largest entry.

    Returns
    -------
    Run

    Notes
    -----
    Every pair gets a mean of ``planes C (1 - delta / slot) / (N - 1)``.

    Examples
    --------
    >>> rotor(Problem([[0, 4, 4], [4, 0, 4], [4, 4, 0]], rate=1.0, delta=1.0), slot=5.0).end
    10.0
    """
    largest = float(problem.bytes.max())
    return rotate(problem, slot_length(problem, slot, largest, largest))
