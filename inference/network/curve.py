"""What a network tells: the time of a collective at any size, and by which algorithm."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UnknownNameError, UsageError, nearest

__all__ = ["Array", "Curve", "Network"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Times of one collective on groups of ranks, by each algorithm that was costed.

    Parameters
    ----------
    collective : str
    group : int
        Ranks of each group.
    groups : int
        Groups that run it at once.
    algorithms : tuple of str
    read : callable
        From sizes, shape (N,), B, to times, shape (algorithms, N), s.

    Examples
    --------
    >>> two = Curve("all_reduce", 4, 1, ("near", "wide"), lambda n: np.array([1 + 2 * n, 4 + n]))
    >>> two.time([1.0, 10.0]).tolist(), two.choice([1.0, 10.0])
    ([3.0, 14.0], ['near', 'wide'])
    """

    collective: str
    group: int
    groups: int
    algorithms: tuple[str, ...]
    read: Callable[[Array], Array]

    def times(self, sizes: ArrayLike) -> Array:
        """Read the time of every algorithm.

        Parameters
        ----------
        sizes : array_like of float, shape (N,), B
            As nccl-tests counts them.

        Returns
        -------
        ndarray of float64, shape (algorithms, N), s

        Raises
        ------
        UsageError
            If a size is negative or not finite.
        """
        flat = np.atleast_1d(np.asarray(sizes, dtype=np.float64)).ravel()
        if not np.all(np.isfinite(flat) & (flat >= 0)):
            raise UsageError(
                f"{self.collective}: found a size that is negative or not finite, expected bytes"
            )
        return self.read(flat)

    def time(self, sizes: ArrayLike, algorithm: str | None = None) -> Array:
        """Read the time of the fastest algorithm, or of one.

        Parameters
        ----------
        sizes : array_like of float, B
        algorithm : str, optional

        Returns
        -------
        ndarray of float64, s
            In the shape of `sizes`.

        Raises
        ------
        UnknownNameError
            If the algorithm was not costed.
        """
        array = np.asarray(sizes, dtype=np.float64)
        found, back = np.unique(array, return_inverse=True)
        times = self.times(found)
        if algorithm is None:
            least = times.min(axis=0)
        else:
            rows = [i for i, label in enumerate(self.algorithms) if label.split(" ")[0] == algorithm]
            if not rows:
                near = nearest(algorithm, sorted({label.split(" ")[0] for label in self.algorithms}))
                raise UnknownNameError(f'unknown algorithm "{algorithm}" for {self.collective}: {near}')
            least = times[rows].min(axis=0)
        return np.asarray(least[back].reshape(array.shape), dtype=np.float64)

    def choice(self, sizes: ArrayLike) -> list[str]:
        """Name the fastest algorithm at each size, the first of equals.

        Parameters
        ----------
        sizes : array_like of float, B

        Returns
        -------
        list of str
        """
        return [self.algorithms[i] for i in np.argmin(self.times(sizes), axis=0)]


class Network(Protocol):
    """What joins GPUs, as far as a model on them can tell."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def ranks(self) -> int:
        """GPUs that it joins."""
        ...

    def curve(self, collective: str, group: int, stride: int = 1) -> Curve:
        """Cost a collective of groups that run it at once, once for all sizes.

        Parameters
        ----------
        collective : str
        group : int
            Ranks of each group.
        stride : int
            From one rank of a group to the next. Groups fill the network: each block of
            ``group * stride`` ranks holds `stride` of them; what is left over is idle.

        Returns
        -------
        Curve

        Raises
        ------
        UsageError
            If a group does not fit.
        """
        ...

    def pace(self, collective: str, group: int) -> float:
        """Bound the time per byte of a collective, whatever the algorithm and however empty the network.

        Parameters
        ----------
        collective : str
        group : int

        Returns
        -------
        float, s/B
        """
        ...


def check_group(name: str, ranks: int, group: int, stride: int) -> None:
    """Refuse groups that do not fit.

    Raises
    ------
    UsageError
    """
    for what, value in (("ranks in a group", group), ("stride", stride)):
        if isinstance(value, bool) or value != int(value) or value < 1:
            raise UsageError(f"{name}: found {what} of {value!r}, expected a whole number from 1 on")
    if (group - 1) * stride >= ranks:
        at = f" at stride {stride}" if stride > 1 else ""
        raise UsageError(f"{name}: found groups of {group} ranks{at}, expected at most its {ranks} ranks")
