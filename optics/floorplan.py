"""Where the nodes of a fabric stand in a hall, and how long the cables between them are."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from topo_sim.base import Quantity, UsageError, parse_quantity
from topo_sim.topo import Fabric

__all__ = ["Floor", "FloorPlan", "stand"]

_MOST = 1e6


def _bounded(value: float | str) -> float | str:
    """Leave room for sums of millions of lengths."""
    kind = "share" if isinstance(value, str) and "%" in value else "length"
    if parse_quantity(value, kind) > _MOST:
        raise ValueError(f"found {value!r}, expected at most {_MOST:g}")
    return value


Length = Annotated[float | str, Quantity("length", positive=False), AfterValidator(_bounded)]
Share = Annotated[float | str, Quantity("share", positive=False), AfterValidator(_bounded)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]


class FloorPlan(BaseModel):
    """Racks in rows, rows in halls; lengths as text with a unit or in m.

    Notes
    -----
    Defaults are assumptions: racks of 0.6 m, a row every 2.4 m (a rack and an aisle of 1.2 m each), trays
    2 m above the ports, 1.5 m of cable inside a rack, 10 % more cable than the way.

    Examples
    --------
    >>> FloorPlan(endpoints_per_rack=32, racks_per_row=8).metres("rack_pitch")
    0.6
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    endpoints_per_rack: Count = Field(description="how many endpoints stand in a rack, in the order of ranks")
    racks_per_row: Count = Field(description="how many racks stand in a row")
    rows_per_hall: Count | None = Field(None, description="how many rows stand in a hall; default: all")
    rack_pitch: Length = Field("0.6 m", description="from rack to rack")
    row_pitch: Length = Field("2.4 m", description="from row to row")
    hall_gap: Length = Field("20 m", description="more than a row's pitch, from hall to hall")
    riser: Length = Field("2 m", description="from a port up to the tray")
    in_rack: Length = Field("1.5 m", description="a cable inside one rack")
    slack: Share = Field("10 %", description="cable over the way between racks")

    def metres(self, field: str) -> float:
        """Read a length of the plan, m."""
        return parse_quantity(getattr(self, field), "length")


@dataclass(frozen=True, eq=False)
class Floor:
    """Nodes on the floor.

    Parameters
    ----------
    plan : FloorPlan
    x, y : ndarray of float64, shape (nodes,), m
        Along and across the rows.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> floor = stand(single_switch(4), FloorPlan(endpoints_per_rack=1, racks_per_row=4))
    >>> floor.x.round(6).tolist(), floor.y.tolist()
    ([0.0, 0.6, 1.2, 1.8, 0.6], [0.0, 0.0, 0.0, 0.0, 0.0])
    """

    plan: FloorPlan
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def lengths(self, source: Any, target: Any) -> NDArray[np.float64]:
        """Length of cables.

        Parameters
        ----------
        source, target : array_like of int, shape (n,)
            Nodes.

        Returns
        -------
        ndarray of float64, shape (n,), m

        Notes
        -----
        Trays run along and across the rows, so the way is Manhattan's: up to the tray, along, across, down;
        some of the cable is slack. Inside one rack every cable has one length.

        Examples
        --------
        From the first rack to the switch in the second: (2 + 0.6 + 2) m and a tenth.

        >>> from topo_sim.topo import single_switch
        >>> floor = stand(single_switch(4), FloorPlan(endpoints_per_rack=1, racks_per_row=4))
        >>> floor.lengths([0, 1], [4, 4]).round(6).tolist()
        [5.06, 1.5]
        """
        source, target = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
        way = np.abs(self.x[source] - self.x[target]) + np.abs(self.y[source] - self.y[target])
        factor = 1 + parse_quantity(self.plan.slack, "share")
        between = (way + 2 * self.plan.metres("riser")) * factor
        return np.where(way > 0, between, self.plan.metres("in_rack"))


def _medians(node: NDArray[Any], value: NDArray[np.float64], nodes: int) -> NDArray[np.float64]:
    """Lower median of the values of each node; NaN where a node has none."""
    order = np.lexsort((value, node))
    count = np.bincount(node, minlength=nodes)
    start = np.cumsum(count) - count
    found = np.full(nodes, np.nan)
    some = count > 0
    found[some] = value[order][(start + (count - 1) // 2)[some]]
    return found


def stand(fabric: Fabric, plan: FloorPlan, ends: tuple[Any, Any] | None = None) -> Floor:
    """Place every node of a fabric.

    Parameters
    ----------
    fabric : Fabric
    plan : FloorPlan
    ends : pair of array_like of int, shape (cables,), optional
        Nodes that cables join. Default: the ends of the fabric's links; those of a fabric with circuit
        switches are light paths, so its fibres must be given.

    Returns
    -------
    Floor

    Raises
    ------
    UsageError
        If a switch is joined to nothing that has a place.

    Notes
    -----
    Endpoints fill racks in the order of ranks. A switch stands in the rack at the median of what it is joined
    to nearer the endpoints, which makes the sum of those cables shortest: a switch of one rack stands in that
    rack, one that joins all racks in the middle of the hall.

    Examples
    --------
    >>> from topo_sim.topo import fat_tree
    >>> floor = stand(fat_tree(4), FloorPlan(endpoints_per_rack=2, racks_per_row=8))
    >>> float(floor.x.max())
    4.2
    """
    nodes = len(fabric.kind)
    rack = np.arange(fabric.ranks) // plan.endpoints_per_rack
    row = rack // plan.racks_per_row
    hall = row // plan.rows_per_hall if plan.rows_per_hall else np.zeros_like(row)
    x, y = np.full(nodes, np.nan), np.full(nodes, np.nan)
    x[fabric.endpoints] = rack % plan.racks_per_row * plan.metres("rack_pitch")
    y[fabric.endpoints] = row * plan.metres("row_pitch") + hall * plan.metres("hall_gap")
    source, target = ends if ends is not None else (fabric.link_source, fabric.link_target)
    one = np.concatenate([source, target]).astype(np.int64)
    other = np.concatenate([target, source]).astype(np.int64)
    while np.isnan(x).any():
        near = np.isnan(x[one]) & ~np.isnan(x[other])
        if not near.any():
            first = fabric.names[int(np.flatnonzero(np.isnan(x))[0])]
            raise UsageError(f"found {first} joined to nothing, expected a cable that says where it stands")
        new = [_medians(one[near], axis[other[near]], nodes) for axis in (x, y)]
        x, y = (np.where(np.isnan(axis), at, axis) for axis, at in zip((x, y), new, strict=True))
    return Floor(plan, x, y)
