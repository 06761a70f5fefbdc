"""The constants of NCCL's tuning model, as they stand in its source.

From NVIDIA/nccl 2.30.7 at commit 5067397c, ``src/graph/tuning.cc`` (latencies, lines 150-175; bandwidths,
139-144 and 177-211; tree correction, 623-627), ``topo.h`` lines 17-35 (link rates) and ``search.cc`` lines
1051-1066 (speed grids). Latencies in us, rates in GB/s (1e9 B/s). Triples are LL, LL128, Simple where they
are latencies, and one node, two nodes, more where they are bandwidths.
"""

from types import MappingProxyType
from typing import Final

__all__ = [
    "ALGORITHMS",
    "BASE_LATENCY",
    "GENERATIONS",
    "INTER_SPEEDS",
    "INTRA_SPEEDS",
    "LINK_SHARE",
    "LL_MOST",
    "NETWORK_LATENCY",
    "NVLINK_LATENCY",
    "NVLS_EFFICIENCY",
    "PCI_LATENCY",
    "PER_CHANNEL",
    "PROTOCOLS",
    "TREE_CORRECTION",
]

PROTOCOLS: Final = ("ll", "ll128", "simple")
ALGORITHMS: Final = ("tree", "ring", "collnet_direct", "collnet_chain", "nvls", "nvls_tree", "pat")
GENERATIONS: Final = ("volta", "ampere", "hopper", "blackwell")

Triple = tuple[float, float, float]
NEVER: Final = float("nan")

BASE_LATENCY: Final = MappingProxyType[str, Triple](
    {
        "tree": (6.8, 14.0, 8.4),
        "ring": (6.6, 14.0, 8.4),
        "collnet_direct": (0, 0, 0),
        "collnet_chain": (0, 0, 0),
        "nvls": (0, 0, 0),
        "nvls_tree": (0, 0, 0),
        "pat": (8.0, 8.0, 8.0),
    }
)
NVLINK_LATENCY: Final = MappingProxyType[str, Triple](
    {
        "tree": (0.6, 1.25, 4.0),
        "ring": (0.6, 1.9, 3.4),
        "collnet_direct": (NEVER, NEVER, 3.7),
        "collnet_chain": (NEVER, NEVER, 2.8),
        "nvls": (NEVER, NEVER, 25.0),
        "nvls_tree": (NEVER, NEVER, 25.0),
        "pat": (NEVER, NEVER, 4.0),
    }
)
PCI_LATENCY: Final = MappingProxyType[str, Triple](
    {
        "tree": (1.0, 1.9, 4.0),
        "ring": (1.0, 2.5, 5.7),
        "collnet_direct": (NEVER, NEVER, 3.7),
        "collnet_chain": (NEVER, NEVER, 2.8),
        "nvls": (NEVER, NEVER, 0.0),
        "nvls_tree": (NEVER, NEVER, 0.0),
        "pat": (NEVER, NEVER, 4.0),
    }
)
NETWORK_LATENCY: Final = MappingProxyType[str, Triple](
    {
        "tree": (5.0, 8.5, 14.0),
        "ring": (2.7, 4.0, 14.0),
        "collnet_direct": (NEVER, NEVER, 31.0),
        "collnet_chain": (NEVER, NEVER, 30.0),
        "nvls": (NEVER, NEVER, 18.0),
        "nvls_tree": (NEVER, NEVER, 20.9),
        "pat": (NEVER, NEVER, 14.0),
    }
)

LL_MOST: Final[tuple[Triple, ...]] = (
    (39.0, 39.0, 20.4),
    (87.7, 22.5, 19.0),
    (141.0, 45.0, 35.0),
    (282.0, 90.0, 70.0),
)
"""Rows: the generations on one node. Across nodes the first row stands for Intel's and other processors,
the second for AMD's."""

_VOLTA_TREE: Final = (26.5, 18.5, 10.0)
_AMPERE_TREE: Final = (24.0, 23.6, 17.8)
PER_CHANNEL: Final = MappingProxyType[str, tuple[Triple, ...]](
    {
        "ring_ll128": ((20.0, 20.0, 20.0), (20.0, 20.0, 20.0), (36.7, 36.7, 36.7), (40.0, 40.0, 40.0)),
        "tree_ll128": ((20.0, 20.0, 20.0), (20.0, 20.0, 20.0), (36.7, 36.7, 29.0), (55.6, 31.67, 20.0)),
        "tree": (_VOLTA_TREE, _AMPERE_TREE, (38.7, 41.4, 36.0), (70.0, 42.8, 24.0)),
        "nvls_tree": (_VOLTA_TREE, _AMPERE_TREE, (0.0, 57.7, 45.5), (0.0, 96.0, 80.0)),
    }
)
"""Most that one channel carries; rows are the generations."""

NVLS_EFFICIENCY: Final = (0.0, 0.0, 0.85, 0.74)

TREE_CORRECTION: Final[tuple[tuple[float, ...], ...]] = (
    (*(1.0,) * 4, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, *(1.0,) * 5),
    (*(1.0,) * 5, 0.9, 0.8, 0.8, 0.8, 0.7, *(0.6,) * 6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0),
    (*(0.9,) * 7, 0.8, 0.7, 0.6, 0.6, *(0.5,) * 4, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9),
)
"""Factor on a tree's bandwidth, by protocol and by floor(log2(bytes / 64))."""

LINK_SHARE: Final = MappingProxyType(
    {"volta": 20.0 / 25, "ampere": 20.0 / 25, "hopper": 20.6 / 25, "blackwell": 40.1 / 50, "pcie": 12.0 / 16}
)
"""What NCCL counts a link as carrying, over its nominal rate per direction."""

_DEFAULT_INTRA: Final = (40.0, 30.0, 20.0, 18.0, 15.0, 12.0, 10.0, 9.0, 7.0, 6.0, 5.0, 4.0, 3.0)
INTRA_SPEEDS: Final = MappingProxyType[str, tuple[float, ...]](
    {
        "hopper": (60.0, 50.0, 40.0, 30.0, 24.0, 20.0, 15.0, 12.0, 11.0, 6.0, 3.0),
        "blackwell": (90.0, 80.0, 70.0, 60.0, 50.0, 45.0, 40.0, 30.0, 24.0, 20.0, 19.0, 18.0),
        **dict.fromkeys(("pcie", "volta", "ampere"), _DEFAULT_INTRA),
    }
)
_DEFAULT_INTER: Final = (
    *(48.0, 30.0, 28.0, 24.0, 20.0, 18.0, 15.0, 12.0, 10.0, 9.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.4, 1.2),
    *(0.24, 0.12),
)
_FROM_42: Final = (*(42.0, 40.0, 30.0, 24.0, 22.0, 20.0, 17.5, 15.0, 12.0, 6.0, 3.0, 2.4, 1.2, 0.24, 0.12),)
INTER_SPEEDS: Final = MappingProxyType[str, tuple[float, ...]](
    {
        "hopper": (48.0, 45.0, *_FROM_42),
        "blackwell": (96.0, 86.0, 80.0, 48.0, 45.1, *_FROM_42),
        **dict.fromkeys(("pcie", "volta", "ampere"), _DEFAULT_INTER),
    }
)
