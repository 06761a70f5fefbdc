"""Which circuits a study runs on: from a topology file, the name of a switch, or neither."""

from topo_sim.base import UsageError
from topo_sim.optics.catalogue import load_optics
from topo_sim.optics.circuit_hardware import CircuitHardware, circuit_hardware, switch_hardware
from topo_sim.topo.files import Topology

__all__ = ["CircuitHardware", "read_hardware"]


def read_hardware(
    topology: Topology | None = None,
    *,
    ranks: int = 0,
    switch: str | None = None,
    level: str | None = None,
    timed: bool = False,
) -> CircuitHardware | None:
    """Read the circuits that a study runs on.

    Parameters
    ----------
    topology : Topology, optional
    ranks : int
        In place of a topology; 0: not known.
    switch : str, optional
        A record of circuit switches, in place of the topology's.
    level : {"low", "typical", "high"}, optional
        Of its reconfiguration time.
    timed : bool
        Whether that time is given apart, so that neither switch nor level may be.

    Returns
    -------
    CircuitHardware or None
        None where neither a topology nor a switch is named.

    Raises
    ------
    UsageError, UnknownNameError, FaultsError
        If what is asked for contradicts itself, is not there, or has no known reconfiguration time.

    Examples
    --------
    >>> read_hardware(switch="mems_palomar", level="high").reconfiguration
    0.003
    """
    if timed and (switch is not None or level is not None):
        raise UsageError("found --delta beside --switch or --level, expected the time or where it comes from")
    if topology is None and switch is None:
        if level is not None:
            raise UsageError(f'--level: found "{level}" without --switch or FILE, expected one of them')
        return None
    if topology is not None:
        found = circuit_hardware(topology, switch=switch, level=level)
    else:
        record = load_optics().circuit_switch(str(switch))
        found = switch_hardware(record, level=level, ranks=ranks)
    if (switch is not None or level is not None) and found.reconfiguration is None:
        raise UsageError(
            f"{found.switch or found.name}: found no reconfiguration time in the catalogue, "
            "expected a switch that has one (see 'topo-sim optics media'); or give --delta"
        )
    return found
