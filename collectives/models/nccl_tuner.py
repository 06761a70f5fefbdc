"""Write choices as the table that NCCL's example tuner plugin reads."""

import csv
import io
from collections.abc import Iterable, Sequence

from topo_sim.base import UsageError
from topo_sim.collectives.models.nccl import Choice

__all__ = ["TUNER_COLUMNS", "tuner_csv"]

TUNER_COLUMNS = (
    "collective_type",
    "min_bytes",
    "max_bytes",
    "algorithm",
    "protocol",
    "channels",
    "nNodes",
    "nRanks",
)

_COLLECTIVES = {
    "all_reduce": "allreduce",
    "all_gather": "allgather",
    "reduce_scatter": "reducescatter",
    "broadcast": "broadcast",
    "reduce": "reduce",
}
_ALGORITHMS = {
    "tree": "tree",
    "ring": "ring",
    "collnet_direct": "collnet_direct",
    "collnet_chain": "collnet_chain",
    "nvls": "nvls",
    "nvls_tree": "nvls_tree",
    "pat": "pat",
}


def _ranges(choices: Sequence[Choice]) -> Iterable[tuple[int, int, Choice]]:
    """Join sizes with the same choice; a range reaches up to the next choice's first size."""
    ordered = sorted(choices, key=lambda choice: choice.size)
    starts = [
        i
        for i, c in enumerate(ordered)
        if i == 0 or (c.algorithm, c.protocol, c.channels) != _what(ordered[i - 1])
    ]
    for i, start in enumerate(starts):
        low = 0 if i == 0 else int(ordered[start].size)
        end = starts[i + 1] if i + 1 < len(starts) else None
        high = 2**63 - 1 if end is None else int(ordered[end].size) - 1
        yield low, high, ordered[start]


def _what(choice: Choice) -> tuple[str, str, int]:
    return choice.algorithm, choice.protocol, choice.channels


def tuner_csv(choices: Iterable[Choice]) -> str:
    """Write choices as NCCL's example tuner plugin reads them.

    Parameters
    ----------
    choices : iterable of Choice
        Of any collectives and groups; those of one are joined into ranges of sizes, the first from 0,
        the last without end. A `channels` of 0 or less is left to NCCL.

    Returns
    -------
    str
        Lines ``collective_type,min_bytes,max_bytes,algorithm,protocol,channels,nNodes,nRanks``.

    Raises
    ------
    UsageError
        If a choice names what the file cannot say, or two for one size differ.

    References
    ----------
    NVIDIA/nccl, ``plugins/tuner/example/nccl_tuner.conf``: -1 stands for any value.

    Examples
    --------
    >>> small = Choice("all_reduce", 8, "tree", "ll", 24, 1, 8, 1e-5)
    >>> large = Choice("all_reduce", 1024, "nvls", "simple", 16, 1, 8, 2e-5)
    >>> print(tuner_csv([small, large]), end="")
    collective_type,min_bytes,max_bytes,algorithm,protocol,channels,nNodes,nRanks
    allreduce,0,1023,tree,ll,24,1,8
    allreduce,1024,9223372036854775807,nvls,simple,16,1,8
    """
    groups: dict[tuple[str, int, int], dict[float, Choice]] = {}
    for choice in choices:
        for found, known, what in (
            (choice.collective, _COLLECTIVES, "collective"),
            (choice.algorithm, _ALGORITHMS, "algorithm"),
            (choice.protocol, ("ll", "ll128", "simple"), "protocol"),
        ):
            if found not in known:
                raise UsageError(f"tuner file: found {what} {found!r}, expected one of {', '.join(known)}")
        if not 0 <= choice.size < 2**63:
            raise UsageError(f"tuner file: found size {choice.size}, expected bytes of 0 to 2**63 - 1")
        mine = groups.setdefault((choice.collective, choice.nodes, choice.ranks), {})
        same = mine.setdefault(float(int(choice.size)), choice)
        if _what(same) != _what(choice):
            raise UsageError(f"tuner file: found two choices for {choice.collective} of {choice.size:g} B")
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(TUNER_COLUMNS)
    for (collective, nodes, ranks), mine in groups.items():
        for low, high, choice in _ranges(list(mine.values())):
            lanes = choice.channels if choice.channels > 0 else -1
            writer.writerow(
                (_COLLECTIVES[collective], low, high, choice.algorithm, choice.protocol, lanes, nodes, ranks)
            )
    return stream.getvalue()
