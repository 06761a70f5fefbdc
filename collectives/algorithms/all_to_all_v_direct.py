"""All-to-all-v in one step: everybody sends to everybody at once."""

from topo_sim.base import CollectiveError
from topo_sim.collectives.algorithms.given_traffic import largest_load, shares_of, shifted
from topo_sim.collectives.algorithms.registry import Algorithm, Plan, register
from topo_sim.collectives.collective import all_to_all_of

__all__ = ["build", "closed_form"]

MOST_RANKS = 20_000


def build(p: int, matrix: object = None) -> Plan:
    """Build the schedule.

    Parameters
    ----------
    p : int
        Number of ranks, at least 2.
    matrix : array_like of float, shape (p, p), or None
        Bytes from each rank (row) to each other; only their proportions count. None: equal.

    Returns
    -------
    Plan
        One step of up to p (p - 1) transfers; pairs without bytes have none.

    Examples
    --------
    >>> build(2, matrix=[[0, 3], [1, 2]]).steps
    [<Step: 2 transfers>]
    """
    if p > MOST_RANKS:
        raise CollectiveError(
            f"all_to_all_v/direct on {p} ranks may have {p * (p - 1):,} transfers, which do not fit in "
            f"memory; it can have at most {MOST_RANKS} ranks"
        )
    shares = shares_of(matrix, p)
    return Plan(p * p, shifted(shares, [range(1, p)]), shares.ravel(), 0, all_to_all_of(shares))


def closed_form(p: int, size: float, alpha: float, beta: float, matrix: object = None) -> float:
    """Time on one ideal switch.

    Parameters
    ----------
    p : int
        Number of ranks.
    size : float, B
        What the rank that has most holds to send.
    alpha : float, s
        Per step.
    beta : float, s/B
        Of a port, each way.
    matrix : array_like of float, shape (p, p), or None
        Bytes from each rank (row) to each other; only their proportions count. None: equal.

    Returns
    -------
    float, s
        Time.

    Examples
    --------
    >>> closed_form(2, 3.0, 0.0, 1.0, matrix=[[0, 3], [1, 2]])
    3.0
    """
    load = largest_load(shares_of(matrix, p), range(1, p))
    return alpha + load * size * beta if load is not None else 0.0


register(
    Algorithm(
        collective="all_to_all_v",
        name="direct",
        summary="all transfers of a matrix at once",
        formula="alpha + L n beta, L n the bytes at the busiest port, without the diagonal",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
        options={"matrix": None},
    )
)
