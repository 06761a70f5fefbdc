"""The network of rooflines: every GPU's full bandwidth at any time, and no latency."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from topo_sim.base import UnknownNameError, UsageError, nearest
from topo_sim.inference.network.curve import Array, Curve, check_group

__all__ = ["IdealNetwork"]

_SENT: Mapping[str, Callable[[int], float]] = {
    "all_reduce": lambda n: 2 * (n - 1) / n,
    "reduce_scatter": lambda n: (n - 1) / n,
    "all_gather": lambda n: (n - 1) / n,
    "all_to_all": lambda n: (n - 1) / n,
    "send_recv": lambda n: 1.0 if n > 1 else 0.0,
}


@dataclass(frozen=True)
class IdealNetwork:
    """A network that only the bandwidth of the GPUs' own ports limits.

    Parameters
    ----------
    bandwidth : float, B/s
        Of one GPU, per direction.
    ranks : int
        GPUs.
    name : str

    Raises
    ------
    UsageError
        If the bandwidth is not above 0, or there is no rank.

    Notes
    -----
    A collective takes the bytes that every rank must send over its bandwidth: all-reduce 2(n-1)/n of the
    size, reduce-scatter, all-gather and all-to-all (n-1)/n.

    Examples
    --------
    >>> network = IdealNetwork(100e9, ranks=8)
    >>> float(network.curve("all_reduce", 4).time(1e9))  # 1.5 GB at 100 GB/s
    0.015
    """

    bandwidth: float
    ranks: int = 1_000_000
    name: str = "ideal"

    def __post_init__(self) -> None:
        if not 0 < self.bandwidth < float("inf"):
            raise UsageError(
                f"{self.name}: found a bandwidth of {self.bandwidth} B/s, expected a finite rate above 0"
            )
        if self.ranks < 1:
            raise UsageError(f"{self.name}: found {self.ranks} ranks, expected at least 1")

    def curve(self, collective: str, group: int, stride: int = 1) -> Curve:
        """Cost a collective: see `Network.curve`."""
        check_group(self.name, self.ranks, group, stride)
        if collective not in _SENT:
            raise UnknownNameError(f'unknown collective "{collective}": {nearest(collective, _SENT)}')
        pace = self.pace(collective, group)

        def read(sizes: Array) -> Array:
            return sizes[None, :] * pace

        return Curve(collective, group, self.ranks // group, ("bandwidth only",), read)

    def pace(self, collective: str, group: int) -> float:
        """Bound the time per byte of a collective: here it is exact."""
        return _SENT[collective](group) / self.bandwidth
