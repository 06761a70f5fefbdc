"""Measured collectives: nccl-tests logs read and checked, and the systems whose logs are shipped."""

from topo_sim.collectives.measured.reading import Log, read_log
from topo_sim.collectives.measured.rows import Measurement
from topo_sim.collectives.measured.systems import SYSTEMS, System, shipped_log

__all__ = ["SYSTEMS", "Log", "Measurement", "System", "read_log", "shipped_log"]
