"""Circuits or packets: the same endpoints wired in three ways, and what collectives take there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.base.files import LEVELS
from topo_sim.optics import FabricPower, load_optics
from topo_sim.optics.site import Site
from topo_sim.studies.best import check_sizes
from topo_sim.studies.light_contenders import MOE, PORTS, Outcome, Static, Switched, Wiring, wirings
from topo_sim.studies.moe import moe_dispatch

__all__ = ["CHANGES", "COLLECTIVES", "SIZES", "LightComparison", "compare_light"]

COLLECTIVES = ("all_reduce", MOE)
SIZES = tuple(2.0**k for k in range(16, 31, 2))
CHANGES = (4e-9, 4e-6, 20e-6, 1.2e-3)
FIBRE = 20.0
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class LightComparison:
    """What was found.

    Parameters
    ----------
    endpoints : int
    rate : float, B/s
    sizes, changes : tuple of float, B and s
        The times of a change of circuits.
    demand : ndarray of float64, shape (endpoints, endpoints)
        Of the all-to-all, in parts of what one endpoint sends.
    about : dict from str to str
        What each wiring is.
    powers : dict from str to FabricPower
    outcomes : dict from (wiring, collective, size, change) to Outcome
        The change is None for wirings that have none.
    inputs : dict
        Everything else that was asked for.
    """

    endpoints: int
    rate: float
    sizes: tuple[float, ...]
    changes: tuple[float, ...]
    demand: NDArray[np.float64]
    about: dict[str, str]
    powers: dict[str, FabricPower]
    outcomes: dict[tuple[str, str, float, float | None], Outcome]
    inputs: dict[str, Any]

    @property
    def contenders(self) -> list[tuple[str, float | None]]:
        """Name and time of a change of everything compared: fixed wirings, then circuits."""
        return [("fat-tree", None), ("torus", None), *(("circuits", delta) for delta in self.changes)]

    @property
    def hottest(self) -> float:
        """What the busiest receiver gets, over the mean."""
        return float(self.demand.sum(axis=0).max() / self.demand.sum(axis=0).mean())

    def outcome(self, contender: tuple[str, float | None], collective: str, size: float) -> Outcome:
        """Look up one outcome.

        Parameters
        ----------
        contender : (str, float or None)
        collective : str
        size : float, B

        Returns
        -------
        Outcome
        """
        return self.outcomes[contender[0], collective, size, contender[1]]

    def winner(self, collective: str, size: float, change: float, by: str = "time") -> str:
        """Name the best of fat-tree, torus and circuits that take a given time to change.

        Parameters
        ----------
        collective : str
        size : float, B
        change : float, s
        by : {"time", "energy"}

        Returns
        -------
        str
        """
        return self._ranking(collective, size, change, by)[0][1]

    def margin(self, collective: str, size: float, change: float, by: str = "time") -> float:
        """How much more the second best needs than the winner, as a share.

        Parameters
        ----------
        collective, size, change, by
            As in `winner`.

        Returns
        -------
        float
        """
        first, second = (value for value, _ in self._ranking(collective, size, change, by)[:2])
        return second / first - 1 if first > 0 else 0.0

    def _ranking(self, collective: str, size: float, change: float, by: str) -> list[tuple[float, str]]:
        if by not in ("time", "energy"):
            raise UsageError(f'found "{by}", expected time or energy')
        rivals: list[tuple[str, float | None]] = [("fat-tree", None), ("torus", None), ("circuits", change)]
        found = [self.outcome(rival, collective, size) for rival in rivals]
        return sorted((one.time if by == "time" else one.energy.total.typical, one.wiring) for one in found)

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per collective, size and contender.

        Returns
        -------
        list of dict
        """
        return [
            _row(self.outcome(contender, collective, size), contender[1])
            for collective in COLLECTIVES
            for size in self.sizes
            for contender in self.contenders
        ]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        peers = (self.demand > 0).sum(axis=1)
        return {
            "endpoints": self.endpoints,
            "rate_B_per_s": self.rate,
            "ports_on_circuits": PORTS,
            "all_to_all": {
                "peers_mean": float(peers.mean()),
                "peers_most": int(peers.max()),
                "busiest_receiver_over_mean": self.hottest,
            },
            "wirings": [
                {
                    "name": name,
                    "about": text,
                    "idle_W": _levels(self.powers[name], 0.0),
                    "full_load_W": _levels(self.powers[name], 1.0),
                    "full_load_parts_W": self.powers[name].watts(),
                    "notes": list(self.powers[name].notes),
                }
                for name, text in self.about.items()
            ],
            "outcomes": self.rows(),
            "winners": [
                {
                    "collective": collective,
                    "size_B": size,
                    "change_s": change,
                    "time": self.winner(collective, size, change),
                    "energy": self.winner(collective, size, change, "energy"),
                }
                for collective in COLLECTIVES
                for change in self.changes
                for size in self.sizes
            ],
        }


def _levels(power: FabricPower, load: float) -> dict[str, float]:
    total = power.total(load)
    return {level: total.at(level) for level in LEVELS}


def _row(one: Outcome, change: float | None) -> dict[str, Any]:
    bit = one.energy.per_bit
    return {
        "collective": one.collective,
        "size_B": one.size,
        "wiring": one.wiring,
        "change_s": change,
        "algorithm": one.algorithm,
        "changes": one.changes,
        "time_s": one.time,
        "lower_bound_s": one.lower_bound,
        "fraction_of_bound": one.lower_bound / one.time if one.time > 0 else 1.0,
        "bound": one.bound,
        "direct_bound_s": one.direct_bound,
        "energy_J": one.energy.total.typical,
        "static_share": one.energy.idle_share,
        **{f"energy_per_bit_{level}_J_per_b": None if bit is None else bit.at(level) for level in LEVELS},
    }


def _times(changes: Sequence[float]) -> tuple[float, ...]:
    array = np.unique(np.asarray(changes, dtype=np.float64))
    if not array.size or not np.isfinite(array).all() or array[0] < 0:
        raise UsageError(f"changes: found {list(changes)!r}, expected finite times of 0 s or more")
    return tuple(array.tolist())


def _sizes(sizes: Sequence[float]) -> NDArray[np.float64]:
    array = check_sizes(sizes)
    if array[0] <= 0:
        raise UsageError("sizes: found 0 B, expected more: nothing has no energy per bit")
    return array


def compare_light(
    *,
    endpoints: int = 1024,
    rate: float = 112.5e9,
    sizes: Sequence[float] = SIZES,
    changes: Sequence[float] = CHANGES,
    tokens: int = 4,
    top_k: int = 8,
    skew: float = 0.25,
    overhead: float = 0.0,
    medium: str = "cpo",
    packet_switch: str = "tomahawk5",
    circuit_switch: str = "mems_palomar",
    schedulers: Sequence[str] = ("solstice",),
    seed: int = 0,
    progress: Progress | None = None,
) -> LightComparison:
    """Compare packets, a torus and circuits on the same endpoints, in time and energy.

    Parameters
    ----------
    endpoints : int
        A power of two from 16 to 2048.
    rate : float, B/s
        Of each endpoint, one way.
    sizes : sequence of float, B
        Above 0: of all-reduce the vector, of the all-to-all what one endpoint sends.
    changes : sequence of float, s
        Times of a change of circuits.
    tokens, top_k, skew
        Of the all-to-all, as in `moe_dispatch`.
    overhead : float, s
        Per message.
    medium, packet_switch, circuit_switch : str
        Records of the catalogue.
    schedulers : sequence of str
        Of circuits for the all-to-all; the fastest counts.
    seed : int
        Of the draw of experts.
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    LightComparison

    Raises
    ------
    TopoSimError
        If a name or number cannot be used.

    Examples
    --------
    >>> found = compare_light(endpoints=16, sizes=[2**20], changes=[4e-9], tokens=2, top_k=2)
    >>> found.winner("all_reduce", 2**20, 4e-9, "energy") != "fat-tree"
    True
    """
    table, times = _sizes(sizes), _times(changes)
    if not schedulers:
        raise UsageError("schedulers: found none, expected at least one")
    optics = load_optics()
    optics.medium(medium)
    site = Site(optics, optics.circuit_switch(circuit_switch), None, 1, FIBRE, None)
    if isinstance(rate, bool) or not 0 < rate < np.inf:
        raise UsageError(f"rate: found {rate!r} B/s, expected a finite number above 0")
    demand = moe_dispatch(endpoints, tokens=tokens, top_k=top_k, skew=skew, seed=seed)
    wiring = Wiring(endpoints, float(rate), site, packet_switch, medium, demand, overhead)
    static, switched = wirings(wiring, optics, circuit_switch, tuple(schedulers))
    outcomes = _run(static, switched, table, times, progress)
    everything: list[Static | Switched] = [*static, switched]
    return LightComparison(
        endpoints,
        float(rate),
        tuple(table.tolist()),
        times,
        demand,
        {each.name: each.about for each in everything},
        {each.name: each.power for each in everything},
        outcomes,
        {
            "tokens": tokens, "top_k": top_k, "skew": skew, "overhead_s": overhead, "medium": medium,
            "packet_switch": packet_switch, "circuit_switch": circuit_switch,
            "schedulers": list(schedulers), "seed": seed,
        },
    )  # fmt: skip


def _run(
    static: list[Static],
    switched: Switched,
    sizes: NDArray[np.float64],
    changes: tuple[float, ...],
    progress: Progress | None,
) -> dict[tuple[str, str, float, float | None], Outcome]:
    found: dict[tuple[str, str, float, float | None], Outcome] = {}
    total = len(COLLECTIVES) * (len(static) + len(changes) * len(sizes))
    done = 0

    def tell(what: str) -> None:
        if progress is not None:
            progress(done, total, what)

    for collective in COLLECTIVES:
        for each in static:
            tell(f"{collective}: {each.name}")
            solved = each.solve(collective, sizes)
            for size in sizes.tolist():
                found[each.name, collective, size, None] = each.outcome(collective, size, solved)
            done += 1
        tell(f"{collective}: circuits")
        alone = Static(switched.name, "", switched.standing, switched.power, switched.wiring)
        solved, plans = alone.solve(collective, sizes), switched.plans(collective)
        for change in changes:
            for size in sizes.tolist():
                tell(f"{collective}: circuits")
                key = (switched.name, collective, size, change)
                found[key] = switched.outcome(collective, size, change, solved, plans)
                done += 1
    return found
