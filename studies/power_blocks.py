"""Blocks of GPUs of equal compute, and what is asked about their power."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from topo_sim.base import UsageError
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.power import POWER_POLICIES, Block

__all__ = ["PowerQuestion", "blocks_of"]

_ROUNDING = 1e-9
_MOST = 1_000_000


@dataclass(frozen=True)
class PowerQuestion:
    """What is asked about the power of every GPU.

    Parameters
    ----------
    count : int
        GPUs of the first type in the block; others have the same compute.
    precision : str
        Whose dense peak says so.
    model, activity, curve : str
        By name; a curve may be a CSV file.
    policies : sequence of str
    load, clock : float
        Of one package, for the split of its power.
    cap : float, optional, W
        Power cap of a GPU of the first type; others get as much for their TDP.
    drain : int, optional
        GPUs of the first type that are switched together; others the same compute. Default: each GPU by
        itself.
    resident : float, B
        What the block holds in memory whatever its load.
    headroom : float
        Share of the load kept free on top, where GPUs are switched.
    cooling : sequence of str
    racked : int
        GPUs of the first type to put into racks.
    """

    count: int = 1
    precision: str = "bf16"
    model: str = "genz"
    activity: str = "full"
    curve: str = "day"
    policies: Sequence[str] = tuple(POWER_POLICIES)
    load: float = 1.0
    clock: float = 1.0
    cap: float | None = None
    drain: int | None = None
    resident: float = 0.0
    headroom: float = 0.0
    cooling: Sequence[str] = ("air", "liquid")
    racked: int = 1024

    def __post_init__(self) -> None:
        for name, value in (("GPUs", self.count), ("GPUs in racks", self.racked), ("drain", self.drain)):
            if name == "drain" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
                raise UsageError(f"{name}: found {value!r}, expected 1 to {_MOST:,}")
        if not 0 <= self.resident < math.inf:
            raise UsageError(f"resident: found {self.resident!r}, expected B of 0 or more")
        for name, chosen in (("policies", self.policies), ("cooling", self.cooling)):
            if not chosen or len(set(chosen)) < len(chosen):
                found = ", ".join(chosen) or "none"
                raise UsageError(f"{name}: found {found}, expected at least one, and none twice")

    @property
    def least_count(self) -> int:
        """Smallest block worth comparing: what is switched together."""
        return self.drain or 1


def blocks_of(gpus: Sequence[Gpu], asked: PowerQuestion, count: int | None = None) -> list[Block]:
    """Make blocks of the compute of some GPUs of the first type.

    Parameters
    ----------
    gpus : sequence of Gpu
    asked : PowerQuestion
    count : int, optional
        Default: that of the question; what is resident grows with it.

    Returns
    -------
    list of Block
        In the order of the GPUs. The load 1 is the compute of the first block.

    Raises
    ------
    UsageError
        If a block cannot hold what is resident.

    Examples
    --------
    >>> from topo_sim.gpus import load_gpus
    >>> gpus = [load_gpus()[name] for name in ("h100", "lite")]
    >>> [block.count for block in blocks_of(gpus, PowerQuestion(count=2))]
    [2, 8]
    """
    number = asked.count if count is None else count
    whole = number * gpus[0].peak(asked.precision).typical
    blocks = []
    for gpu in gpus:
        peak = gpu.peak(asked.precision).typical
        size = max(1, math.ceil(whole / peak * (1 - _ROUNDING)))
        unit = 1
        if asked.drain is not None:
            unit = min(size, max(1, round(asked.drain * gpus[0].peak(asked.precision).typical / peak)))
        kept = asked.resident * number / asked.count
        least = max(1, math.ceil(kept / gpu.memory.typical * (1 - _ROUNDING)))
        if least > size:
            raise UsageError(
                f"resident: found {kept / 1e9:.4g} GB for {size} {gpu.name} of "
                f"{gpu.memory.typical / 1e9:g} GB, expected at most {size * gpu.memory.typical / 1e9:g} GB"
            )
        blocks.append(Block(size, peak / whole, unit, least, asked.headroom))
    return blocks
