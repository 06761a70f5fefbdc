"""Tables of failures: spares and lives of clusters, a record replayed, what parts of a fabric take away."""

from rich.console import Group, RenderableType
from rich.text import Text

from topo_sim.gpus.reliability import POLICIES, YEAR, Estimate, Replay, daly_interval
from topo_sim.report.tables import new_table
from topo_sim.studies.blast_radius import Blast, Resilience
from topo_sim.studies.failures import FailureStudy
from topo_sim.studies.fleets import Fleet

__all__ = ["failure_tables", "replay_table", "resilience_table"]


def _span(seconds: float) -> str:
    """Write a time of seconds to years."""
    for unit, size, least in (("years", YEAR, 1), ("days", 86400.0, 2), ("h", 3600.0, 1), ("min", 60.0, 1)):
        if seconds >= size * least:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def _share(value: float) -> str:
    """Write a share near 1 so that what is missing shows."""
    return f"{value:.2%}" if value < 0.999 else f"{value:.4%}"


def _known(value: float, digits: int = 2) -> str:
    """Write a number, or a dash where there is none, as the spread of a single life."""
    return f"{value:.{digits}f}" if value == value else "-"


def _between(estimate: Estimate, share: bool = True) -> str:
    if estimate.half != estimate.half:
        return _share(estimate.mean) if share else f"{estimate.mean:.3g}"
    if share:
        return f"{_share(estimate.mean)} ± {estimate.half * 100:.2g}"
    return f"{estimate.mean:.3g} ± {estimate.half:.2g}"


def _fleet_row(fleet: Fleet) -> list[str]:
    row = fleet.row()
    return [
        fleet.name,
        f"{fleet.cluster.count:,}",
        f"{fleet.cluster.group:,}",
        f"{fleet.silicon:.4g}",
        f"{row['rate_per_year']:.4g}",
        f"{row['unavailability']:.3%}",
        f"{fleet.needed:,}",
        f"{fleet.idle:.4g}",
        f"{row['shortage']:.1e}",
        f"{fleet.interruptions:.3g}",
        _span(fleet.cluster.between_interruptions) if fleet.interruptions else "never",
    ]


def _checkpoints(study: FailureStudy) -> list[RenderableType]:
    shown = [fleet for fleet in study.fleets if fleet.job.interval is not None]
    if not shown:
        return []
    columns = ["GPU", "interval", "Young", "Daly", "efficiency"]
    table = new_table("Checkpoints of one group, if a device is there at once", columns)
    for fleet in shown:
        row, between = fleet.row(), fleet.cluster.between_interruptions
        known = between < float("inf")
        table.add_row(
            fleet.name,
            _span(row["checkpoint_s"]),
            _span(row["young_s"]) if known else "-",
            _span(daly_interval(fleet.job.write, between)) if known else "-",
            _share(row["efficiency"]),
        )
    return [table]


def _by_spares(study: FailureStudy) -> list[RenderableType]:
    if not study.curve:
        return []
    policy, first = study.curve[0].life.policy, study.fleets[0].gpu
    columns = ["GPU, rate from", "spares", f"in {first}s", "goodput", "per GPU bought", "they suffice"]
    table = new_table(f"Goodput under {policy} by number of spares", columns)
    before = study.curve[0].fleet
    for point in study.curve:
        if point.fleet != before:
            table.add_section()
        before, life = point.fleet, point.life
        table.add_row(
            point.fleet,
            f"{point.spares:,}",
            f"{point.idle:.4g}",
            _between(life.goodput),
            _share(life.goodput_per_bought.mean),
            _between(life.spares_suffice),
        )
    return [table]


def failure_tables(study: FailureStudy) -> RenderableType:
    """Tables of a comparison of GPU types: closed forms, then lives.

    Parameters
    ----------
    study : FailureStudy

    Returns
    -------
    rich renderable
    """
    asked, first = study.question, study.fleets[0].gpu
    title = f"Spares for a risk of {asked.risk:g}, {_span(asked.repair)} to repair"
    closed = new_table(
        title,
        ["GPU, rate from", "GPUs", "group", f"in {first}s", "failures/year", "down", "spares",
         f"idle in {first}s", "runs out", "stops/group year", "apart"],
    )  # fmt: skip
    for fleet in study.fleets:
        closed.add_row(*_fleet_row(fleet))
    columns = ["GPU, rate from", "policy", "spares", "goodput", "per GPU bought", "stops/group year", "lost"]
    lives = new_table("Lives: mean ± half a 95 % interval (percentage points)", columns, left=2)
    before = study.fleets[0]
    for fleet, life in study.lives:
        if fleet is not before:
            lives.add_section()
        before = fleet
        lives.add_row(
            fleet.name,
            life.policy,
            f"{life.cluster.spares:,}",
            _between(life.goodput),
            _share(life.goodput_per_bought.mean),
            _between(life.interruptions_per_group_year, share=False),
            f"{life.lost.mean:.3%}",
        )
    notes = [
        f"  {asked.replicas} independent lives of {asked.years:g} years each, intervals by Student's t",
        *(
            f"  {name}: {POLICIES[name].about}"
            for name in dict.fromkeys(life.policy for _, life in study.lives)
        ),
    ]
    if len(study.fleets) > 1:
        ends = (
            "area: failures follow silicon; package: every package fails as often; parts: summed over parts"
        )
        silicon = f"the silicon of {asked.count:,} {first}s, as nearly as whole groups have it"
        notes[:0] = [f"  {silicon}", f"  {ends}"]
    parts: list[RenderableType] = [closed, *_checkpoints(study), lives, *_by_spares(study)]
    return Group(*parts, *(Text(note, style="dim") for note in notes))


def replay_table(result: Replay) -> RenderableType:
    """Table of a record replayed: a row per cause.

    Parameters
    ----------
    result : Replay

    Returns
    -------
    rich renderable
    """
    record, life = result.record, result.life
    title = f"{record.name}: {record.devices:,} GPUs for {record.days:g} days, lived {life.replicas} times"
    table = new_table(title, ["cause", "record", "share", "simulated", "± 95 %", "deviation", "mark"])
    for row in result.rows():
        if row["cause"] == "all":
            table.add_section()
        table.add_row(
            row["cause"],
            f"{row['record']:,}",
            f"{row['share']:.1%}",
            f"{row['mean']:.2f}",
            _known(row["mean_ci95"]),
            _known(row["deviation"]),
            row["mark"],
        )
    rates = (
        f"{record.rate() * YEAR:.3g} interruptions per GPU year, {record.rate('gpu') * YEAR:.3g} by the GPU"
    )
    apart = 1 / (record.rate() * record.devices)
    within = (
        f"{result.within_two_sigma:.1%} of the lives lie within two standard deviations of {record.total}"
    )
    if life.replicas == 1:
        within = f"one life only: it {'lies' if result.within_two_sigma else 'does not lie'}"
        within += f" within two standard deviations of {record.total}, and says nothing of its spread"
    notes = [f"  {rates}, one per {_span(apart)} of the job", f"  {within}", f"  {record.source}"]
    notes += [f"  {record.note}"] if record.note else []
    return Group(table, *(Text(note, style="dim") for note in notes))


def _left(pair: tuple[float, float] | None) -> str:
    if pair is None:
        return "-"
    low, high = (f"{100 * value:.1f}" for value in pair)
    return f"{low} %" if low == high else f"{low} .. {high} %"


def _per_year(blast: Blast) -> str:
    low, typical, high = (value * YEAR for value in (blast.rate.low, blast.rate.typical, blast.rate.high))
    return f"{typical:.2g}" if low == high else f"{typical:.2g} ({low:.2g} .. {high:.2g})"


def resilience_table(result: Resilience) -> RenderableType:
    """Table of what the parts of a fabric take away: a row per class of alike parts.

    Parameters
    ----------
    result : Resilience

    Returns
    -------
    rich renderable
    """
    title = f"What one failure takes away from {result.fabric}: {result.endpoints:,} endpoints, "
    title += f"groups of {result.group}"
    table = new_table(
        title,
        ["part", "for example", "count", "failures/year", "repair", "endpoints", "groups",
         "throughput left", "inside groups", "idle on average", "bandwidth lost"],
        left=2,
    )  # fmt: skip
    for blast in result.blasts:
        row = blast.row()
        lost = row["expected_bandwidth_lost"]
        table.add_row(
            blast.part,
            blast.example,
            f"{blast.count:,}"
            + ("" if blast.symmetric or blast.solved == blast.count else f" ({blast.solved})"),
            _per_year(blast),
            _span(blast.repair),
            f"{blast.lost:g}",
            f"{blast.stopped:g}",
            _left(blast.theta),
            _left(blast.group_theta),
            f"{row['expected_idle']:.2g}",
            "-" if lost is None else f"{lost if abs(lost) > 1e-12 else 0.0:.2g}",
        )
    low, typical, high = (result.expected_idle(level) for level in ("low", "typical", "high"))
    notes = [
        f"  on average {typical:.2%} of the endpoints stand ({low:.2%} .. {high:.2%}) without spares",
        "  failures per part and year; of a GPU from area to package",
        "  throughput: all-to-all of the endpoints left, each one's, over that before",
        "  on average: parts x rate x repair x what one takes away",
    ]
    if any(not blast.symmetric and blast.solved < blast.count for blast in result.blasts):
        notes.append(f"  in brackets: failures solved, drawn with seed {result.seed}; the others look alike")
    return Group(table, *(Text(note, style="dim") for note in notes))
