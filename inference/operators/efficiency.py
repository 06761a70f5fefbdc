"""The constants of the time model: how near kernels come to a GPU's peak rates."""

import math
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from topo_sim.base import UnknownNameError
from topo_sim.base.files import Record, read_catalogue, suggest

__all__ = ["CONSTANTS", "SHARES", "Efficiency", "find_efficiency", "load_efficiencies"]

Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

SHARES = ("memory", "half", "byte", "epilogue", "quantisation", "attention")
CONSTANTS = (
    *("launch", "memory", "half", "byte", "tile", "epilogue"),
    *("step", "split", "sag", "quantisation", "attention", "tail"),
)
"""What is fitted, in the order of vectors; `SHARES` lie between 0 and 1."""


class Efficiency(Record):
    """Constants of the time model, fitted to measured operators.

    Parameters
    ----------
    name, about, source : str
        `source` says which measurements they were fitted to.
    launch : float, s
        From one kernel's end to the next one's first work, and from its last work to its end.
    memory : float
        Share of the memory bandwidth that a long stream reaches.
    half, byte : float
        Share of the peak that the matrix units reach in the largest tile: 16-bit and wider formats, and
        8-bit and narrower ones.
    tile : float
        How much a small tile loses to loading its operands, in elements of its sides.
    epilogue : float
        Share of writing a tile's outputs that is not hidden behind the next tile.
    step : float, s
        Latency of passing 128 B of the depth through one tile.
    split : float, s
        Of meeting after a depth that was split over several SMs.
    sag : float
        How much longer computing takes under a lasting full load, as clocks yield to the power limit.
    quantisation : float
        Share of the idle part of the last wave of tiles that is not filled with split tiles.
    attention : float
        Share of the peak that attention reaches in its inner loop.
    tail : float
        How much of the longest block of attention runs alone at the end.
    chained : float, s
        `launch` within a pass whose kernels are launched together; assumed, not fitted.

    Examples
    --------
    >>> h100 = find_efficiency("h100")
    >>> 0.8 < h100.memory < 1
    True
    """

    launch: Positive
    memory: Share
    half: Share
    byte: Share
    tile: Positive
    epilogue: Share
    step: Positive
    split: Positive
    sag: Positive
    quantisation: Share
    attention: Share
    tail: Positive
    chained: Positive = 2e-6

    def vector(self) -> NDArray[np.float64]:
        """Return the logarithms of the constants, in the order of `CONSTANTS`."""
        return np.array([math.log(getattr(self, name)) for name in CONSTANTS])

    def moved(self, vector: NDArray[np.float64]) -> "Efficiency":
        """Return constants with these logarithms, all else the same.

        Parameters
        ----------
        vector : ndarray of float64, shape (12,)

        Returns
        -------
        Efficiency
        """
        values = dict(zip(CONSTANTS, np.exp(vector).tolist(), strict=True))
        values.update({name: min(values[name], 1.0) for name in SHARES})
        return self.model_copy(update=values)


def load_efficiencies(files: Iterable[str | PathLike[str]] = ()) -> dict[str, Efficiency]:
    """Read the shipped constants, the user's files over them.

    Parameters
    ----------
    files : iterable of path
        YAML files with a section `efficiencies`, as `topo-sim inference ops --fit` writes them.

    Returns
    -------
    dict from name to Efficiency

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> sorted(load_efficiencies())
    ['a100', 'h100', 'prior']
    """
    sections: Mapping[str, type[Efficiency]] = {"efficiencies": Efficiency}
    return read_catalogue(sections, "topo_sim.inference.operators", "efficiencies.yaml", files)[
        "efficiencies"
    ]


def find_efficiency(name: str, files: Iterable[str | PathLike[str]] = ()) -> Efficiency:
    """Find constants by name.

    Parameters
    ----------
    name : str
    files : iterable of path
        YAML files over those that ship.

    Returns
    -------
    Efficiency

    Raises
    ------
    UnknownNameError
        If there are none of that name.

    Examples
    --------
    >>> find_efficiency("h10")
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown constants "h10": did you mean "h100"?
    """
    found = load_efficiencies(files)
    if name not in found:
        raise UnknownNameError(f'unknown constants "{name}": {suggest(name, list(found))}')
    return found[name]
