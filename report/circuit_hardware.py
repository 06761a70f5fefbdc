"""What was taken from a topology file or the catalogue, in a line."""

from topo_sim.base import format_quantity
from topo_sim.optics.circuit_hardware import CircuitHardware

__all__ = ["hardware_lines"]


def hardware_lines(hardware: CircuitHardware, assumed_any: bool = False) -> list[str]:
    """Say what was taken from a file, and what is assumed against it.

    Parameters
    ----------
    hardware : CircuitHardware
    assumed_any : bool
        Whether any matching is assumed all the same.

    Returns
    -------
    list of str

    Examples
    --------
    >>> hardware_lines(CircuitHardware("a", 4, 2, 1e9, 1e-6, switch="piezo", reconfiguration=0.01))[0][:66]
    'taken from a: 2 ports of 1 GB/s per endpoint, light path 1 us, cir'
    """
    parts = []
    if hardware.rate:
        ports = "1 port" if hardware.ports == 1 else f"{hardware.ports:,} ports"
        parts += [f"{ports} of {format_quantity(hardware.rate, 'rate')} per endpoint"]
        parts += [f"light path {format_quantity(hardware.hop, 'time')}"]
    if hardware.sets == "none":
        parts += ["no circuit switches: its cables are taken as ports on switches that set any matching"]
        return [f"taken from {hardware.name}: {', '.join(parts)}"]
    many = "" if hardware.switches == 1 else "es"
    count = f"{hardware.switches:,} circuit switch{many} " if hardware.switches else "circuit switch "
    parts += [f'{count}"{hardware.switch}"']
    if hardware.reconfiguration is None:
        parts += ["no reconfiguration time known"]
    else:
        origin = "as in the file" if hardware.level == "file" else hardware.level
        parts += [f"{format_quantity(hardware.reconfiguration, 'time', 3)} per change ({origin})"]
    if hardware.slot is not None:
        parts += [f"slots of {format_quantity(hardware.slot, 'time')}"]
    source = hardware.name if hardware.rate else "the catalogue"
    lines = [f"taken from {source}: {', '.join([*parts, hardware.limit or 'any matching'])}"]
    if assumed_any:
        lines += [
            "assumed against that: switches that set any matching; bounds hold all the same, times do not"
        ]
    return lines
