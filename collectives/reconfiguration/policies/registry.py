"""The contract of a policy: when to reconfigure, and the registry of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, Registry

__all__ = ["POLICIES", "Choices", "Decision", "Policy", "register", "settle"]


@dataclass(frozen=True)
class Choices:
    """What a policy chooses from.

    Parameters
    ----------
    cost : ndarray of float64, shape (S, C), s
        Of every step on every candidate, repetitions included; infinite where it cannot be carried.
    switch : ndarray of float64, shape (S,), s
        What reconfiguring before each step adds to the time.
    initial : int
        The candidate that is set when the steps begin; -1: none of them.
    matched : ndarray of int64, shape (S,)
        The candidate in which every transfer of a step has its own circuit; -1: there is none.
    degree : ndarray of int64, shape (S,)
        Circuits that a rank has in it.
    planes : int
        Ports of a rank, each on a circuit switch of its own.
    fixed, work : ndarray of float64, shape (S,), s
        Time of each step on its matched candidate, repetitions included: what does not depend on how many
        planes carry it, and what it takes with all of them.
    """

    cost: NDArray[np.float64]
    switch: NDArray[np.float64]
    initial: int = -1
    matched: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    degree: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    planes: int = 1
    fixed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    work: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Decision:
    """What a policy has chosen.

    Parameters
    ----------
    choice : ndarray of int64, shape (S,)
        Candidate that carries each step.
    switched : ndarray of bool, shape (S,)
        Whether circuits are changed for it, before it or while others carry.
    time : float, s
    groups : ndarray of int64, shape (S,)
        Into how many groups the planes are divided that take steps in turn; 1: all carry every step.
    segment : ndarray of int64, shape (S,)
        The step from which on they do so.
    """

    choice: NDArray[np.int64]
    switched: NDArray[np.bool_]
    time: float
    groups: NDArray[np.int64]
    segment: NDArray[np.int64]


@dataclass(frozen=True)
class Policy:
    """A rule that says when to reconfigure.

    Parameters
    ----------
    name : str
    summary : str
        One line about it.
    decide : callable
        ``decide(choices)`` returns a `Decision`.
    reference : str
        Where it is described.
    """

    name: str
    summary: str
    decide: Callable[[Choices], Decision] = field(repr=False)
    reference: str = ""


POLICIES: Registry[Policy] = Registry("circuit policy")
"""The policies by name."""


def register(name: str, summary: str, reference: str = "") -> Callable[..., Callable[[Choices], Decision]]:
    """Enter the decorated function as a policy.

    Parameters
    ----------
    name, summary, reference : str

    Returns
    -------
    callable
        A decorator that returns its argument unchanged.

    Examples
    --------
    >>> sorted(POLICIES)
    ['always', 'greedy', 'never', 'optimal', 'overlap']
    """

    def enter(decide: Callable[[Choices], Decision]) -> Callable[[Choices], Decision]:
        POLICIES.add(name, Policy(name, summary, decide, reference))
        return decide

    return enter


def settle(choices: Choices, choice: NDArray[np.int64], name: str) -> Decision:
    """Time a choice of candidates.

    Parameters
    ----------
    choices : Choices
    choice : ndarray of int64, shape (S,)
    name : str
        Of the policy, for messages.

    Returns
    -------
    Decision

    Raises
    ------
    CollectiveError
        If a candidate cannot carry its step.

    Examples
    --------
    >>> two = Choices(np.array([[1.0, 5.0], [5.0, 1.0]]), np.array([2.0, 2.0]), initial=0)
    >>> settle(two, np.array([0, 1]), "by hand").time
    4.0
    """
    step = np.arange(len(choice))
    times = choices.cost[step, choice]
    if not np.isfinite(times).all():
        i = int(np.flatnonzero(~np.isfinite(times))[0])
        raise CollectiveError(
            f'policy "{name}": step {i} cannot be carried by the configuration that is set, expected one '
            'that joins the ranks that exchange; use the policy "optimal", or another base'
        )
    switched = np.diff(choice, prepend=choices.initial) != 0
    paid = np.where(switched, choices.switch, 0.0)
    total = math.fsum(np.concatenate([times, paid]).tolist())
    return Decision(choice, switched, total, np.ones(len(choice), dtype=np.int64), step.astype(np.int64))
