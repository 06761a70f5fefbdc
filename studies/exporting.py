"""Schedules and fabrics in the formats of other tools."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topo_sim.base import UsageError
from topo_sim.collectives import build_schedule
from topo_sim.collectives.formats import export_schedule, load_schedule
from topo_sim.topo import Fabric
from topo_sim.topo.files import Topology, astra_network, save_astra, save_topology

__all__ = ["FABRIC_FORMATS", "Written", "convert_fabric", "export_collective", "load_schedule"]

FABRIC_FORMATS = ("astra", "topology")


@dataclass(frozen=True)
class Written:
    """What was written.

    Parameters
    ----------
    what : str
    format : str
    files : tuple of Path
        In order.
    """

    what: str
    format: str
    files: tuple[Path, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row per file.

        Returns
        -------
        list of dict
        """
        return [{"format": self.format, "file": str(path)} for path in self.files]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary.

        Returns
        -------
        dict
        """
        return {"what": self.what, "format": self.format, "files": [str(path) for path in self.files]}


def export_collective(
    fabric: Fabric,
    collective: str,
    algorithm: str,
    path: str | os.PathLike[str],
    *,
    to: str,
    size: float,
    ranks: int | None = None,
) -> Written:
    """Write an algorithm for the endpoints of a fabric in the format of another tool.

    Parameters
    ----------
    fabric : Fabric
    collective, algorithm : str
    path : str or path
        The file, or what the names of several begin with.
    to : str
        A name in `topo_sim.collectives.formats.FORMATS`.
    size : float, B
        As nccl-tests counts it.
    ranks : int, optional
        The first so many endpoints. Default: all.

    Returns
    -------
    Written

    Raises
    ------
    UsageError
        If there are not so many endpoints.
    UnknownNameError, CollectiveError
        If something is asked for that there is not, or that the format cannot say.

    Examples
    --------
    >>> import tempfile
    >>> from topo_sim.topo import single_switch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = export_collective(
    ...         single_switch(4), "all_reduce", "ring", f"{folder}/a.xml", to="msccl", size=2**20
    ...     )
    >>> made.what
    'all_reduce/ring on 4 ranks'
    """
    p = fabric.ranks if ranks is None else ranks
    if p > fabric.ranks:
        raise UsageError(f"{fabric.name} has {fabric.ranks} endpoints, expected at least the {p} ranks")
    schedule = build_schedule(collective, algorithm, p, size)
    files = export_schedule(schedule, path, to)
    return Written(f"{collective}/{algorithm} on {p} ranks", to, tuple(files))


def convert_fabric(topology: Topology, path: str | os.PathLike[str], *, to: str) -> Written:
    """Write a fabric in another format.

    Parameters
    ----------
    topology : Topology
    path : str or path
    to : {"astra", "topology"}
        A network file of ASTRA-sim, or a topology file as it is written.

    Returns
    -------
    Written

    Raises
    ------
    TopologyError
        If ASTRA-sim cannot model the fabric, or the file cannot be written.
    UsageError
        If there is no such format.
    """
    if to not in FABRIC_FORMATS:
        raise UsageError(f"found the format {to!r}, expected one of {', '.join(FABRIC_FORMATS)}")
    if to == "astra":
        save_astra(topology.fabric, path)
        return Written(" x ".join(astra_network(topology.fabric).topology), to, (Path(path),))
    save_topology(topology, path)
    return Written(topology.name, to, (Path(path),))
