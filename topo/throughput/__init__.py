"""Throughput: the largest multiple of a demand that a fabric carries, and what bounds it."""

from topo_sim.topo.throughput.bounds import Bounds, throughput_bounds, worst_case_bound
from topo_sim.topo.throughput.concurrent import METHODS, ConcurrentFlow, max_concurrent_flow

__all__ = [
    "METHODS",
    "Bounds",
    "ConcurrentFlow",
    "max_concurrent_flow",
    "throughput_bounds",
    "worst_case_bound",
]
