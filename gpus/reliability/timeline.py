"""When groups of devices run and when they stand, in one life of a cluster."""

import numpy as np
from numpy.typing import NDArray

from topo_sim.gpus.reliability.checks import check_count, check_number
from topo_sim.gpus.reliability.cluster import Cluster, Job
from topo_sim.gpus.reliability.life import check_life, life_state
from topo_sim.gpus.reliability.life_kernels import live
from topo_sim.gpus.reliability.policies import POLICIES

__all__ = ["outages"]

_ROOM = 1024


def outages(
    cluster: Cluster, policy: str = "hot_spares", job: Job | None = None, *, horizon: float, seed: int = 0
) -> NDArray[np.float64]:
    """List the times at which groups stand.

    Parameters
    ----------
    cluster : Cluster
    policy : str
        A name in ``POLICIES``.
    job : Job, optional
        Default: serving, with nothing lost and no time to restart.
    horizon : float, s
        Length of the life.
    seed : int
        0 or more.

    Returns
    -------
    ndarray of float64, shape (outages, 3)
        Group, begin and end, s, by begin; the end is infinite where it lies beyond the horizon.

    Raises
    ------
    UsageError
        If a number is out of range, or the policy cannot use what is given.
    UnknownNameError
        If there is no such policy.

    Notes
    -----
    It is the life that `simulate_life` lives as its first replica, in which failures that meet a group while
    it stands make its outage longer.

    Examples
    --------
    >>> cluster = Cluster(count=8, rate=1e-6, repair=3600.0, group=4)
    >>> found = outages(cluster, "none", horizon=1e6, seed=1)
    >>> bool((found[:, 2] - found[:, 1] >= 3600.0 - 1e-6).all()), len(found) > 0
    (True, True)
    """
    rule, chosen = POLICIES[policy], job or Job()
    end = check_number(horizon, "horizon", positive=True)
    root = check_count(seed, "seed", least=0)
    check_life(cluster, rule, policy, chosen, end, 1)
    drawn = np.random.SeedSequence(root).spawn(1)[0].generate_state(1, np.uint64)[0]
    room = max(_ROOM, 2 * cluster.groups)
    while True:
        state = life_state(cluster, rule, chosen, end, 1, room)
        live(state, drawn)
        count = int(state.logged[0])
        if count <= room:
            return _gaps(state.runs[:count], cluster.groups, end)
        room = count


def _gaps(runs: NDArray[np.float64], groups: int, horizon: float) -> NDArray[np.float64]:
    """Turn times of running into times between them."""
    ends = np.column_stack([np.arange(groups), np.full(groups, np.inf), np.full(groups, np.inf)])
    begins = np.column_stack([np.arange(groups), np.zeros(groups), np.zeros(groups)])
    whole = np.concatenate([begins, runs, ends])
    whole = whole[np.lexsort((whole[:, 1], whole[:, 0]))]
    same = whole[1:, 0] == whole[:-1, 0]
    found = np.column_stack([whole[1:, 0], whole[:-1, 2], whole[1:, 1]])[same]
    found = found[(found[:, 2] > found[:, 1]) & (found[:, 1] < horizon)]
    return found[np.lexsort((found[:, 0], found[:, 1]))]
