"""Load several topology files with parameter values that they share."""

from collections.abc import Mapping, Sequence
from typing import Any

from topo_sim.base import FaultsError, UsageError, nearest
from topo_sim.topo.files import Topology, load_topology

__all__ = ["fabric_for", "load_all"]


def load_all(references: Sequence[str], settings: Mapping[str, Any] | None = None) -> list[Topology]:
    """Load topologies; a setting goes to every one that has a parameter of that name.

    Parameters
    ----------
    references : sequence of str
        Topology files or shipped names, each with ``@key=value`` if wanted.
    settings : mapping, optional
        Values for parameters; each must be known to at least one topology.

    Returns
    -------
    list of Topology

    Raises
    ------
    FaultsError
        With the faults of all files.
    UsageError
        If no topology has a parameter, or two have one name.

    Examples
    --------
    >>> [t.name for t in load_all(["lite-torus", "dgx-h100"], {"rate": "225 GB/s"})]
    ['lite-torus@rate=225 GB/s', 'dgx-h100']
    """
    given = dict(settings or {})
    loaded: list[Topology] = []
    faults: list[str] = []
    for reference in references:
        try:
            topology = load_topology(reference)
            mine = {name: value for name, value in given.items() if name in topology.parameters}
            loaded.append(load_topology(reference, **mine) if mine else topology)
        except FaultsError as error:
            faults.extend(error.faults)
    if faults:
        raise FaultsError(faults)
    known = {name for topology in loaded for name in topology.parameters}
    for name in given:
        if name not in known:
            files = ", ".join(topology.name for topology in loaded)
            raise UsageError(f'unknown parameter "{name}" for {files}: {nearest(name, known)}')
    names = [topology.name for topology in loaded]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"found {', '.join(repeated)} twice, expected fabrics with different names")
    return loaded


def fabric_for(reference: str, rate: float, settings: Mapping[str, Any] | None = None) -> Topology:
    """Load a topology for GPUs of a network bandwidth: its parameter `rate` is set to it, if it has one.

    Parameters
    ----------
    reference : str
        Topology file or shipped name, with ``@key=value`` if wanted; a rate that is given there stays.
    rate : float, B/s
    settings : mapping, optional
        Values for parameters; a rate that is given here stays.

    Returns
    -------
    Topology

    Raises
    ------
    FaultsError, UsageError
        As `load_all` does.

    Examples
    --------
    >>> fabric_for("lite-torus", 225e9).name, fabric_for("dgx-h100", 225e9).name
    ('lite-torus@rate=225 GB/s', 'dgx-h100')
    """
    given = dict(settings or {})
    topology = load_all([reference], given)[0]
    if "rate" not in topology.parameters or "rate" in given or "@rate=" in reference or ",rate=" in reference:
        return topology
    return load_all([reference], {**given, "rate": f"{rate / 1e9:.12g} GB/s"})[0]
