"""Serving: requests that arrive, batches that form and dissolve, KV that moves, instances that fail."""

from topo_sim.inference.serving.handover import kv_links
from topo_sim.inference.serving.passes import PassTable, Timer, tabulate
from topo_sim.inference.serving.rules import DISPATCHES, MEMORIES, Links, Pool, Rules
from topo_sim.inference.serving.simulate import Served, simulate_serving
from topo_sim.inference.serving.workload import (
    Requests,
    Workload,
    find_workload,
    load_workloads,
    make_requests,
    read_trace,
)

__all__ = [
    "DISPATCHES",
    "MEMORIES",
    "Links",
    "PassTable",
    "Pool",
    "Requests",
    "Rules",
    "Served",
    "Timer",
    "Workload",
    "find_workload",
    "kv_links",
    "load_workloads",
    "make_requests",
    "read_trace",
    "simulate_serving",
    "tabulate",
]
