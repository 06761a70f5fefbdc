"""What every room may use: errors, registries, units. Knows no other room."""

from topo_sim.base.errors import (
    CollectiveError,
    DemandError,
    FaultsError,
    FlowError,
    RoutingError,
    TopologyError,
    TopoSimError,
    UnitError,
    UnknownNameError,
    UsageError,
)
from topo_sim.base.registry import Registry, nearest
from topo_sim.base.units import Quantity, Rate, Time, format_quantity, parse_quantity

__all__ = [
    "CollectiveError",
    "DemandError",
    "FaultsError",
    "FlowError",
    "Quantity",
    "Rate",
    "Registry",
    "RoutingError",
    "Time",
    "TopoSimError",
    "TopologyError",
    "UnitError",
    "UnknownNameError",
    "UsageError",
    "format_quantity",
    "nearest",
    "parse_quantity",
]
