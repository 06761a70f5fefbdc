"""Power of GPUs: its parts, clocks, partial load over a day, and cooling."""

from topo_sim.gpus.power.clocks import check_clock, clock_for_cap, draw_of, part_powers, voltage
from topo_sim.gpus.power.cooling import Cooled, cooled, junction, most_power, racks_for
from topo_sim.gpus.power.curves import LoadCurve, check_load, find_curve, read_curve
from topo_sim.gpus.power.day import Day, live_a_day
from topo_sim.gpus.power.gating import POWER_POLICIES, Block, Choice, cluster_power, fewest
from topo_sim.gpus.power.models import Activity, Cooling, PowerBook, PowerModel, load_power
from topo_sim.gpus.power.parts import PARTS, Parts, Setting, at_level, power_inputs, power_parts

__all__ = [
    "PARTS",
    "POWER_POLICIES",
    "Activity",
    "Block",
    "Choice",
    "Cooled",
    "Cooling",
    "Day",
    "LoadCurve",
    "Parts",
    "PowerBook",
    "PowerModel",
    "Setting",
    "at_level",
    "check_clock",
    "check_load",
    "clock_for_cap",
    "cluster_power",
    "cooled",
    "draw_of",
    "fewest",
    "find_curve",
    "junction",
    "live_a_day",
    "load_power",
    "most_power",
    "part_powers",
    "power_inputs",
    "power_parts",
    "racks_for",
    "read_curve",
    "voltage",
]
