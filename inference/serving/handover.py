"""How fast KV moves from prefill to decode instances over a fabric."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.inference.serving.rules import Links
from topo_sim.topo import Fabric, route
from topo_sim.topo.flow import max_min_rates

__all__ = ["kv_links", "shards"]


def shards(senders: int, receivers: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Cut the KV of one sequence, dealt evenly to senders and to receivers, into what goes from whom to whom.

    Parameters
    ----------
    senders, receivers : int
        GPUs of either instance; each holds one interval of the heads.

    Returns
    -------
    sender, receiver : ndarray of int64, shape (messages,)
    share : ndarray of float64, shape (messages,)
        Of the whole; they add up to 1.

    Examples
    --------
    >>> [each.tolist() for each in shards(2, 4)]
    [[0, 0, 1, 1], [0, 1, 2, 3], [0.25, 0.25, 0.25, 0.25]]
    """
    cuts = np.unique(np.concatenate([np.arange(senders + 1) * receivers, np.arange(receivers + 1) * senders]))
    begin, whole = cuts[:-1], senders * receivers
    return begin // receivers, begin // senders, np.diff(cuts) / whole


def kv_links(
    fabric: Fabric,
    prefill: ArrayLike,
    decode: ArrayLike,
    bytes_per_token: float,
    *,
    routing: str | None = None,
    overhead: float = 0.0,
    seed: int = 0,
) -> Links:
    """Solve the transfers between all pairs of instances on a fabric.

    Parameters
    ----------
    fabric : Fabric
    prefill, decode : array_like of int, shapes (P, GPUs of each) and (D, GPUs of each)
        Ranks of every instance.
    bytes_per_token : float, B
        Over all GPUs of an instance.
    routing : str, optional
        Default: the fabric's own.
    overhead : float, s
        Per transfer.
    seed : int
        Of hashed routings.

    Returns
    -------
    Links

    Raises
    ------
    UsageError
        If a rank is out of range or in two instances.

    Notes
    -----
    A transfer has both of its ends to itself; what it shares is the fabric between. So every rate is that of
    a full house: min(P, D) transfers at once, from prefill instance i to decode instance i + k for one k,
    with max-min fair rates, and k runs over all. A transfer is over when its slowest message is. Heads that
    several GPUs of a decode instance hold are counted once.

    Examples
    --------
    >>> from topo_sim.topo import single_switch
    >>> fabric = single_switch(8, bandwidth=100e9, latency=1e-6)
    >>> found = kv_links(fabric, [[0, 1], [2, 3]], [[4, 5], [6, 7]], 1e5)
    >>> found.rate.tolist(), float(found.latency[0, 0])  # two GPUs of 100 GB/s, two hops
    ([[200000000000.0, 200000000000.0], [200000000000.0, 200000000000.0]], 2e-06)
    """
    starts, tos = np.array(prefill, dtype=np.int64), np.array(decode, dtype=np.int64)
    ranks = np.concatenate([starts.ravel(), tos.ravel()])
    if np.any((ranks < 0) | (ranks >= fabric.ranks)) or np.unique(ranks).size != ranks.size:
        raise UsageError(
            f"{fabric.name}: found a rank out of range or twice, expected each of {fabric.ranks} once at most"
        )
    sender, receiver, share = shards(starts.shape[1], tos.shape[1])
    p, d = len(starts), len(tos)
    rate, latency = np.zeros((p, d)), np.zeros((p, d))
    for shift in range(max(p, d)):
        at = np.arange(min(p, d))
        i, j = (at, (at + shift) % d) if p <= d else ((at + shift) % p, at)
        source, target = starts[i][:, sender].ravel(), tos[j][:, receiver].ravel()
        paths = route(fabric, source, target, routing, seed=seed)
        found = max_min_rates(paths, fabric.capacity).reshape(len(at), -1)
        rate[i, j] = 1.0 / (share / found).max(axis=1)
        weight = 1.0 if paths.share is None else paths.share
        along = np.add.reduceat(fabric.latency[paths.links] * weight, paths.indptr[:-1])
        latency[i, j] = along.reshape(len(at), -1).max(axis=1) + overhead
    return Links(bytes_per_token, rate, latency)
