"""The contract of an algorithm, and the registry of them, per collective."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import CollectiveError, Registry, nearest
from topo_sim.collectives.algorithms.shapes import SHAPES
from topo_sim.collectives.collective import COLLECTIVES, Collective
from topo_sim.collectives.step import Step

__all__ = ["ALGORITHMS", "Algorithm", "Plan", "option_text", "register"]

MOST = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What an algorithm builds, where chunks and steps do not say it all.

    Parameters
    ----------
    chunks : int
        Number of chunks.
    steps : sequence of Step
        One after the other.
    weights, reducers
        As in `Schedule`.
    collective : Collective, optional
        What the schedule does, where options change that.

    Examples
    --------
    >>> Plan(4, []).reducers
    0
    """

    chunks: int
    steps: Sequence[Step]
    weights: NDArray[np.float64] | None = None
    reducers: int = 0
    collective: Collective | None = None


@dataclass(frozen=True)
class Algorithm:
    """A way to do a collective.

    Parameters
    ----------
    collective : str
        What it does: a name in `COLLECTIVES`.
    name : str
        Its own name, unique for its collective.
    summary : str
        One line about it.
    formula : str
        The closed form as text, with p ranks, n bytes (size), alpha, beta.
    build : callable
        ``build(p, **options)`` returns ``(chunks, steps)`` or a `Plan`, for p >= 2 ranks.
    closed_form : callable
        ``closed_form(p, size, alpha, beta, **options)``: the time in s on one ideal switch, for any p >= 1
        that it is defined for. Every rank has one full-duplex port that takes `beta` s/B each way, and a
        step takes `alpha` s plus `beta` times the bytes of the busiest port; a step to or from the switch
        itself takes half of `alpha`.
    reference : str
        Where it is described.
    power_of_two : bool
        Whether it needs a power of two of ranks.
    instead : str
        What to use for other numbers of ranks, where it does.
    options : mapping
        Default value of every option. A whole number is a count: it must be at least 1. The options
        ``dims``, ``group`` and ``tree`` describe a shape (see `topo_sim.collectives.algorithms.shapes`).
    tunable : mapping
        Values worth trying, for options that trade latency for bandwidth.
    switches : str
        What switches must be able to do for it: a value of a node's ``reduces``; "" if nothing.

    Examples
    --------
    >>> ring = ALGORITHMS["all_reduce"]["ring"]
    >>> ring.formula
    '2(p-1) alpha + 2(p-1)/p n beta'
    >>> round(ring.closed_form(4, 1e6, 1e-6, 1e-9), 9)  # 6 us + 1.5 ms
    0.001506
    >>> ALGORITHMS["all_reduce"]["double_binary_tree"].tunable
    {'segments': (4, 16)}
    """

    collective: str
    name: str
    summary: str
    formula: str
    build: Callable[..., tuple[int, Sequence[Step]] | Plan] = field(repr=False)
    closed_form: Callable[..., float] = field(repr=False)
    reference: str
    power_of_two: bool = False
    instead: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    tunable: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    switches: str = ""

    def check_ranks(self, p: int) -> None:
        """Raise unless the algorithm is defined for a number of ranks.

        Parameters
        ----------
        p : int
            Number of ranks, at least 1.

        Raises
        ------
        CollectiveError
            If it needs a power of two and `p` is none.

        Examples
        --------
        >>> ALGORITHMS["all_gather"]["recursive_doubling"].check_ranks(6)
        Traceback (most recent call last):
        topo_sim.base.errors.CollectiveError: all_gather/recursive_doubling cannot run on 6 ranks: \
every exchange doubles what a rank knows, which takes a power of two; use "ring" instead
        """
        if self.power_of_two and p & (p - 1):
            raise CollectiveError(
                f"{self.collective}/{self.name} cannot run on {p} ranks: every exchange doubles "
                f'what a rank knows, which takes a power of two; use "{self.instead}" instead'
            )

    def terms(self, p: int, options: Mapping[str, Any]) -> tuple[int, float]:
        """Read the closed form without building anything: the steps, and what the busiest ports carry.

        Parameters
        ----------
        p : int
            Number of ranks.
        options : mapping
            All of them, as `resolve` returns them.

        Returns
        -------
        steps : int
            Repetitions included.
        load : float
            Sum over steps of the bytes of the busiest port, divided by the size: no fabric whose endpoints
            send and receive at most R takes less than ``load * size / R`` for them.

        Examples
        --------
        >>> ALGORITHMS["all_reduce"]["ring"].terms(1024, {})
        (2046, 1.998046875)
        """
        halves = 2 if self.switches else 1  # a step to or from a switch costs half of alpha
        steps = round(halves * self.closed_form(p, 0.0, 1.0, 0.0, **options))
        return steps, self.closed_form(p, 1.0, 0.0, 1.0, **options)

    def resolve(self, given: Mapping[str, Any], ranks: int | None = None) -> dict[str, Any]:
        """Complete options with their defaults, and check them.

        Parameters
        ----------
        given : mapping
            Options by name.
        ranks : int, optional
            For so many ranks: shapes are then worked out and checked too.

        Returns
        -------
        dict
            A value for every option of the algorithm.

        Raises
        ------
        CollectiveError
            If there is no such option, or its value cannot be used.

        Examples
        --------
        >>> tree = ALGORITHMS["all_reduce"]["double_binary_tree"]
        >>> tree.resolve({}), tree.resolve({"segments": 64})
        ({'segments': 8}, {'segments': 64})
        >>> tree.resolve({"segment": 64})
        Traceback (most recent call last):
        topo_sim.base.errors.CollectiveError: unknown option "segment" for \
all_reduce/double_binary_tree: did you mean "segments"?
        """
        label = f"{self.collective}/{self.name}"
        for name, value in given.items():
            if name not in self.options:
                raise CollectiveError(f'unknown option "{name}" for {label}: {nearest(name, self.options)}')
            if type(self.options[name]) is int and not _is_count(value):
                raise CollectiveError(
                    f'option "{name}" of {label} must be a whole number from 1 to {MOST:,}, not {value!r}'
                )
        settings = {**self.options, **given}
        if ranks is not None:
            for name in SHAPES.keys() & settings.keys():
                settings[name] = SHAPES[name](settings[name], ranks, f'option "{name}" of {label}')
        return settings


def option_text(value: object) -> str:
    """Write the value of an option as users do.

    Parameters
    ----------
    value : object
        A number, a shape or an array.

    Returns
    -------
    str
        A shape as ``4x4``, an array by its shape.

    Examples
    --------
    >>> option_text(8), option_text((4, 4, 2)), option_text(np.zeros((3, 3)))
    ('8', '4x4x2', '3x3 matrix')
    """
    if isinstance(value, (list, np.ndarray)):
        value = np.asarray(value)
        return "x".join(map(str, value.shape)) + " matrix"
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _is_count(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and 1 <= int(value) <= MOST


ALGORITHMS: Registry[Registry[Algorithm]] = Registry("collective")
"""The algorithms: ``ALGORITHMS[collective][name]``."""

for _name in COLLECTIVES:
    ALGORITHMS.add(_name, Registry(f"{_name} algorithm"))


def register(algorithm: Algorithm) -> Algorithm:
    """Enter an algorithm into `ALGORITHMS`.

    Parameters
    ----------
    algorithm : Algorithm
        A pair of collective and name that is taken raises ``ValueError``.

    Returns
    -------
    Algorithm
        The same.

    Examples
    --------
    >>> register(ALGORITHMS["all_reduce"]["ring"])
    Traceback (most recent call last):
    ValueError: all_reduce algorithm "ring" is registered twice
    """
    ALGORITHMS[algorithm.collective].add(algorithm.name, algorithm)
    return algorithm
