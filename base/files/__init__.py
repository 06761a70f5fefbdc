"""Files that people write: plain data and the faults in it, ranges of numbers, catalogues of records."""

from topo_sim.base.files.catalogue import Record, check, extend, read_catalogue
from topo_sim.base.files.faults import Faults, show, suggest
from topo_sim.base.files.ranges import LEVELS, Range, Ranged

__all__ = [
    "LEVELS",
    "Faults",
    "Range",
    "Ranged",
    "Record",
    "check",
    "extend",
    "read_catalogue",
    "show",
    "suggest",
]
