"""A program of thread blocks, as MSCCL runs it: what its XML says, and what the two converters share."""

from dataclasses import dataclass, field
from typing import NamedTuple

from topo_sim.collectives.collective import Collective

__all__ = ["MSCCL_NAMES", "RECEIVING", "SENDING", "Block", "Op", "Place", "Program", "buffer_sizes"]

MSCCL_NAMES = {
    "all_reduce": "allreduce",
    "all_gather": "allgather",
    "reduce_scatter": "reduce_scatter",
    "all_to_all": "alltoall",
    "broadcast": "broadcast",
}
"""Collectives by our name, as MSCCL calls them."""
SENDING = frozenset({"s", "rcs", "rrs", "rrcs"})
RECEIVING = frozenset({"r", "rcs", "rrs", "rrc", "rrcs"})


class Place(NamedTuple):
    """A chunk of a buffer: i (input), o (output) or s (scratch), and an offset in chunks."""

    buffer: str
    offset: int


@dataclass(frozen=True)
class Op:
    """One step of a thread block.

    Parameters
    ----------
    kind : str
        nop, s, r, rcs, rrs, rrc, rrcs, cpy or re.
    source, target : Place
        What it reads and writes; of a receiver, `target` is also what it reduces with.
    count : int
        Chunks.
    after : tuple of int, optional
        Thread block and step that must have ended.
    line : int
        In the file.
    round : int
        Of a sender, the earliest step of the schedule that it goes in; only our own files say it.
    """

    kind: str
    source: Place
    target: Place
    count: int = 1
    after: tuple[int, int] | None = None
    line: int = 0
    round: int = 0


@dataclass
class Block:
    """A thread block: its operations run one after the other.

    Parameters
    ----------
    send, recv : int
        Peer that it sends to and receives from, or -1.
    channel : int
    ops : list of Op
    line : int
        In the file.
    """

    send: int
    recv: int
    channel: int
    ops: list[Op] = field(default_factory=list)
    line: int = 0


@dataclass
class Program:
    """An algorithm as thread blocks of every GPU.

    Parameters
    ----------
    name : str
    collective : Collective
    ranks : int
    chunks : int
        Of one rank's larger buffer: nchunksperloop.
    in_place : bool
        Whether input and output are the same memory.
    gpus : list of list of Block
        Of each rank.
    scratch : list of int
        Chunks of scratch of each rank.
    protocol : str
        Simple, LL or LL128.
    """

    name: str
    collective: Collective
    ranks: int
    chunks: int
    in_place: bool
    gpus: list[list[Block]]
    scratch: list[int]
    protocol: str = "Simple"


def buffer_sizes(collective: Collective, ranks: int, chunks: int) -> tuple[int, int]:
    """Chunks of input and output of every rank.

    Parameters
    ----------
    collective : Collective
    ranks : int
    chunks : int
        Of the larger of the two.

    Returns
    -------
    tuple of int
    """
    own = chunks // ranks
    return (
        own if collective.name == "all_gather" else chunks,
        own if collective.name == "reduce_scatter" else chunks,
    )
