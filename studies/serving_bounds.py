"""What no serving run beats: a request alone, and the work that requests are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.inference.serving import Links, Pool, Requests, Rules, Timer

__all__ = ["Alone", "Capacity", "capacity", "requests_alone"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Alone:
    """Least times of each request, were it alone and every operator at its roofline.

    Parameters
    ----------
    ttft, tbt, latency : ndarray of float64, shape (N,), s
    """

    ttft: Floats
    tbt: Floats
    latency: Floats


def requests_alone(requests: Requests, prefill: Timer, decode: Timer, links: Links | None) -> Alone:
    """Bound every request's times from below.

    Parameters
    ----------
    requests : Requests
    prefill, decode : Timer
        Of rooflines, with communication fully overlapped.
    links : Links, optional
        Between the pools.

    Returns
    -------
    Alone
        TTFT: a pass over the prompt. TBT: decode passes of one sequence at the prompt's length. Latency:
        both, and the KV's way at the best pair's rate.
    """
    prompts, back = np.unique(requests.prompt, return_inverse=True)
    first = np.asarray(prefill.prefill(prompts.astype(np.float64), 1).total)[back]
    later = np.asarray(decode.decode(1.0, prompts.astype(np.float64)).total)[back]
    steps = requests.output - 1
    moved = np.zeros(requests.count)
    if links is not None:
        moved = requests.prompt * links.bytes_per_token / links.rate.max() + links.latency.min()
    return Alone(first, later, first + steps * later + np.where(steps > 0, moved, 0.0))


@dataclass(frozen=True)
class Capacity:
    """Work of requests at the best batches, memory and latency limits aside.

    Parameters
    ----------
    prefill, decode : ndarray of float64, shape (N,), s
        Least share of passes that each request takes.
    rate : float, 1/s
        Requests that the instances can serve at most.
    binds : str
        Which pool sets it.
    """

    prefill: Floats
    decode: Floats
    rate: float
    binds: str


def _line(x: Floats, y: Floats, at: float) -> tuple[float, float]:
    """Find the straight line below all points that is highest at one place: its value at 0, and its slope.

    Examples
    --------
    >>> _line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 5.0, 3.0]), 0.5)
    (1.0, 1.0)
    """
    hull: list[int] = []
    for i in range(len(x)):
        while len(hull) > 1:
            a, b = hull[-2], hull[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            hull.pop()
        hull.append(i)
    if len(hull) == 1:
        return float(y[0]), 0.0
    k = int(np.clip(np.searchsorted(x[hull], at, side="right") - 1, 0, len(hull) - 2))
    a, b = hull[k], hull[k + 1]
    slope = float((y[b] - y[a]) / (x[b] - x[a]))
    return float(y[a] - slope * x[a]), slope


def capacity(requests: Requests, pool: Pool, decode: Pool | None, rules: Rules) -> Capacity:
    """Bound the rate at which requests can be served.

    Parameters
    ----------
    requests : Requests
    pool, decode : Pool
        As for `simulate_serving`.
    rules : Rules

    Returns
    -------
    Capacity

    Notes
    -----
    Of every length, the least time per token over all sizes of a pass; below that a straight line a + b x. A
    pass over prompts s_i then takes at least the sum of s_i (a + b s_i), one that decodes at contexts c_i the
    sum of a + b c_i, however requests are batched. Memory and latency limits only lower the rate.
    """
    first, later = pool.table, (decode or pool).table
    prompt, steps = requests.prompt.astype(np.float64), requests.output - 1.0
    most = float(max(rules.most_tokens, prompt.max(), rules.chunk))
    over = min(int(first.tokens.searchsorted(most)) + 1, first.tokens.size)
    per_token = (first.prefill[:over] / first.tokens[:over, None]).min(axis=0)
    a, b = _line(first.lengths, per_token, float((prompt**2).sum() / prompt.sum()))
    prompts = prompt * (a + b * prompt)
    over = min(int(later.batches.searchsorted(rules.most_batch)) + 1, later.batches.size)
    per_step = (later.decode[:over] / later.batches[:over, None]).min(axis=0)
    context = prompt + requests.output / 2.0
    middle = float((context * steps).sum() / steps.sum()) if steps.any() else float(context.mean())
    a, b = _line(later.contexts, per_step, middle)
    answers = steps * (a + b * context)
    one, two = float(prompts.mean()), float(answers.mean())
    if decode is not None:
        rates = {"prefill": pool.instances / one, "decode": decode.instances / two if two > 0 else np.inf}
        binds = min(rates, key=lambda name: rates[name])
        return Capacity(prompts, answers, rates[binds], binds)
    mixed = max(one, two) if rules.chunk else one + two
    return Capacity(prompts, answers, pool.instances / mixed, "both")
