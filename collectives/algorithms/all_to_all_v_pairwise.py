"""All-to-all-v in p - 1 shifts."""

from topo_sim.collectives.algorithms.given_traffic import largest_load, shares_of, shifted
from topo_sim.collectives.algorithms.registry import Algorithm, Plan, register
from topo_sim.collectives.collective import all_to_all_of

__all__ = ["build", "closed_form"]


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
        In step s rank r sends what it has for rank r + s; pairs without bytes have no transfer, shifts
        without any no step.

    Examples
    --------
    >>> build(3, matrix=[[0, 3, 0], [1, 2, 0], [1, 0, 0]]).steps
    [<Step: 2 transfers>, <Step: 1 transfer>]
    """
    shares = shares_of(matrix, p)
    shifts = [[s] for s in range(1, p)]
    return Plan(p * p, shifted(shares, shifts), shares.ravel(), 0, all_to_all_of(shares))


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
    >>> closed_form(3, 3.0, 1.0, 1.0, matrix=[[0, 3, 0], [1, 2, 0], [1, 0, 0]])
    6.0
    """
    shares = shares_of(matrix, p)
    loads = [largest_load(shares, [s]) for s in range(1, p)]
    return sum(alpha + load * size * beta for load in loads if load is not None)


register(
    Algorithm(
        collective="all_to_all_v",
        name="pairwise",
        summary="rank r sends to r + s in step s; empty steps are left out",
        formula="sum over shifts with any bytes of alpha + the largest transfer times beta",
        build=build,
        closed_form=closed_form,
        reference="Thakur, Rabenseifner, Gropp, Optimization of collective communication operations in "
        "MPICH, IJHPCA 19(1), 2005",
        options={"matrix": None},
    )
)
