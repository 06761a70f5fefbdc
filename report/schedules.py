"""Schedules as JSON documents."""

from typing import Any

from topo_sim.collectives import Schedule

__all__ = ["schedule_document"]

FORMAT = 1


def schedule_document(schedule: Schedule) -> dict[str, Any]:
    """Write a schedule as a plain dictionary, whole.

    Parameters
    ----------
    schedule : Schedule

    Returns
    -------
    dict
        Steps in order; each runs `repeat` times, all chunk ids of a transfer advancing by its `shift` each
        time, inside consecutive blocks of `cycle` chunks. A transfer is ``[source, target, reduce, shift,
        [chunk, ...]]``.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule
    >>> document = schedule_document(build_schedule("broadcast", "binomial_tree", 2, 8))
    >>> document["steps"]
    [{'repeat': 1, 'cycle': 1, 'transfers': [[0, 1, False, 0, [0]]]}]
    """
    steps = []
    for step in schedule.steps:
        indptr, ids = step.chunks()
        columns = (step.source, step.target, step.reduce, step.shift)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        transfers = [
            [*row, ids[a:b].tolist()]
            for row, a, b in zip(rows, indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)
        ]
        steps.append(
            {
                "repeat": step.repeat,
                "cycle": schedule.chunks if step.cycle is None else step.cycle,
                "transfers": transfers,
            }
        )
    return {
        "schedule_format": FORMAT,
        "collective": schedule.collective.name,
        "algorithm": schedule.algorithm,
        "options": dict(schedule.options),
        "ranks": schedule.ranks,
        "size_B": schedule.size,
        "chunks": schedule.chunks,
        "steps": steps,
    }
