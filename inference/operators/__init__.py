"""Operators of a forward pass: their work, their traffic, their bounds and their times."""

from topo_sim.inference.operators.device import Device
from topo_sim.inference.operators.efficiency import CONSTANTS, Efficiency, find_efficiency, load_efficiencies
from topo_sim.inference.operators.layers import PHASES, Work, pass_operators
from topo_sim.inference.operators.operator import Operator
from topo_sim.inference.operators.precision import PRECISIONS, Precision, find_precision
from topo_sim.inference.operators.shard import Shard
from topo_sim.inference.operators.times import LIMITS, OperatorTime, operator_time, roofline

__all__ = [
    "CONSTANTS",
    "LIMITS",
    "PHASES",
    "PRECISIONS",
    "Device",
    "Efficiency",
    "Operator",
    "OperatorTime",
    "Precision",
    "Shard",
    "Work",
    "find_efficiency",
    "find_precision",
    "load_efficiencies",
    "operator_time",
    "pass_operators",
    "roofline",
]
