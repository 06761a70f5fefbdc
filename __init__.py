"""Simulate the networks of AI clusters built from many small GPUs.

The names below are imported on first use, so that ``import topo_sim`` stays light:
``Fabric``, ``load_fabric``, ``build_schedule``, ``cost``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Fabric": "topo_sim.topo",
    "load_fabric": "topo_sim.topo",
    "build_schedule": "topo_sim.collectives",
    "cost": "topo_sim.collectives",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
