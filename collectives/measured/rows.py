"""One measured row, and what any row of nccl-tests must satisfy."""

import math
import re
from dataclasses import dataclass

from topo_sim.collectives.collective import COLLECTIVES

__all__ = [
    "Measurement",
    "check_row",
    "collective_name",
    "names_another",
    "ratio_fault",
    "recover_ranks",
    "tolerance",
]

_NAMES = {
    "allreduce": "all_reduce",
    "allgather": "all_gather",
    "reducescatter": "reduce_scatter",
    "alltoall": "all_to_all",
    "broadcast": "broadcast",
}
_OTHERS = ("sendrecv", "gather", "scatter", "reduce", "hypercube")
_MOST_BYTES = 2.0**63
_ROUNDING = 0.0051  # of a bandwidth printed with two decimals, GB/s


@dataclass(frozen=True)
class Measurement:
    """An out-of-place time of a collective.

    Parameters
    ----------
    file : str
        Where it was read.
    line : int
        Line of the file, from 1; of a JSON file, the row.
    system : str
        What ran it, as the log says; may be empty.
    collective : str
        A name in `COLLECTIVES`.
    ranks : int
    size : float, B
        As nccl-tests counts it.
    time : float, s
    note : str
    """

    file: str
    line: int
    system: str
    collective: str
    ranks: int
    size: float
    time: float
    note: str = ""

    @property
    def busbw(self) -> float:
        """Bus bandwidth, B/s."""
        return self.size / self.time * COLLECTIVES[self.collective].busbw_factor(self.ranks)


def collective_name(text: str) -> str | None:
    """Find the collective that a text names.

    Parameters
    ----------
    text : str
        A command line, a file's name, a column's value.

    Returns
    -------
    str or None
        A name in `COLLECTIVES`; None where there is none, or one that is not modelled.

    Examples
    --------
    >>> collective_name("./build/all_reduce_perf -b 8 -e 1G"), collective_name("AllGather")
    ('all_reduce', 'all_gather')
    """
    plain = re.sub(r"[^a-z]", "", text.lower())
    found = [(plain.find(key), name) for key, name in _NAMES.items() if key in plain]
    return min(found)[1] if found else None


def names_another(text: str) -> str | None:
    """Find a test of nccl-tests that is not modelled.

    Parameters
    ----------
    text : str

    Returns
    -------
    str or None
    """
    plain = re.sub(r"[^a-z]", "", text.lower())
    return next((name for name in _OTHERS if f"{name}perf" in plain or plain == name), None)


def tolerance(algbw: float, factor: float) -> float:
    """How far busbw/algbw may be off by rounding to two decimals alone.

    Parameters
    ----------
    algbw : float, GB/s
    factor : float

    Returns
    -------
    float
        Infinite where the bandwidths are too small to tell.
    """
    return _ROUNDING * (1 + factor) / (algbw - _ROUNDING) + 5e-4 if algbw > 2 * _ROUNDING else math.inf


def recover_ranks(collective: str, algbw: float, busbw: float) -> int | None:
    """Find the number of ranks for which a busbw fits an algbw.

    Parameters
    ----------
    collective : str
    algbw, busbw : float, GB/s
        As printed, rounded to two decimals.

    Returns
    -------
    int or None
        None where they fit none, or more than one.

    Examples
    --------
    >>> recover_ranks("all_reduce", 266.48, 466.33), recover_ranks("all_gather", 187.98, 176.23)
    (8, 16)
    >>> recover_ranks("all_reduce", 0.02, 0.03) is None  # rounding hides it
    True
    """
    if collective == "broadcast" or algbw <= 2 * _ROUNDING:
        return None
    ratio = busbw / algbw
    share = ratio / 2 if collective == "all_reduce" else ratio
    if not 0 <= share < 1:
        return None
    guess = round(1 / (1 - share))
    factor = COLLECTIVES[collective].busbw_factor
    slack = tolerance(algbw, ratio)
    fits = [n for n in (guess - 1, guess, guess + 1) if n >= 1 and abs(factor(n) - ratio) <= slack]
    return fits[0] if len(fits) == 1 else None


def check_row(
    collective: str, ranks: int, size: float, time_us: float, algbw: float | None, busbw: float | None
) -> str | None:
    """Say what is wrong with a row.

    Parameters
    ----------
    collective : str
    ranks : int
    size : float, B
    time_us : float
    algbw, busbw : float or None, GB/s
        None where the log has no such column.

    Returns
    -------
    str or None
        What was found and expected, or None if nothing is wrong.

    Examples
    --------
    >>> check_row("all_reduce", 16, 2**30, 4029.4, 266.48, 466.33)
    'found busbw/algbw 1.750, expected 1.875 for 16 ranks of all_reduce (1.750 is that of 8)'
    """
    if not (math.isfinite(time_us) and time_us > 0):
        return f"found time {time_us:g} us, expected more than 0"
    if ranks < 1:
        return f"found {ranks} ranks, expected at least 1"
    if not (math.isfinite(size) and size > 0):
        return f"found size {size:g}, expected bytes of more than 0"
    if size > _MOST_BYTES:
        return f"found size {size:g}, expected at most 2^63 bytes"
    for value, name in ((algbw, "algbw"), (busbw, "busbw")):
        if value is not None and not (math.isfinite(value) and value >= 0):
            return f"found {name} {value:g}, expected 0 or more"
    if algbw is None:
        return None
    rate = size / time_us / 1e3
    if abs(algbw - rate) > 0.012 * rate + _ROUNDING:
        return f"found algbw {algbw:g} GB/s, expected size/time = {rate:.2f}"
    if busbw is None:
        return None
    return ratio_fault(collective, ranks, algbw, busbw)


def ratio_fault(collective: str, ranks: int, algbw: float, busbw: float) -> str | None:
    """Say whether a busbw belongs to another number of ranks.

    Parameters
    ----------
    collective : str
    ranks : int
    algbw, busbw : float, GB/s

    Returns
    -------
    str or None
        None also where the bandwidths are too small to tell.

    Examples
    --------
    >>> ratio_fault("all_gather", 8, 100.0, 87.5) is None
    True
    """
    factor = COLLECTIVES[collective].busbw_factor(ranks)
    if algbw <= 2 * _ROUNDING or abs(busbw / algbw - factor) <= tolerance(algbw, factor):
        return None
    other = recover_ranks(collective, algbw, busbw)
    hint = f" ({busbw / algbw:.3f} is that of {other})" if other else ""
    ratio = f"found busbw/algbw {busbw / algbw:.3f}, expected {factor:.3f}"
    return f"{ratio} for {ranks} ranks of {collective}{hint}"
