"""Tables of optima, explanations and synthesized schedules."""

from fractions import Fraction

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.base import format_quantity
from topo_sim.collectives import COLLECTIVES, Optimum
from topo_sim.report.tables import new_table
from topo_sim.studies import Explanation, Synthesis

__all__ = ["explanation_table", "synthesis_table"]


def optimum_text(optimum: Optimum) -> str:
    """Write an optimum as a rate, with the exact fraction where that is no decimal.

    Parameters
    ----------
    optimum : Optimum

    Returns
    -------
    str
    """
    low, high = (format_quantity(float(end), "rate", 6) for end in (optimum.lower, optimum.upper))
    if not optimum.exact:
        return f"{low} .. {high}" if low != high else f"{high} (to rounding)"
    exact = optimum.upper / 10**9
    if exact.denominator == 1 or Fraction(f"{float(exact):.6g}") == exact:
        return high
    return f"{high} = {exact} GB/s" if len(str(exact)) < 24 else f"{high} (exact fraction in JSON)"


def explanation_table(result: Explanation) -> RenderableType:
    """Say what a collective could reach, what it reaches, and what holds it back.

    Parameters
    ----------
    result : Explanation

    Returns
    -------
    rich renderable
    """
    first, optimum = result.best[0], result.optimum
    title = f"{COLLECTIVES[optimum.collective].title} on {result.fabric}: what holds it back"
    why = new_table(title, ["", ""], left=2)
    why.show_header = False
    why.columns[1].no_wrap = False
    why.add_row("ranks, routing", f"{optimum.ranks:,}, {first.routing}")
    why.add_row("optimal algbw", optimum_text(optimum))
    why.add_row("found by", optimum.method)
    why.add_row("assumes", optimum.assumes)
    for cut in result.cuts:
        label = f"cut ({COLLECTIVES[cut.collective].title})" if len(result.cuts) > 1 else "cut"
        capacity = format_quantity(float(cut.cut.capacity), "rate")
        sides = f"{cut.cut.ranks_inside} | {cut.cut.ranks_outside} ranks"
        why.add_row(label, f"{cut.direction} {cut.side} ({sides})")
        why.add_row("its links", f"{', '.join(cut.links)}; {capacity} in all; {', '.join(cut.examples)}, ...")
    if not result.cuts:
        why.add_row("tightest known", result.bound.reason)
    if result.note:
        why.add_row("note", result.note)
    why.add_row("latency bound", format_quantity(result.bound.latency, "time"))
    return Group(why, *_reached(result))


def _reached(result: Explanation) -> list[RenderableType]:
    """Tabulate the best algorithms, and the busiest links of the last."""
    best = new_table(
        "Best algorithm",
        ["size", "algorithm", "time", "algbw", "of optimum", "of bound", "held back by"],
        left=2,
    )
    for cost in result.best:
        share = f"{result.share(cost):.1%}" if cost.size else "-"
        best.add_row(
            format_quantity(cost.size, "size"),
            cost.algorithm,
            format_quantity(cost.time, "time"),
            format_quantity(cost.algbw, "rate"),
            share,
            f"{cost.fraction:.1%}",
            cost.bound,
        )
    last = result.best[-1]
    busy = new_table(
        f"Busiest links of {last.algorithm} at {format_quantity(last.size, 'size')}",
        ["link", "busy", "of the time"],
    )
    for link in last.bottleneck:
        busy.add_row(link.name, format_quantity(link.busy, "time"), f"{link.share:.1%}")
    more = last.busiest_count - len(last.bottleneck)
    note = f"  {more:,} more links as busy" if more > 0 else "  links that work the longest; no more as busy"
    return [best, busy, Text(note, style="dim")]


def synthesis_table(result: Synthesis) -> RenderableType:
    """Summary of a synthesized schedule.

    Parameters
    ----------
    result : Synthesis

    Returns
    -------
    rich renderable
    """
    cost, schedule = result.cost, result.schedule
    title = f"{COLLECTIVES[cost.collective].title} synthesized for {cost.fabric}"
    table = new_table(title, ["", ""], left=2)
    table.show_header = False
    table.columns[1].no_wrap = False
    shown = {name: value for name, value in schedule.options.items() if name != "routing"}
    options = ", ".join(f"{name} {value}" for name, value in shown.items())
    rows = [
        ("method", f"{schedule.algorithm} ({options})" if options else schedule.algorithm),
        ("ranks, routing", f"{cost.ranks:,}, {cost.routing}"),
        ("size", format_quantity(cost.size, "size")),
        ("steps", f"{schedule.step_count:,}"),
        ("messages", f"{schedule.message_count:,}"),
        ("time", format_quantity(cost.time, "time")),
        ("algbw", format_quantity(cost.algbw, "rate")),
        ("lower bound", f"{format_quantity(cost.lower_bound, 'time')} ({cost.bound})"),
        ("of bound", f"{cost.fraction:.1%}"),
    ]
    if result.optimum is not None and result.share_of_optimum is not None:
        rows.append(("optimal algbw", optimum_text(result.optimum)))
        rows.append(("of optimum", f"{result.share_of_optimum:.1%}"))
    if cost.bottleneck:
        busiest = cost.bottleneck[0]
        rows.append(("busiest link", f"{busiest.name} {busiest.share:.0%}, {cost.busiest_count} as busy"))
    if result.hint:
        rows.append(("hint", result.hint))
    for label, value in rows:
        table.add_row(label, value)
    return table
