"""Traffic of a mixture of experts: which GPU sends how much to which, under top-k routing."""

import math

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError

__all__ = ["moe_dispatch"]

MOST_DRAWS = 2**26


def moe_dispatch(
    ranks: int, *, tokens: int = 4, top_k: int = 8, skew: float = 0.25, seed: int = 0
) -> NDArray[np.float64]:
    """Draw the dispatch of a mixture-of-experts layer with one expert on every rank.

    Parameters
    ----------
    ranks : int
        At least 2.
    tokens : int
        Of each rank.
    top_k : int
        Different experts that each token goes to, none of them on its own rank; below `ranks`.
    skew : float
        The r-th most popular expert is drawn like ``r ** -skew``; 0: all alike.
    seed : int

    Returns
    -------
    ndarray of float64, shape (ranks, ranks)
        What each rank (row) sends to each other, in parts of what one rank sends in all: rows sum up to 1.

    Raises
    ------
    UsageError
        If a number is out of bounds.

    Notes
    -----
    Experts of a token are drawn one after the other without putting back, by Gumbel's trick: the `top_k`
    largest of ``log(popularity) + Gumbel noise``. Few tokens make it sparse (at most ``tokens * top_k``
    peers a rank), popularity makes it uneven: what the most popular expert receives sets the time.

    Examples
    --------
    >>> demand = moe_dispatch(64, tokens=2, top_k=4, seed=1)
    >>> float(demand.sum(axis=1).round(12).min()), int((demand > 0).sum(axis=1).max()) <= 8
    (1.0, True)
    >>> float(np.trace(demand))
    0.0
    """
    for name, value, least in (("ranks", ranks, 2), ("tokens", tokens, 1), ("top_k", top_k, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise UsageError(f"{name}: found {value!r}, expected a whole number of at least {least}")
    if top_k >= ranks:
        raise UsageError(f"top_k: found {top_k}, expected fewer than the {ranks} ranks")
    if isinstance(skew, bool) or not 0 <= skew < math.inf:
        raise UsageError(f"skew: found {skew!r}, expected a finite number from 0 on")
    if ranks * ranks * tokens > MOST_DRAWS:
        raise UsageError(
            f"tokens: found {tokens}, expected at most {MOST_DRAWS // ranks**2} for {ranks} ranks"
        )
    rng = np.random.default_rng(seed)
    likely = -skew * np.log(np.arange(1, ranks + 1))
    keys = likely[rng.permutation(ranks)] + rng.gumbel(size=(ranks * tokens, ranks))
    source = np.repeat(np.arange(ranks), tokens)
    keys[np.arange(ranks * tokens), source] = -np.inf
    experts = np.argpartition(-keys, top_k - 1, axis=1)[:, :top_k]
    counts = np.zeros((ranks, ranks))
    np.add.at(counts, (np.repeat(source, top_k), experts.ravel()), 1.0)
    return counts / (tokens * top_k)
