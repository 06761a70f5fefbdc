"""The systems whose logs are shipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import yaml

from topo_sim.base import UnknownNameError, nearest
from topo_sim.collectives.measured.reading import Log, read_log

__all__ = ["SYSTEMS", "System", "shipped_log"]


@dataclass(frozen=True)
class System:
    """A real system with a shipped log.

    Parameters
    ----------
    name : str
        Also that of the shipped topology that stands for it.
    hardware : str
        What the log calls it.
    ranks : int
    outliers : mapping from str to list of int
        By collective, sizes (B) whose measured time is known for an outlier.
    """

    name: str
    hardware: str
    ranks: int
    outliers: Mapping[str, list[int]] = field(default_factory=dict)


def _load() -> dict[str, System]:
    text = (resources.files("topo_sim.collectives.measured") / "systems.yaml").read_text(encoding="utf-8")
    return {entry["name"]: System(**entry) for entry in yaml.safe_load(text)}


SYSTEMS: Mapping[str, System] = _load()
"""The systems, by name."""


@cache
def _everything() -> Log:
    with resources.as_file(resources.files("topo_sim.collectives.measured") / "nccl_measured.csv") as path:
        return read_log(path)


def shipped_log(name: str) -> Log:
    """Read the log of a system that is shipped.

    Parameters
    ----------
    name : str
        A name in `SYSTEMS`.

    Returns
    -------
    Log

    Raises
    ------
    UnknownNameError
        If there is no such system.

    Examples
    --------
    >>> log = shipped_log("dgx-h100")
    >>> len(log.rows), log.rows[0].size, log.rows[0].time
    (32, 8.0, 1.367e-05)
    """
    if name not in SYSTEMS:
        raise UnknownNameError(f'unknown system "{name}": {nearest(name, SYSTEMS)}')
    system = SYSTEMS[name]
    rows = (r for r in _everything().rows if r.system == system.hardware and r.ranks == system.ranks)
    return Log(f"nccl_measured.csv ({name})", tuple(rows))
