"""GOAL, the text that LogGOPSim reads: sends, receives and what each requires."""

from topo_sim.collectives.formats.messages import events, list_messages
from topo_sim.collectives.schedule import Schedule

__all__ = ["goal_text"]


def goal_text(schedule: Schedule) -> str:
    """Write a schedule in GOAL.

    Parameters
    ----------
    schedule : Schedule
        At the size that its messages are to have.

    Returns
    -------
    str

    Raises
    ------
    CollectiveError
        If its chunks are no whole bytes, or there are too many messages.

    Notes
    -----
    A rank starts a step when all that it did in the step before has ended. Reductions take no time.

    References
    ----------
    Hoefler, Schneider, Lumsdaine, "LogGOPSim: simulating large-scale applications in the LogGOPS model",
    LSAP 2010.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> print(goal_text(build_schedule("broadcast", "binomial_tree", 3, 8)), end="")
    num_ranks 3
    <BLANKLINE>
    rank 0 {
    l1: send 8b to 2 tag 0
    l2: send 8b to 1 tag 0
    l2 requires l1
    }
    <BLANKLINE>
    rank 1 {
    l1: recv 8b from 0 tag 0
    }
    <BLANKLINE>
    rank 2 {
    l1: recv 8b from 0 tag 0
    }
    """
    lines = [f"num_ranks {schedule.ranks}"]
    for rank, found in enumerate(events(list_messages(schedule), schedule.ranks)):
        lines += ["", f"rank {rank} {{"]
        for number, event in enumerate(found, start=1):
            way = f"send {event.size}b to" if event.sends else f"recv {event.size}b from"
            lines.append(f"l{number}: {way} {event.peer} tag {event.tag}")
            lines += [f"l{number} requires l{earlier + 1}" for earlier in event.after]
        lines.append("}")
    return "\n".join(lines) + "\n"
