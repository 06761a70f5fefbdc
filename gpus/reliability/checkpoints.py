"""Checkpoints: how often to write them, and what is left of the time (Young, Daly)."""

import math

from scipy.special import lambertw

from topo_sim.gpus.reliability.checks import check_number

__all__ = ["best_interval", "checkpoint_efficiency", "daly_interval", "young_interval"]


def young_interval(write: float, between: float) -> float:
    """Work between two checkpoints by Young's first-order formula, s.

    Parameters
    ----------
    write : float, s
        Time to write a checkpoint.
    between : float, s
        Mean time between interruptions.

    Returns
    -------
    float, s
        sqrt(2 write between).

    References
    ----------
    Young, "A first order approximation to the optimum checkpoint interval", CACM 1974.

    Examples
    --------
    >>> young_interval(2.0, 100.0)
    20.0
    """
    delta = check_number(write, "time to write a checkpoint")
    mean = check_number(between, "time between interruptions", positive=True)
    product = 2 * delta * mean
    if 0 < product < math.inf:
        return math.sqrt(product)
    return math.sqrt(2) * math.sqrt(delta) * math.sqrt(mean)  # where the product leaves the floats


def daly_interval(write: float, between: float) -> float:
    """Work between two checkpoints by Daly's higher-order formula, s.

    Parameters
    ----------
    write, between : float, s
        As in `young_interval`.

    Returns
    -------
    float, s

    References
    ----------
    Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 2006, eq. 37.

    Examples
    --------
    >>> round(daly_interval(2.0, 100.0), 4)
    18.6889
    """
    delta = check_number(write, "time to write a checkpoint")
    mean = check_number(between, "time between interruptions", positive=True)
    if delta >= 2 * mean:
        return mean
    x = delta / (2 * mean)
    return young_interval(delta, mean) * (1 + math.sqrt(x) / 3 + x / 9) - delta


def best_interval(write: float, between: float) -> float:
    """Work between two checkpoints that keeps the most of it, s.

    Parameters
    ----------
    write, between : float, s
        As in `young_interval`.

    Returns
    -------
    float, s
        Where `checkpoint_efficiency` is largest.

    Notes
    -----
    The derivative of (exp((t + write) / M) - 1) / t is zero where t / M = 1 + W(-exp(-1 - write / M)), W
    the main branch of Lambert's function.

    Examples
    --------
    >>> round(best_interval(2.0, 100.0), 4)
    18.6895
    """
    delta = check_number(write, "time to write a checkpoint")
    mean = check_number(between, "time between interruptions", positive=True)
    x = delta / mean
    if x < 1e-9:  # where 1 + W cancels; Young's formula is exact to its square root
        return young_interval(delta, mean)
    return mean * float(1 + lambertw(-math.exp(-1 - x)).real)


def checkpoint_efficiency(interval: float, write: float, restart: float, between: float) -> float:
    """Share of the time that becomes work which is kept.

    Parameters
    ----------
    interval : float, s
        Work between two checkpoints.
    write : float, s
        Time to write one.
    restart : float, s
        From an interruption until work goes on; one that falls into it starts it anew.
    between : float, s
        Mean time between interruptions, exponential.

    Returns
    -------
    float
        (interval / M) exp(-restart / M) / (exp((interval + write) / M) - 1).

    References
    ----------
    Daly 2006, the complete cost function, as work over time.

    Examples
    --------
    >>> round(checkpoint_efficiency(18.6895, 2.0, 5.0, 100.0), 4)
    0.7734
    """
    tau = check_number(interval, "checkpoint interval", positive=True)
    delta = check_number(write, "time to write a checkpoint")
    again = check_number(restart, "time to restart")
    mean = check_number(between, "time between interruptions", positive=True, infinite=True)
    if mean == math.inf:
        return tau / (tau + delta)
    exponent = tau / mean + delta / mean
    if exponent > 700:
        return 0.0
    if exponent < 1e-12:  # expm1 is its argument, which may underflow
        return math.exp(-again / mean) * tau / (tau + delta)
    return tau / mean * math.exp(-again / mean) / math.expm1(exponent)
