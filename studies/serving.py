"""Serve a model on a fabric: requests, failures, one run or a load curve."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.gpus.reliability import Cluster, outages
from topo_sim.gpus.reliability.life import MOST_EVENTS
from topo_sim.inference.deployment import Slo
from topo_sim.inference.serving import (
    Requests,
    Rules,
    Workload,
    make_requests,
    simulate_serving,
)
from topo_sim.studies.serving_bounds import capacity, requests_alone
from topo_sim.studies.serving_cluster import Failures, Setup, make_setup
from topo_sim.studies.serving_run import PoolUse, ServingRun

__all__ = ["LoadCurve", "Question", "load_curve", "serve_model"]

Progress = Callable[[int, int, str], None]
MOST_POINTS = 200


@dataclass(frozen=True)
class Question:
    """What is asked of a cluster.

    Parameters
    ----------
    workload : Workload, optional
        Lengths, for requests that are drawn.
    trace : Requests, optional
        Requests as they are; then rate and count are theirs.
    rate : float, optional, 1/s
        Default: half of what the cluster can serve at most.
    count : int
    longest : int
        Most tokens of a prompt, and of an answer, that is drawn.
    slo : Slo
    strict : bool
        Whether every gap between tokens has to keep the limit, not the mean of an answer.
    warmup : float
        Share of the requests that arrive before the run ends, that figures leave out at the start.
    rules : Rules
    failures : Failures, optional
    horizon : float, optional, s
    bins : int
    seed : int
    """

    workload: Workload | None = None
    trace: Requests | None = None
    rate: float | None = None
    count: int = 1000
    longest: int = 8192
    slo: Slo = field(default_factory=Slo)
    strict: bool = False
    warmup: float = 0.1
    rules: Rules = field(default_factory=Rules)
    failures: Failures | None = None
    horizon: float | None = None
    bins: int = 60
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.workload is None) == (self.trace is None):
            raise UsageError("requests: found neither or both of a workload and a trace, expected one")
        if not 0 <= self.warmup < 1:
            raise UsageError(f"warmup: found {self.warmup}, expected a share from 0 to below 1")

    def requests(self) -> Requests:
        """Return the trace, or draw the requests."""
        if self.trace is not None:
            return self.trace
        assert self.workload is not None
        return make_requests(
            self.workload,
            1.0 if self.rate is None else self.rate,
            self.count,
            longest=self.longest,
            seed=self.seed,
        )


@dataclass(frozen=True)
class LoadCurve:
    """Runs of one cluster at several rates, on the same requests.

    Parameters
    ----------
    runs : tuple of ServingRun
        By rate.
    """

    runs: tuple[ServingRun, ...]

    @property
    def best(self) -> ServingRun:
        """The run with the highest goodput."""
        return max(self.runs, key=lambda run: np.nan_to_num(run.goodput, nan=-1.0))

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per rate."""
        return [run.summary() for run in self.runs]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but single requests as plain data."""
        return {"runs": [run.to_dict() for run in self.runs], "best_rate_per_s": self.best.rate}


def _check_events(cluster: Cluster, horizon: float) -> None:
    """Refuse failures that nobody could live through."""
    events = 2 * cluster.rate * (cluster.count + cluster.spares) * horizon
    if events > MOST_EVENTS:
        raise UsageError(
            f"--failures: found {cluster.rate:.3g}/s of each of {cluster.count + cluster.spares:,} GPUs over "
            f"{horizon:.4g} s, {events:.3g} events in all, expected at most {MOST_EVENTS:.0e}: a lower "
            f"rate, or an earlier --until"
        )


def _cuts(setup: Setup, question: Question, horizon: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Draw the outages of all instances."""
    asked = question.failures
    if asked is None:
        return np.zeros((0, 3))
    found = []
    for number, (first, cluster) in enumerate(setup.clusters(asked)):
        _check_events(cluster, horizon)
        rows = outages(
            cluster, asked.policy, asked.job, horizon=horizon, seed=question.seed + 1_000_003 * number
        )
        rows[:, 0] += first
        found.append(rows)
    return np.concatenate(found)


def serve_setup(setup: Setup, question: Question, progress: Progress | None = None) -> ServingRun:
    """Serve requests on a cluster that is set up.

    Parameters
    ----------
    setup : Setup
    question : Question
    progress : callable, optional

    Returns
    -------
    ServingRun
    """
    requests = question.requests()
    if requests.longest > setup.longest:
        raise UsageError(f"found a request of {requests.longest} tokens, expected at most {setup.longest}")
    horizon = question.horizon
    if horizon is None:
        horizon = 10 * float(requests.arrival[-1]) + 3600.0
    come = int(requests.arrival.searchsorted(horizon, side="right"))
    if come == 0 and horizon > 0:
        raise UsageError(
            f"--until: found an end at {horizon:.4g} s, before the first arrival at "
            f"{requests.arrival[0]:.4g} s, expected a later one: there is no request to judge"
        )
    warmup = max(min(int(question.warmup * come), come - 1), 0)
    cuts = _cuts(setup, question, horizon)
    served = simulate_serving(
        requests, setup.pools[0], setup.pools[1] if len(setup.pools) == 2 else None, question.rules,
        links=setup.links, outages=cuts, horizon=horizon, bins=question.bins, warmup=warmup,
        progress=progress,
    )  # fmt: skip
    if served.refused.all():
        raise UsageError(
            f"{setup.model.name}: found room for {min(p.table.capacity for p in setup.pools):,} tokens of KV "
            f"in an instance, expected at least the {int((requests.prompt + requests.output).min()):,} of a "
            f"request"
        )
    met = cuts[cuts[:, 1] < served.end]
    alone = requests_alone(requests, setup.rooflines[0], setup.rooflines[-1], setup.links)
    return ServingRun(
        model=setup.model.name, gpu=setup.gpu, network=setup.network, workload=requests.about,
        seed=question.seed, rate=requests.rate if question.rate is None else question.rate, slo=question.slo,
        strict=question.strict, warmup=warmup,
        rules=question.rules, served=served, pools=_uses(setup, served, met),
        alone=alone,
        capacity=capacity(requests, setup.pools[0], setup.pools[1] if setup.links else None, question.rules),
        outages=met, policy=question.failures.policy if question.failures else "",
        spares=question.failures.spares if question.failures else 0, notes=setup.notes,
    )  # fmt: skip


def _uses(setup: Setup, served: Any, cuts: Any) -> tuple[PoolUse, ...]:
    found, first = [], 0
    for k, (name, pool, layout) in enumerate(zip(setup.names, setup.pools, setup.layouts, strict=True)):
        end = first + pool.instances
        mine = cuts[(cuts[:, 0] >= first) & (cuts[:, 0] < end)]
        down = float((np.minimum(mine[:, 2], served.end) - mine[:, 1]).sum())
        up = pool.instances * served.end - down
        counts = served.batch_counts[k if name == "decode" else 0]
        passes = counts.sum()
        batch = float(counts @ np.arange(len(counts)) / passes) if passes and name != "prefill" else math.nan
        busy = float(served.busy[first:end].sum()) / up if up > 0 else math.nan
        found.append(
            PoolUse(name, pool.instances, layout.gpus, layout.label, pool.table.capacity, busy, batch)
        )
        first = end
    return tuple(found)


def serve_model(
    model: str,
    question: Question,
    fabric: str | None = None,
    gpu: str | None = None,
    *,
    progress: Progress | None = None,
    **how: Any,
) -> ServingRun:
    """Serve a model on a fabric.

    Parameters
    ----------
    model : str
        Name, or ``config.json``.
    question : Question
    fabric : str, optional
        Topology file or shipped name. Default: an ideal network.
    gpu : str, optional
        Default: the fabric's, else h100.
    progress : callable, optional
        Called with (done, total, what).
    **how
        Of `make_setup`: instances, parallelism, precision and the rest.

    Returns
    -------
    ServingRun

    Raises
    ------
    TopoSimError
        For unknown names, files with faults, a model that does not fit, and numbers that do not fit together.

    Examples
    --------
    >>> from topo_sim.inference.serving import find_workload
    >>> asked = Question(find_workload("paper"), rate=2.0, count=200)
    >>> run = serve_model("llama3-8b", asked, gpu="h100", instances=(1, 1))
    >>> run.beaten, run.served.unfinished, run.attained > 0.99
    (0, 0, True)
    """
    requests = question.requests()
    setup = _setup(model, fabric, gpu, question, requests, progress, how)
    if question.trace is None and question.rate is None:
        question = replace(question, rate=_most(setup, requests, question.rules) / 2)
    return serve_setup(setup, question, progress)


def _setup(
    model: str, fabric: str | None, gpu: str | None, question: Question, requests: Requests,
    progress: Progress | None, how: dict[str, Any],
) -> Setup:  # fmt: skip
    return make_setup(
        model, fabric, gpu, requests=requests, rules=question.rules, failures=question.failures,
        progress=progress, **{"seed": question.seed, **how},
    )  # fmt: skip


def _most(setup: Setup, requests: Requests, rules: Rules) -> float:
    return capacity(requests, setup.pools[0], setup.pools[1] if setup.links else None, rules).rate


def load_curve(
    model: str,
    question: Question,
    fabric: str | None = None,
    gpu: str | None = None,
    *,
    rates: Sequence[float] = (),
    points: int = 12,
    workers: int = 1,
    progress: Progress | None = None,
    **how: Any,
) -> LoadCurve:
    """Serve the same requests at several rates.

    Parameters
    ----------
    model, question, fabric, gpu
        As for `serve_model`; a trace is stretched in time.
    rates : sequence of float, 1/s
        Default: `points` rates, from a tenth of the capacity to a fifth beyond it.
    points : int
    workers : int
        Threads. The answer does not depend on it.
    progress : callable, optional
    **how
        Of `make_setup`.

    Returns
    -------
    LoadCurve
    """
    if not 1 <= (len(rates) or points) <= MOST_POINTS:
        raise UsageError(f"sweep: found {len(rates) or points} rates, expected 1 to {MOST_POINTS}")
    if workers < 1:
        raise UsageError(f"workers: found {workers}, expected at least 1")
    requests = question.requests()
    setup = _setup(model, fabric, gpu, question, requests, progress, how)
    if not rates:
        most = _most(setup, requests, question.rules)
        rates = [most * share for share in np.linspace(0.1, 1.2, points).tolist()]
    asked = [_at(question, requests, rate) for rate in sorted(rates)]
    runs = []
    with ThreadPoolExecutor(workers) as pool:
        for run in pool.map(lambda each: serve_setup(setup, each), asked):
            runs.append(run)
            if progress is not None:
                progress(len(runs), len(asked), "rates")
    return LoadCurve(tuple(runs))


def _at(question: Question, requests: Requests, rate: float) -> Question:
    """Ask the same at another rate."""
    if question.trace is None:
        return replace(question, rate=rate)
    if not (rate > 0 and math.isfinite(rate)) or not math.isfinite(requests.rate):
        raise UsageError(f"rate: found {rate} per second, expected one above 0 and a trace that lasts")
    factor = requests.rate / rate
    return replace(question, trace=replace(requests, arrival=requests.arrival * factor))
