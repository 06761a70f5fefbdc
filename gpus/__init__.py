"""The GPU itself: catalogue, die yield, cost, power and reliability."""

from topo_sim.gpus.catalogue import Gpu, find_gpu, load_gpus

__all__ = ["Gpu", "find_gpu", "load_gpus"]
