"""Check a topology file: its fabric, then its light and its GPU."""

from topo_sim.base import FaultsError, UnknownNameError
from topo_sim.base.files import Faults, show
from topo_sim.gpus.catalogue import find_gpu
from topo_sim.optics.checking import light_faults
from topo_sim.topo.files import Topology, load_topology

__all__ = ["gpu_faults", "validate_topology"]


def gpu_faults(topology: Topology) -> list[str]:
    """List what is wrong with the GPU that a topology names.

    Parameters
    ----------
    topology : Topology

    Returns
    -------
    list of str
        One line, or none. Only GPUs that ship are known here.

    Examples
    --------
    >>> gpu_faults(load_topology("lite-torus"))
    []
    """
    if topology.gpu is None:
        return []
    try:
        find_gpu(topology.gpu)
    except UnknownNameError as error:
        near = str(error).partition(": ")[2]
        faults = Faults(str(topology.path))
        faults.add(("gpu",), f"found {show(topology.gpu)}, expected the name of a GPU: {near}")
        return faults.text
    return []


def validate_topology(path_or_name: str) -> list[str]:
    """List every fault of a topology file.

    Parameters
    ----------
    path_or_name : str
        As in `load_topology`.

    Returns
    -------
    list of str
        One line per fault, or none. Light and GPU are checked once the fabric is sound.

    Examples
    --------
    >>> validate_topology("lite-torus")
    []
    """
    try:
        topology = load_topology(path_or_name)
        return [*gpu_faults(topology), *light_faults(topology)]
    except FaultsError as error:
        return list(error.faults)
