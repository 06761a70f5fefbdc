"""Tables of serving runs."""

import math

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.report.tables import new_table
from topo_sim.studies.serving import LoadCurve
from topo_sim.studies.serving_run import PERCENTILES, ServingRun

__all__ = ["load_curve_table", "serving_tables"]


def _time(value: float) -> str:
    return "-" if math.isnan(value) else format_quantity(value, "time", 3)


def _rate(value: float) -> str:
    return f"{value:.4g}/s" if math.isfinite(value) else "-"


def _figure(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"


def _load(rate: float) -> str:
    return f"at {_rate(rate)}" if math.isfinite(rate) else "all at once"


def serving_tables(run: ServingRun) -> RenderableType:
    """Tables of one run: latencies, pools, and what became of the requests.

    Parameters
    ----------
    run : ServingRun

    Returns
    -------
    rich renderable
    """
    times = new_table(
        f"{run.model} on {run.gpus} {run.gpu} over {run.network}: {run.served.requests.count:,} requests "
        f"({run.workload}) {_load(run.rate)}",
        ["time", "mean", *(f"p{p}" for p in PERCENTILES), "limit", "alone, at the roofline"],
    )
    kept = run.counted
    rows = (
        ("to first token (TTFT)", run.percentiles("ttft"), run.slo.ttft, run.alone.ttft),
        ("between tokens (TBT)", run.gaps, run.slo.tbt if run.strict else None, run.alone.tbt),
        ("its mean over an answer", run.percentiles("tbt"), None if run.strict else run.slo.tbt, None),
        ("to the last token", run.percentiles("latency"), None, run.alone.latency),
    )
    for name, values, limit, least in rows:
        bound = "-" if least is None else _time(float(least[kept].mean()))
        row = [_time(value) for value in values.values()]
        times.add_row(name, *row, "-" if limit is None else _time(limit), bound)
    pools = new_table("Pools", ["pool", "instances", "layout", "KV of one, tokens", "busy", "mean batch"])
    for pool in run.pools:
        batch = "-" if math.isnan(pool.batch) else f"{pool.batch:.1f}"
        busy = "-" if math.isnan(pool.busy) else f"{pool.busy:.1%}"
        pools.add_row(pool.name, f"{pool.instances:,}", pool.layout, f"{pool.capacity:,}", busy, batch)
    served = run.served
    throughput = _rate(run.throughput).replace("/s", " tokens/s")
    notes = [
        f"{throughput}; goodput {_rate(run.goodput)}: {run.attained:.1%} of the requests within both limits",
        f"capacity at most {_rate(run.capacity.rate)}, set by {run.capacity.binds}: pass times at the best "
        f"batches, without limits of memory and latency",
        f"{served.finished.sum():,} finished, {served.unfinished:,} unfinished, "
        f"{served.refused.sum():,} refused; {served.preempted.sum():,} preemptions, "
        f"{served.restarts.sum():,} restarts in {len(run.outages)} outages",
        f"checked: {_alone(run)}; requests in the system {_law(run)} of their times in it",
        _window(run),
        *(["the first token counts from arrival; latencies leave out the first "
           f"{run.warmup:,} requests"] if run.warmup else []),
        *_to_come(run),
        *run.notes,
    ]  # fmt: skip
    return Group(times, pools, *(Text(f"  {note}", style="dim") for note in notes))


def _alone(run: ServingRun) -> str:
    """Say whether any request was faster than it can be."""
    if run.beaten:
        return f"WRONG, {run.beaten:,} FASTER than alone: do not trust this run"
    return "0 faster than alone"


def _window(run: ServingRun) -> str:
    """Say when rates are from."""
    begin, end = run.window
    if run.steady:
        return f"tokens/s and goodput: what is done from {_time(begin)} to {_time(end)}"
    return (
        f"tokens/s and goodput: over all {_time(end - begin)} from the first arrival to the end, idle times "
        f"and drain included, since arrivals are too short or too fast for a steady state"
    )


def _to_come(run: ServingRun) -> list[str]:
    left = int((~run.served.arrived).sum())
    return [f"{left:,} of the unfinished had not arrived when the run ended; none of them counts"] * (
        left > 0
    )


def _law(run: ServingRun) -> str:
    """Say how both sides of Little's law compare."""
    integrated, summed = run.served.little
    return "integrate to the sum" if math.isclose(integrated, summed, rel_tol=1e-6) else "DIFFER from the sum"


def load_curve_table(curve: LoadCurve) -> RenderableType:
    """Table of a load curve: a row per rate.

    Parameters
    ----------
    curve : LoadCurve

    Returns
    -------
    rich renderable
    """
    first = curve.runs[0]
    table = new_table(
        f"{first.model} on {first.gpus} {first.gpu} over {first.network}: goodput against load",
        ["requests/s", "goodput", "within limits", "tokens/s", "TTFT p50", "p99", "TBT p50", "p99",
         *(f"{pool.name} busy" for pool in first.pools), "unfinished"],
        left=0,
    )  # fmt: skip
    for run in curve.runs:
        ttft, gaps = run.percentiles("ttft"), run.gaps
        table.add_row(
            f"{run.rate:.4g}",
            _figure(run.goodput, ".4g"),
            f"{run.attained:.1%}",
            _figure(run.throughput, ",.0f"),
            *(_time(values[name]) for values in (ttft, gaps) for name in ("p50", "p99")),
            *(f"{pool.busy:.0%}" for pool in run.pools),
            f"{run.served.unfinished:,}",
        )
    slo = first.slo
    notes = [
        f"limits: TTFT {_time(slo.ttft)}, TBT {_time(slo.tbt)} "
        + ("between any two tokens" if first.strict else "on average over an answer"),
        f"capacity at most {_rate(first.capacity.rate)}, set by {first.capacity.binds}",
        f"most goodput: {_rate(curve.best.goodput)} at {_rate(curve.best.rate)}",
        *(["rates too fast for a steady state: goodput and tokens/s to the last token, drain included"]
          if not all(run.steady for run in curve.runs) else []),
        *(["WRONG, requests FASTER than alone: do not trust these runs"]
          if any(run.beaten for run in curve.runs) else []),
        *first.notes,
    ]  # fmt: skip
    return Group(table, *(Text(f"  {note}", style="dim") for note in notes))
