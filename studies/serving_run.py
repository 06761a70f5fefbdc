"""What came of a serving run: latencies, goodput, queues, and the certificates beside them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.inference.deployment import Slo
from topo_sim.inference.serving import Rules, Served
from topo_sim.inference.serving.state_kernels import PHASES
from topo_sim.studies.serving_bounds import Alone, Capacity

__all__ = ["PERCENTILES", "PoolUse", "ServingRun"]

Floats = NDArray[np.float64]
PERCENTILES = (50, 90, 99)
_ROUNDING = 1e-9
_STEADY = 10  # latencies of a request alone that arrivals have to last


@dataclass(frozen=True)
class PoolUse:
    """One pool, and what it did.

    Parameters
    ----------
    name : str
    instances, gpus : int
        GPUs of one instance.
    layout : str
    capacity : int
        Tokens whose KV one instance holds.
    busy : float
        Share of the time that its instances were up in which they ran passes.
    batch : float
        Mean of decode passes; NaN without any.
    """

    name: str
    instances: int
    gpus: int
    layout: str
    capacity: int
    busy: float
    batch: float


@dataclass(frozen=True)
class ServingRun:
    """A serving run and its figures.

    Parameters
    ----------
    model, gpu, network, workload : str
    seed : int
    rate : float, 1/s
        Of arrivals.
    slo : Slo
    strict : bool
        Whether every gap between tokens has to keep the limit, not their mean over an answer.
    warmup : int
        Requests at the start that latencies leave out, and steady rates too.
    rules : Rules
    served : Served
    pools : tuple of PoolUse
    alone : Alone
    capacity : Capacity
    outages : ndarray of float64, shape (outages, 3)
        Instance, begin, end, s: those that begin before the run ends.
    policy, spares
        Of failures; "" without.
    notes : tuple of str
    """

    model: str
    gpu: str
    network: str
    workload: str
    seed: int
    rate: float
    slo: Slo
    strict: bool
    warmup: int
    rules: Rules
    served: Served
    pools: tuple[PoolUse, ...]
    alone: Alone
    capacity: Capacity
    outages: Floats
    policy: str
    spares: int
    notes: tuple[str, ...]

    @property
    def gpus(self) -> int:
        """GPUs of all instances."""
        return sum(pool.instances * pool.gpus for pool in self.pools)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Requests that figures are about: after the warm-up, and arrived before the run ended."""
        found: NDArray[np.bool_] = self.served.arrived & (
            np.arange(self.served.requests.count) >= self.warmup
        )
        return found

    @property
    def met(self) -> NDArray[np.bool_]:
        """Requests that were answered in full within both limits."""
        served = self.served
        between = served.longest_gap if self.strict else np.nan_to_num(served.tbt, nan=np.inf)
        slack = 1 + _ROUNDING
        found: NDArray[np.bool_] = (
            served.finished
            & (np.nan_to_num(served.ttft, nan=np.inf) <= self.slo.ttft * slack)
            & (between <= self.slo.tbt * slack)
        )
        return found

    @property
    def _bins(self) -> NDArray[np.bool_]:
        """Bins of time from the first counted arrival to the last one, or to the end of the run."""
        served, arrival = self.served, self.served.requests.arrival
        end = min(float(arrival[-1]), served.end) * (1 + 1e-12)
        found: NDArray[np.bool_] = (served.edges[:-1] >= arrival[self.warmup]) & (served.edges[1:] <= end)
        return found

    @property
    def steady(self) -> bool:
        """Whether arrivals last long enough for rates that leave warm-up and drain out.

        Ten times as long as a request alone takes, and half of the counted requests done in that time.
        """
        inside, edges = self._bins, self.served.edges
        if not inside.any():
            return False
        begin, end = edges[:-1][inside][0], edges[1:][inside][-1]
        done = np.nan_to_num(self.served.finish[self.counted], nan=np.inf) <= end
        return bool(end - begin >= _STEADY * self.alone.latency[self.counted].mean() and 2 * done.mean() >= 1)

    @property
    def window(self) -> tuple[float, float]:
        """Interval of service, s, in which tokens and answers are counted.

        The bins of time between the first counted arrival and the last one; where that is no steady state,
        from the first arrival to the last token.
        """
        served = self.served
        if self.steady:
            inside = self._bins
            return float(served.edges[:-1][inside][0]), float(served.edges[1:][inside][-1])
        end = served.end if served.unfinished else float(np.nanmax(served.finish))
        return float(served.requests.arrival[0]), end

    def _per_second(self, count: float) -> float:
        begin, end = self.window
        return count / (end - begin) if end > begin else math.nan

    @property
    def attained(self) -> float:
        """Share of the counted requests that met both limits."""
        return float(self.met[self.counted].mean())

    @property
    def goodput(self) -> float:
        """Requests within both limits that were done in the window, 1/s."""
        begin, end = self.window
        done = self.served.finish[self.met]
        first = begin if self.steady else -math.inf
        return self._per_second(int(np.count_nonzero((done > first) & (done <= end))))

    @property
    def throughput(self) -> float:
        """Tokens sent in the window, 1/s."""
        sent = self.served.sent
        return self._per_second(int(sent[:-1][self._bins].sum() if self.steady else sent.sum()))

    def percentiles(self, what: str) -> dict[str, float]:
        """Mean and percentiles over counted requests of what is known of them.

        Parameters
        ----------
        what : {"ttft", "tbt", "latency"}
            TBT: the mean of each answer of two tokens or more.

        Returns
        -------
        dict from str to float, s
        """
        values = getattr(self.served, what)[self.counted]
        if what == "tbt":
            values = values[self.served.requests.output[self.counted] > 1]
        values = values[np.isfinite(values)]
        if values.size == 0:
            return dict.fromkeys(("mean", *(f"p{p}" for p in PERCENTILES)), math.nan)
        found = {"mean": float(values.mean())}
        return found | {f"p{p}": float(np.percentile(values, p)) for p in PERCENTILES}

    @property
    def gaps(self) -> dict[str, float]:
        """Mean and percentiles of the times between tokens, over all tokens of counted requests, s."""
        found = {"mean": self.served.mean_gap}
        return found | {f"p{p}": self.served.gap_quantile(p / 100) for p in PERCENTILES}

    @property
    def beaten(self) -> int:
        """Requests faster than alone at the roofline: 0, or the run is wrong."""
        served, slack = self.served, 1 - 1e-6
        wrong = (served.ttft < self.alone.ttft * slack) | (served.latency < self.alone.latency * slack)
        return int(np.count_nonzero(wrong))

    @property
    def work(self) -> tuple[float, float]:
        """Time that instances ran passes, and the least that finished requests need of it, s."""
        done = self.served.finished
        if len(self.pools) == 1 and self.rules.chunk:
            least = max(self.capacity.prefill[done].sum(), self.capacity.decode[done].sum())
        else:
            least = self.capacity.prefill[done].sum() + self.capacity.decode[done].sum()
        return float(self.served.busy.sum()), float(least)

    def over_time(self) -> list[dict[str, float]]:
        """Sum up each bin of time up to the last arrival.

        Returns
        -------
        list of dict
            Begin and end, arrivals, tokens and requests within their limits per second, and the mean number
            of requests in each phase.
        """
        served = self.served
        edges, width = served.edges, served.edges[1] - served.edges[0]
        last = edges[-1]
        edges = np.append(edges[:-1], last * (1 + 1e-12))  # the last arrival makes the last edge
        arrived = np.histogram(served.requests.arrival, edges)[0] / width
        good = np.histogram(served.finish[self.met], edges)[0] / width
        done = np.histogram(served.finish[served.finished], edges)[0] / width
        rows = []
        for b in range(len(served.edges) - 1):
            row = {"begin_s": float(served.edges[b]), "end_s": float(served.edges[b + 1])}
            row |= {"arrivals_per_s": arrived[b], "finished_per_s": done[b], "goodput_per_s": good[b]}
            row["tokens_per_s"] = served.sent[b] / width
            for phase in range(1, 6):
                row[f"in_{PHASES[phase]}"] = served.areas[b, phase] / width
            rows.append({name: float(value) for name, value in row.items()})
        return rows

    def request_rows(self) -> list[dict[str, Any]]:
        """Return one flat row per request, times in s; empty where there was none."""
        served, asked = self.served, self.served.requests
        columns = {
            "arrival_s": asked.arrival, "prompt_tokens": asked.prompt, "output_tokens": asked.output,
            "first_token_s": served.first, "finish_s": served.finish, "ttft_s": served.ttft,
            "mean_tbt_s": served.tbt, "longest_gap_s": served.longest_gap, "latency_s": served.latency,
            "least_latency_s": self.alone.latency, "sent_tokens": served.made,
            "restarts": served.restarts, "preempted": served.preempted, "met": self.met,
        }  # fmt: skip
        plain = {name: [None if v != v else v for v in column.tolist()] for name, column in columns.items()}
        plain["state"] = [PHASES[phase] for phase in served.phase]
        names = tuple(plain)
        return [dict(zip(names, row, strict=True)) for row in zip(*plain.values(), strict=True)]

    def summary(self) -> dict[str, Any]:
        """Return the figures as one flat row, units in the keys."""
        served = self.served
        row: dict[str, Any] = {
            "model": self.model, "gpu": self.gpu, "network": self.network, "workload": self.workload,
            "gpus": self.gpus, "requests": served.requests.count, "rate_per_s": self.rate, "seed": self.seed,
        }  # fmt: skip
        for pool in self.pools:
            row |= {f"{pool.name}_instances": pool.instances, f"{pool.name}_layout": pool.layout}
            row |= {f"{pool.name}_busy": pool.busy, f"{pool.name}_batch_mean": pool.batch}
        row |= {"tokens_per_s": self.throughput, "goodput_per_s": self.goodput, "attained": self.attained}
        row |= dict(zip(("rates_begin_s", "rates_end_s"), self.window, strict=True), steady=self.steady)
        for what, values in (
            ("ttft", self.percentiles("ttft")),
            ("token_gap", self.gaps),
            ("mean_tbt", self.percentiles("tbt")),
            ("latency", self.percentiles("latency")),
        ):
            row |= {f"{what}_{name}_s": value for name, value in values.items()}
        integrated, summed = served.little
        busy, least = self.work
        row |= {
            "finished": int(served.finished.sum()), "refused": int(served.refused.sum()),
            "unfinished": served.unfinished, "preemptions": int(served.preempted.sum()),
            "restarts": int(served.restarts.sum()), "outages": len(self.outages),
            "capacity_per_s": self.capacity.rate, "capacity_binds": self.capacity.binds,
            "least_ttft_mean_s": float(self.alone.ttft[self.counted].mean()),
            "least_latency_mean_s": float(self.alone.latency[self.counted].mean()),
            "faster_than_alone": self.beaten, "little_integrated_s": integrated, "little_summed_s": summed,
            "busy_s": busy, "least_busy_s": least, "end_s": served.end,
            "events": served.events, "passes": served.passes,
        }  # fmt: skip
        return row

    def rows(self) -> list[dict[str, Any]]:
        """Return the summary as the only row."""
        return [self.summary()]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but single requests as plain data."""
        return {
            **self.summary(),
            "ttft_limit_s": self.slo.ttft,
            "tbt_limit_s": self.slo.tbt,
            "strict": self.strict,
            "warmup_requests": self.warmup,
            "policy": self.policy or None,
            "spares": self.spares,
            "outages": [{"instance": int(i), "begin_s": b, "end_s": e} for i, b, e in self.outages.tolist()],
            "over_time": self.over_time(),
            "notes": list(self.notes),
        }
