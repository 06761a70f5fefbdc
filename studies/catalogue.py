"""Everything that can be chosen by name."""

from collections.abc import Callable
from typing import Any

from topo_sim.base import UsageError, nearest
from topo_sim.collectives import ALGORITHMS, COLLECTIVES, SYNTHESIZERS
from topo_sim.collectives.formats import FORMATS
from topo_sim.collectives.models import COST_MODELS
from topo_sim.collectives.reconfiguration import POLICIES as CIRCUIT_POLICIES
from topo_sim.gpus import YIELDS, load_gpus
from topo_sim.gpus.power import POWER_POLICIES
from topo_sim.gpus.reliability import POLICIES
from topo_sim.optics import load_optics
from topo_sim.optics.scheduling import SCHEDULERS
from topo_sim.studies.sharing import PATTERNS
from topo_sim.topo import GENERATORS, ROUTINGS
from topo_sim.topo.demands import DEMANDS
from topo_sim.topo.files import list_shipped, load_topology
from topo_sim.topo.throughput import METHODS

__all__ = ["catalogue"]

Rows = list[dict[str, Any]]


def _first_line(thing: object) -> str:
    return " ".join((thing.__doc__ or "").strip().split("\n\n")[0].split())


def _topologies() -> Rows:
    rows = []
    for name in list_shipped():
        topology = load_topology(name)
        about = " ".join((topology.description or "").split())
        rows.append({"name": name, "endpoints": topology.fabric.ranks, "about": about})
    return rows


def _records(section: str) -> Rows:
    records = getattr(load_optics(), section).values()
    return [{"name": record.name, "about": record.about} for record in records]


def _algorithms() -> Rows:
    return [
        {
            "collective": collective,
            "name": name,
            "ranks": "power of two" if algorithm.power_of_two else "any",
            "options": ", ".join(
                name if value is None else f"{name}={value}" for name, value in algorithm.options.items()
            ),
            "on one switch": algorithm.formula,
            "reference": algorithm.reference,
            "about": algorithm.summary,
        }
        for collective, algorithms in ALGORITHMS.items()
        for name, algorithm in algorithms.items()
    ]


_KINDS: dict[str, Callable[[], Rows]] = {
    "topologies": _topologies,
    "generators": lambda: [{"name": n, "about": _first_line(g)} for n, g in GENERATORS.items()],
    "routings": lambda: [{"name": n, "about": r.summary} for n, r in ROUTINGS.items()],
    "collectives": lambda: [
        {"name": n, "about": f"{c.title}; busbw/algbw at 8 ranks {c.busbw_factor(8):g}"}
        for n, c in COLLECTIVES.items()
    ],
    "algorithms": _algorithms,
    "synthesizers": lambda: [{"name": n, "about": _first_line(f)} for n, f in SYNTHESIZERS.items()],
    "models": lambda: [
        {"name": n, "settings": ", ".join(f"{k}={v}" for k, v in m.settings.items()), "about": m.summary}
        for n, m in COST_MODELS.items()
    ],
    "circuit_policies": lambda: [{"name": n, "about": p.summary} for n, p in CIRCUIT_POLICIES.items()],
    "formats": lambda: [{"name": n, "about": f.summary} for n, f in FORMATS.items()],
    "patterns": lambda: [{"name": n, "about": _first_line(f)} for n, f in PATTERNS.items()],
    "demands": lambda: [{"name": n, "about": _first_line(f)} for n, f in DEMANDS.items()],
    "media": lambda: _records("media"),
    "circuit_switches": lambda: _records("circuit_switches"),
    "packet_switches": lambda: _records("packet_switches"),
    "schedulers": lambda: [
        {
            "name": n,
            "options": ", ".join(k if v is None else f"{k}={v:g}" for k, v in s.options.items()),
            "reference": s.reference,
            "about": s.summary,
        }
        for n, s in SCHEDULERS.items()
    ],
    "gpus": lambda: [{"name": gpu.name, "about": gpu.about} for gpu in load_gpus().values()],
    "yields": lambda: [{"name": n, "about": _first_line(f)} for n, f in YIELDS.items()],
    "methods": lambda: [{"name": n, "about": _first_line(f)} for n, f in METHODS.items()],
    "policies": lambda: [{"name": n, "about": p.about} for n, p in POLICIES.items()],
    "power_policies": lambda: [{"name": n, "about": _first_line(f)} for n, f in POWER_POLICIES.items()],
}


def catalogue(kind: str | None = None) -> dict[str, Rows]:
    """List the entries of one registry, or of all.

    Parameters
    ----------
    kind : {"topologies", "generators", "routings", "collectives", "algorithms", "patterns", ...}, optional

    Returns
    -------
    dict from kind to list of dict
        Each row has a name and, last, what it is about.

    Examples
    --------
    >>> [row["name"] for row in catalogue("patterns")["patterns"]][:2]
    ['permutation', 'all_to_all']
    """
    if kind is not None and kind not in _KINDS:
        raise UsageError(f'unknown kind "{kind}": {nearest(kind, _KINDS)}')
    return {name: rows() for name, rows in _KINDS.items() if kind in (None, name)}
