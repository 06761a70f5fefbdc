"""Check a topology file: its fabric, then its light."""

from topo_sim.base import FaultsError
from topo_sim.optics.checking import light_faults
from topo_sim.topo.files import load_topology

__all__ = ["validate_topology"]


def validate_topology(path_or_name: str) -> list[str]:
    """List every fault of a topology file.

    Parameters
    ----------
    path_or_name : str
        As in `load_topology`.

    Returns
    -------
    list of str
        One line per fault, or none. Light is checked once the fabric is sound.

    Examples
    --------
    >>> validate_topology("lite-torus")
    []
    """
    try:
        return light_faults(load_topology(path_or_name))
    except FaultsError as error:
        return list(error.faults)
