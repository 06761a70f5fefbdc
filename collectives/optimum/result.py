"""What an optimum is, with the cuts that prove it."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from topo_sim.base import CollectiveError

__all__ = ["BindingCut", "Optimum"]


@dataclass(frozen=True)
class BindingCut:
    """A set of nodes whose data cannot leave any faster.

    Parameters
    ----------
    collective : str
        Whose data: of an all-reduce, the reduce-scatter or the all-gather in it.
    inside : tuple of int
        Nodes of the set, as the fabric numbers them.
    ranks_inside, ranks_outside : int
    links : tuple of int
        Links of the fabric that leave the set; that enter it, for reduce-scatter and reduce.
    capacity : Fraction, B/s
        Of these together.
    algbw : Fraction, B/s
        What the cut allows.
    """

    collective: str
    inside: tuple[int, ...]
    ranks_inside: int
    ranks_outside: int
    links: tuple[int, ...]
    capacity: Fraction
    algbw: Fraction

    def to_dict(self) -> dict[str, Any]:
        """Flat dictionary with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "collective": self.collective,
            "ranks_inside": self.ranks_inside,
            "ranks_outside": self.ranks_outside,
            "nodes": list(self.inside),
            "links": list(self.links),
            "capacity_B_per_s": float(self.capacity),
            "algbw_B_per_s": float(self.algbw),
        }


@dataclass(frozen=True)
class Optimum:
    """The largest algbw that a fabric allows for large sizes, or an interval that it lies in.

    Parameters
    ----------
    collective, fabric : str
    ranks : int
    lower : Fraction, B/s
        Some schedule reaches as much; 0 where none is known.
    upper : Fraction, B/s
        No schedule reaches more.
    method : str
        How they were found.
    assumes : str
        What "any schedule" means.
    cuts : tuple of BindingCut
        Sets of nodes that prove `upper`; none where it comes from elsewhere.
    """

    collective: str
    fabric: str
    ranks: int
    lower: Fraction
    upper: Fraction
    method: str
    assumes: str
    cuts: tuple[BindingCut, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the two ends meet."""
        return self.lower == self.upper

    @property
    def algbw(self) -> Fraction:
        """The optimum, B/s; raises `CollectiveError` where only an interval is known."""
        if not self.exact:
            raise CollectiveError(
                f"{self.collective} on {self.fabric}: found an optimum between {float(self.lower):.6g} and "
                f"{float(self.upper):.6g} B/s ({self.method}), expected one number; "
                "find_optimum gives the interval"
            )
        return self.upper

    @property
    def pace(self) -> float:
        """Least time per byte of size, s/B: 1 / `upper`."""
        return float(1 / self.upper)

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys; an exact optimum as fraction too.

        Returns
        -------
        dict
        """
        return {
            "collective": self.collective,
            "fabric": self.fabric,
            "ranks": self.ranks,
            "exact": self.exact,
            "algbw_fraction_B_per_s": str(self.upper) if self.exact else None,
            "algbw_lower_B_per_s": float(self.lower),
            "algbw_upper_B_per_s": float(self.upper),
            "method": self.method,
            "assumes": self.assumes,
            "cuts": [cut.to_dict() for cut in self.cuts],
        }
