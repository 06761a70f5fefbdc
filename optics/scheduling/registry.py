"""Schedulers by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from topo_sim.base import Registry, UsageError, nearest
from topo_sim.optics.scheduling.plan import Plan, Run
from topo_sim.optics.scheduling.problem import Problem
from topo_sim.topo.flow.arrays import as_number

__all__ = ["SCHEDULERS", "Scheduler", "scheduler"]


@dataclass(frozen=True)
class Scheduler:
    """A way to serve a demand with circuits.

    Parameters
    ----------
    name : str
        As users write it.
    summary : str
        One line.
    reference : str
        Where it is described.
    plan : callable
        ``plan(problem, **options)`` returns a `Plan`, or a `Run` that is timed already.
    options : mapping
        Default value of every option; ``None`` where it follows from the problem.
    relays : bool
        Whether bytes may cross more than one circuit: then the bound for direct circuits does not hold.
    """

    name: str
    summary: str
    reference: str
    plan: Callable[..., Plan | Run] = field(repr=False)
    options: Mapping[str, float | None] = field(default_factory=dict)
    relays: bool = False

    def complete(self, given: Mapping[str, Any]) -> dict[str, float | None]:
        """Complete options with their defaults.

        Parameters
        ----------
        given : mapping
            Values of more than 0.

        Returns
        -------
        dict

        Raises
        ------
        UsageError
            If there is no such option, or its value is no number above 0.
        """
        for key, value in given.items():
            if key not in self.options:
                raise UsageError(f'{self.name}: unknown option "{key}": {nearest(key, self.options)}')
            if value is not None and as_number(value, f"{self.name}: {key}", 0.0, 1e300, UsageError) == 0:
                raise UsageError(f"{self.name}: {key}: found 0, expected more")
        return {**self.options, **given}


SCHEDULERS: Registry[Scheduler] = Registry("scheduler")


def scheduler(
    name: str, *, about: str, source: str, relays: bool = False, **options: float | None
) -> Callable[[Callable[..., Plan | Run]], Callable[..., Plan | Run]]:
    """Enter the decorated function, ``plan(problem, **options)``, as a scheduler.

    Parameters
    ----------
    name : str
    about, source : str
        What it does, and where it is described; one line each.
    relays : bool
        As in `Scheduler`.
    **options : float or None
        Names and default values.

    Returns
    -------
    callable
        A decorator that returns its argument unchanged.
    """

    def enter(plan: Callable[..., Plan | Run]) -> Callable[..., Plan | Run]:
        SCHEDULERS.add(name, Scheduler(name, about, source, plan, options, relays))
        return plan

    return enter


def bytes_per_slot(problem: Problem, seconds: float | None, default: float, name: str) -> float:
    """Read the length of slots, in bytes per circuit, and refuse one that would need too many slots."""
    amount = default if seconds is None else seconds * problem.rate
    if seconds is not None and problem.busiest > 100_000 * amount:
        least = problem.busiest / problem.rate / 100_000
        raise UsageError(f"{name}: found {seconds:g} s, expected at least {least:.3g} s for this demand")
    return amount
