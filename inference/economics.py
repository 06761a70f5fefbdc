"""What a GPU costs and draws, for tokens per second per dollar and per watt."""

from topo_sim.base import TopoSimError
from topo_sim.gpus import Gpu
from topo_sim.gpus.cost import cheap_end, cost_inputs, package_bill
from topo_sim.gpus.prices import load_prices
from topo_sim.optics.catalogue import load_optics

__all__ = ["gpu_cost", "gpu_watts"]


def gpu_cost(gpu: Gpu, level: str = "typical") -> float | None:
    """Tell what one package costs to make, with its end of the links and its cooling.

    Parameters
    ----------
    gpu : Gpu
    level : {"low", "typical", "high"}

    Returns
    -------
    float or None, $
        None where the catalogue does not know enough of the GPU. Switches and fibres are not in it.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> 0 < gpu_cost(load_gpus()["lite"]) < gpu_cost(load_gpus()["h100"])
    True
    """
    prices = load_prices()
    try:
        inputs = cost_inputs([gpu], prices, prices.bill())
        values = {name: value.at(cheap_end(name, level)) for name, value in inputs.items()}
        return float(sum(float(line) for line in package_bill(gpu, prices, values).values()))
    except TopoSimError:
        return None


def gpu_watts(gpu: Gpu, level: str = "typical") -> float | None:
    """Tell what one GPU draws at full load: its TDP, and its end of the links at line rate both ways.

    Parameters
    ----------
    gpu : Gpu
    level : {"low", "typical", "high"}

    Returns
    -------
    float or None, W
        None where TDP or medium are not known. Electrical links are driven by the chip, within its TDP;
        modules and optical engines come on top. Switches are not in it.

    Examples
    --------
    A Lite-GPU: 175 W, and 0.9 Tb/s of co-packaged optics at 5.625 pJ/b.

    >>> from topo_sim.gpus import load_gpus
    >>> gpu_watts(load_gpus()["lite"])
    180.0625
    """
    media = load_optics().media
    if gpu.tdp is None or gpu.medium not in media:
        return None
    return gpu.tdp.at(level) + media[gpu.medium].port_power(gpu.network_bandwidth.at(level), 1.0, level)
