"""The GPU itself: catalogue, die yield, cost, power and reliability."""

from topo_sim.gpus.catalogue import Gpu, find_gpu, load_gpus
from topo_sim.gpus.cost import Costing, die_cost, package_bill
from topo_sim.gpus.harvest import Salvage, density_for_gain, die_yield
from topo_sim.gpus.prices import load_prices
from topo_sim.gpus.wafer import Wafer, dies_by_formula, place_dies
from topo_sim.gpus.yields import YIELDS, yield_model

__all__ = [
    "YIELDS",
    "Costing",
    "Gpu",
    "Salvage",
    "Wafer",
    "density_for_gain",
    "die_cost",
    "die_yield",
    "dies_by_formula",
    "find_gpu",
    "load_gpus",
    "load_prices",
    "package_bill",
    "place_dies",
    "yield_model",
]
