"""A serving run: requests through pools of instances, from event to event."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from topo_sim.base import UsageError
from topo_sim.inference.serving.rules import Links, Pool, Rules
from topo_sim.inference.serving.serve_kernels import serve
from topo_sim.inference.serving.state_kernels import (
    BOTH,
    EVENT,
    FINISHED,
    INSTANCE,
    LEAST_OCTAVE,
    OCTAVES,
    OUTAGE,
    PER_OCTAVE,
    PHASES,
    PREFILL,
    QUEUE,
    REFUSED,
    REQUEST,
    RUN,
    TO_COME,
    ServingState,
)
from topo_sim.inference.serving.workload import Requests

__all__ = ["Served", "simulate_serving"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Progress = Callable[[int, int, str], None]
_KEPT = ("first", "finish", "made", "longest_gap", "phase", "restarts", "preempted")
_SLICE = 500_000  # events between two looks at the clock


@dataclass(frozen=True)
class Served:
    """What became of every request.

    Parameters
    ----------
    requests : Requests
    first, finish : ndarray of float64, shape (N,), s
        When the first and the last token of an answer were sent; NaN where they were not.
    made : ndarray of int64, shape (N,)
        Tokens sent.
    longest_gap : ndarray of float64, shape (N,), s
        Between two tokens of an answer.
    phase : ndarray of int64, shape (N,)
        Index into `PHASES` at the end of the run.
    restarts, preempted : ndarray of int64, shape (N,)
        How often its KV was lost to a failure, and given up for others.
    end : float, s
        Time of the last event, or the horizon.
    edges : ndarray of float64, shape (bins + 1,), s
        Of the bins of time; a further bin takes what comes after them.
    areas : ndarray of float64, shape (bins + 1, len(PHASES)), s
        Time-integral of the number of requests in each phase.
    sent : ndarray of int64, shape (bins + 1,)
        Tokens.
    gaps : ndarray of int64
        Gaps between tokens by size, of requests after the warm-up; see `gap_quantile`.
    gap_sum : float, s
    busy : ndarray of float64, shape (instances,), s
        Time in passes.
    batch_counts : ndarray of int64, shape (2, sizes)
        Decode passes by batch and pool.
    events, passes : int
    """

    requests: Requests
    first: Floats
    finish: Floats
    made: Counts
    longest_gap: Floats
    phase: Counts
    restarts: Counts
    preempted: Counts
    end: float
    edges: Floats
    areas: Floats
    sent: Counts
    gaps: Counts
    gap_sum: float
    busy: Floats
    batch_counts: Counts
    events: int
    passes: int

    @property
    def ttft(self) -> Floats:
        """Time to the first token, s; NaN where there was none."""
        return self.first - self.requests.arrival

    @property
    def latency(self) -> Floats:
        """From arrival to the last token, s; NaN where it was not sent."""
        return self.finish - self.requests.arrival

    @property
    def tbt(self) -> Floats:
        """Mean time between the tokens of each answer, s; 0 for one token, NaN where unfinished."""
        spans = self.finish - self.first
        found: Floats = spans / np.maximum(self.requests.output - 1, 1)
        return found

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which requests were answered in full."""
        found: NDArray[np.bool_] = self.phase == FINISHED
        return found

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Which requests need more KV than an instance has."""
        found: NDArray[np.bool_] = self.phase == REFUSED
        return found

    @property
    def arrived(self) -> NDArray[np.bool_]:
        """Which requests came before the run ended."""
        found: NDArray[np.bool_] = self.phase != TO_COME
        return found

    @property
    def unfinished(self) -> int:
        """Requests that had arrived, or were to come, when the run ended."""
        return int(np.count_nonzero(~(self.finished | self.refused)))

    def gap_quantile(self, share: float) -> float:
        """Tell the gap between tokens that a share of all gaps does not exceed, to 0.3 %.

        Parameters
        ----------
        share : float

        Returns
        -------
        float, s
            Upper end of the bin that holds it; NaN without any gap.
        """
        total = int(self.gaps.sum())
        if total == 0:
            return math.nan
        at = int(np.searchsorted(np.cumsum(self.gaps), share * total))
        return float(2.0 ** ((min(at, len(self.gaps) - 1) + 1) / PER_OCTAVE + LEAST_OCTAVE))

    @property
    def mean_gap(self) -> float:
        """Mean time between tokens over all tokens, s; NaN without any gap."""
        total = int(self.gaps.sum())
        return self.gap_sum / total if total else math.nan

    @property
    def little(self) -> tuple[float, float]:
        """Both sides of Little's law, s: requests in the system over time, and their times in it.

        The first is integrated from event to event, the second summed over requests; they agree but for
        rounding where no request was lost, doubled or finished at a wrong time.
        """
        arrived = self.arrived & ~self.refused
        left = np.where(self.finished, self.finish, self.end)
        spans = np.where(arrived, left - self.requests.arrival, 0.0)
        return float(self.areas.sum()), float(spans.sum())


def _tables(pools: list[Pool]) -> dict[str, Floats]:
    first = pools[0].table
    for pool in pools[1:]:
        for name in ("tokens", "lengths", "batches", "contexts"):
            if not np.array_equal(getattr(first, name), getattr(pool.table, name)):
                raise UsageError(f"{name}: found other points in the second pool's table, expected the same")
    names = ("tokens", "lengths", "batches", "contexts")
    stacked = {
        name: np.stack([pool.table.__dict__[name] for pool in pools]) for name in ("prefill", "decode")
    }
    return {name: getattr(first, name) for name in names} | stacked


def _outages(found: ArrayLike, instances: int) -> NDArray[np.void]:
    """Sort the ends of outages by time, ends before begins where they are equal."""
    rows = np.asarray(found, dtype=np.float64).reshape(-1, 3)
    wrong = ~((rows[:, 0] >= 0) & (rows[:, 0] < instances) & (rows[:, 1] >= 0) & (rows[:, 2] > rows[:, 1]))
    mine = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    overlap = (mine[1:, 0] == mine[:-1, 0]) & (mine[1:, 1] <= mine[:-1, 2])
    if wrong.any() or overlap.any() or np.any(rows[:, 0] % 1):
        raise UsageError(
            "outages: found rows that overlap or are out of range, expected instance, begin, end"
        )
    ends = rows[np.isfinite(rows[:, 2])]
    events = np.zeros(len(rows) + len(ends), OUTAGE)
    events["time"] = np.concatenate([rows[:, 1], ends[:, 2]])
    events["instance"] = np.concatenate([rows[:, 0], ends[:, 0]])
    events["up"][len(rows) :] = 1
    return events[np.lexsort((events["instance"], -events["up"], events["time"]))]


def _requests(requests: Requests) -> NDArray[np.void]:
    found = np.zeros(requests.count, REQUEST)
    for name in ("arrival", "prompt", "output"):
        found[name] = getattr(requests, name)
    for name in ("first", "last", "finish"):
        found[name] = math.nan
    for name in ("home", "source", "after"):
        found[name] = -1
    return found


def _instances(pools: list[Pool], rules: Rules) -> NDArray[np.void]:
    counts = [pool.instances for pool in pools]
    found = np.zeros(sum(counts), INSTANCE)
    found["role"] = np.repeat([PREFILL, PREFILL + 1] if len(pools) == 2 else [BOTH], counts)
    found["up"] = 1
    found["blocks"] = found["free"] = np.repeat([pool.blocks(rules.block) for pool in pools], counts)
    found["margin"] = found["blocks"] * rules.margin
    return found


def _state(
    requests: Requests,
    pools: list[Pool],
    rules: Rules,
    links: Links,
    cuts: ArrayLike,
    end: float,
    bins: int,
    warmup: int,
) -> ServingState:
    n, m = requests.count, sum(pool.instances for pool in pools)
    run, queue = np.zeros(1, RUN), np.zeros(m + 2, QUEUE)
    queue["head"] = queue["tail"] = -1
    run["horizon"], run["kv_bytes"] = end, links.bytes_per_token
    run["bin_width"] = max(float(requests.arrival[-1]), 1e-9) / bins
    for name in ("block", "most_tokens", "most_batch"):
        run[name] = getattr(rules, name)
    run["warmup"] = warmup
    run["reserve"], run["round_robin"] = rules.memory == "reserve", rules.dispatch == "round_robin"
    run["first_decode"], run["split"] = pools[0].instances, len(pools) == 2
    run["chunk"] = 0 if len(pools) == 2 else rules.chunk
    in_phase = np.zeros(len(PHASES), np.int64)
    in_phase[TO_COME] = n
    return ServingState(
        request=_requests(requests),
        instance=_instances(pools, rules),
        members=np.zeros((m, rules.most_batch), np.int64),
        queue=queue,
        outage=_outages(cuts, m),
        heap=np.zeros(n + m + 1, EVENT),
        todo=np.zeros(m + 1, np.int64),
        **_tables(pools),
        links=np.stack([links.rate, links.latency]),
        run=run,
        in_phase=in_phase,
        areas=np.zeros((bins + 1, len(PHASES))),
        sent=np.zeros(bins + 1, np.int64),
        gaps=np.zeros(OCTAVES * PER_OCTAVE, np.int64),
        batch_counts=np.zeros((2, rules.most_batch + 1), np.int64),
    )


def simulate_serving(
    requests: Requests,
    pool: Pool,
    decode: Pool | None = None,
    rules: Rules | None = None,
    *,
    links: Links | None = None,
    outages: ArrayLike = (),
    horizon: float | None = None,
    bins: int = 60,
    warmup: int = 0,
    progress: Progress | None = None,
) -> Served:
    """Serve requests on a cluster.

    Parameters
    ----------
    requests : Requests
    pool : Pool
        Instances that do both; with a second pool, those that prefill.
    decode : Pool, optional
        Instances that decode.
    rules : Rules, optional
    links : Links, optional
        Between the pools; needed with two.
    outages : array_like, shape (outages, 3)
        Instance, begin and end, s; instances of the second pool follow those of the first.
    horizon : float, optional, s
        When the run ends at the latest. Default: ten times the last arrival and a day.
    bins : int
        Of the time up to the last arrival.
    warmup : int
        Requests at the start whose gaps between tokens are not counted.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Served

    Raises
    ------
    UsageError
        If something is out of range or does not fit together.

    Notes
    -----
    Nothing is random: all draws are in requests and outages. An arrival goes to an instance of the first
    pool, which prefills in order of arrival; the pass over its prompt makes the first token. With two
    pools a decode instance then reserves room, and the KV is moved, one transfer at a time at either end.
    A decode pass makes a token for every sequence of the batch. An instance that fails loses the KV it
    holds and the pass under way; its requests start over, with the tokens that were sent as part of their
    prompt. Events cost O(log) each, a pass O(batch), a failure O(requests).

    Examples
    --------
    >>> from topo_sim.inference.serving.passes import PassTable
    >>> table = PassTable([1, 10], [1, 10], [[2, 2], [2, 2]], [1, 9], [1, 9], [[1, 1], [1, 1]], 100)
    >>> done = simulate_serving(Requests([0.0, 1.0], [5, 5], [3, 1]), Pool(table, 1))
    >>> done.first.tolist(), done.finish.tolist()  # prefill 0-2 and 2-4, decode 4-5 and 5-6
    ([2.0, 4.0], [6.0, 4.0])
    """
    chosen = rules or Rules()
    if isinstance(bins, bool) or bins < 1:
        raise UsageError(f"bins: found {bins}, expected at least 1")
    end = 10 * float(requests.arrival[-1]) + 86400.0 if horizon is None else float(horizon)
    if not 0 < end < math.inf:
        raise UsageError(f"horizon: found {horizon} s, expected a finite time above 0")
    pools = [pool] if decode is None else [pool, decode]
    shape = (pool.instances, decode.instances if decode else 0)
    between = links or Links(0.0, np.ones(shape), np.zeros(shape))
    if decode is not None and (links is None or links.rate.shape != shape):
        found = "none" if links is None else f"shape {links.rate.shape}"
        raise UsageError(f"links: found {found}, expected rates of shape {shape}, prefill x decode instances")
    state = _state(requests, pools, chosen, between, outages, end, bins, warmup)
    while not serve(state, _SLICE):
        if progress is not None:
            done = int(np.count_nonzero(state.request["phase"] >= FINISHED))
            progress(done, requests.count, "requests")
    run = state.run[0]
    kept: dict[str, Any] = {name: np.ascontiguousarray(state.request[name]) for name in _KEPT}
    return Served(
        requests,
        **kept,
        end=float(run["now"]),
        edges=np.linspace(0.0, float(run["bin_width"]) * bins, bins + 1),
        areas=state.areas,
        sent=state.sent,
        gaps=state.gaps,
        gap_sum=float(run["gap_sum"]),
        busy=np.ascontiguousarray(state.instance["busy_time"]),
        batch_counts=state.batch_counts,
        events=int(run["events"]),
        passes=int(run["passes"]),
    )
