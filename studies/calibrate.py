"""Calibration: constants fitted to some logs, and how far off they are on others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FaultsError, UsageError, nearest
from topo_sim.collectives.measured import SYSTEMS, shipped_log
from topo_sim.collectives.measured.fitting import LARGE, Series, fit_constants
from topo_sim.collectives.models.constants import (
    Constants,
    describe,
    network_of,
    prior_constants,
    shipped_constants,
)
from topo_sim.collectives.models.layout import GENERATIONS
from topo_sim.studies.logs import LogSorter
from topo_sim.topo import Fabric
from topo_sim.topo.files import Topology

__all__ = ["Calibration", "Compared", "calibrate"]

FACTOR = 1.5


@dataclass(frozen=True)
class Compared:
    """Measured against simulated times of one collective on one system.

    Parameters
    ----------
    series : Series
    role : {"fit", "test"}
        Whether the constants were fitted to it, now or when they were shipped.
    simulated : ndarray of float64, shape (N,), s
    """

    series: Series
    role: str
    simulated: NDArray[np.float64]

    def errors(self, large: bool) -> NDArray[np.float64]:
        """``|log(simulated / measured)|`` of small or large sizes, known outliers left out.

        Parameters
        ----------
        large : bool
            16 MiB and more, or less.

        Returns
        -------
        ndarray of float64
        """
        s = self.series
        keep = ((s.sizes >= LARGE) == large) & ~s.outlier
        found: NDArray[np.float64] = np.abs(np.log(self.simulated[keep] / s.times[keep]))
        return found


def summary(errors: NDArray[np.float64]) -> dict[str, Any]:
    """Say how large errors are.

    Parameters
    ----------
    errors : ndarray of float64
        ``|log(simulated / measured)|``.

    Returns
    -------
    dict
        Number of sizes, geometric-mean error (0.1 is 10 %), worst factor, and how many are off by more
        than 1.5; None where there is no size.

    Examples
    --------
    >>> found = summary(np.log([1.1, 1.1]))
    >>> found["sizes"], round(found["geomean_error"], 3), round(found["worst_factor"], 3)
    (2, 0.1, 1.1)
    """
    some = errors.size > 0
    return {
        "sizes": int(errors.size),
        "geomean_error": float(np.expm1(errors.mean())) if some else None,
        "worst_factor": float(np.exp(errors.max())) if some else None,
        "beyond_1.5": int(np.count_nonzero(errors > np.log(FACTOR))),
    }


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Parameters
    ----------
    fabric : str
    constants : Constants
    fitted : tuple of str
        Names of the constants that the logs could move.
    compared : tuple of Compared
    faults : tuple of str
        Rows of the logs left out, one line each.
    uncovered : dict from str to int
        Rows of collectives that the model does not cover.
    notes : tuple of str
        Signs that a log was not measured on the fabric that it is compared with.
    """

    fabric: str
    constants: Constants
    fitted: tuple[str, ...]
    compared: tuple[Compared, ...]
    faults: tuple[str, ...]
    uncovered: dict[str, int]
    notes: tuple[str, ...] = ()

    def overall(self, role: str, large: bool) -> dict[str, Any]:
        """Error over all series of a role.

        Parameters
        ----------
        role : {"fit", "test"}
        large : bool

        Returns
        -------
        dict
            As `summary` gives it.
        """
        parts = [c.errors(large) for c in self.compared if c.role == role]
        return summary(np.concatenate(parts) if parts else np.zeros(0))

    def systems(self) -> list[dict[str, Any]]:
        """Errors of every series, small sizes and large.

        Returns
        -------
        list of dict
        """
        return [
            {
                "system": c.series.system,
                "fabric": c.series.fabric,
                "network": c.series.network if c.series.layout.nodes > 1 else None,
                "collective": c.series.collective,
                "ranks": c.series.layout.ranks,
                "nodes": c.series.layout.nodes,
                "role": c.role,
                "outliers_left_out": int(c.series.outlier.sum()),
                "below_16MiB": summary(c.errors(False)),
                "from_16MiB": summary(c.errors(True)),
            }
            for c in self.compared
        ]

    def constant_rows(self) -> list[dict[str, Any]]:
        """List the constants that matter here.

        Returns
        -------
        list of dict
        """
        kinds = {c.series.network for c in self.compared if c.series.layout.nodes > 1}
        return [
            {
                "constant": name,
                "value": self.constants.values[name],
                "prior": known.prior,
                "unit": known.unit,
                "fitted": name in self.fitted,
                "about": known.about,
            }
            for name, known in describe().items()
            if "." not in name or name.partition(".")[0] in kinds
        ]

    def rows(self) -> list[dict[str, Any]]:
        """One flat row for every measured size.

        Returns
        -------
        list of dict
        """
        return [
            {
                "system": c.series.system,
                "fabric": c.series.fabric,
                "collective": c.series.collective,
                "ranks": c.series.layout.ranks,
                "role": c.role,
                "size_B": float(n),
                "measured_s": float(t),
                "simulated_s": float(m),
                "simulated_over_measured": float(m / t),
                "outlier": bool(o),
            }
            for c in self.compared
            for n, t, m, o in zip(c.series.sizes, c.series.times, c.simulated, c.series.outlier, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything, with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "fabric": self.fabric,
            "constants_from": self.constants.origin,
            "constants": self.constant_rows(),
            "systems": self.systems(),
            "overall": {
                role: {"below_16MiB": self.overall(role, False), "from_16MiB": self.overall(role, True)}
                for role in ("fit", "test")
            },
            "left_out": list(self.faults),
            "notes": list(self.notes),
            "rows_of_collectives_not_covered": self.uncovered,
            "measurements": self.rows(),
        }


def _halves(series: Sequence[Series], seed: int) -> tuple[list[Series], list[Series]]:
    """Hold one of every two neighbouring sizes out, drawn by the seed."""
    rng = np.random.default_rng(seed)
    kept, held = [], []
    for s in series:
        order = np.argsort(s.sizes, kind="stable")
        out = np.zeros(len(order), dtype=np.bool_)
        picks = 2 * np.arange(len(order) // 2)
        out[order[picks + rng.integers(0, 2, len(picks))]] = True
        kept.append(s.part(~out))
        held.append(s.part(out))
    return kept, [s for s in held if len(s.sizes)]


def _same(a: Series, b: Series) -> bool:
    return (a.system, a.collective) == (b.system, b.collective) and np.array_equal(a.times, b.times)


def _each_once(sorter: LogSorter, references: Sequence[str], option: str) -> list[Series]:
    """Series of all logs, none of them twice."""
    found: list[tuple[str, Series]] = []
    for reference in references:
        mine = sorter.series(reference)
        twice = next((name for name, other in found if any(_same(s, other) for s in mine)), None)
        if twice is not None:
            both = "twice" if twice == reference else f"and {twice}, which have the same rows"
            raise UsageError(f"{option}: found {reference} {both}, expected each log once")
        found += [(reference, series) for series in mine]
    return [series for _, series in found]


def _not_fitted(testing: Sequence[Series], fitting: Sequence[Series], sorter: LogSorter) -> list[Series]:
    """Leave out of a test what is fitted too, and say so."""
    both = [s for s in testing if any(_same(s, f) for f in fitting)]
    sorter.notes += [
        f"--test: {system} is in --fit too, so it tests nothing"
        for system in dict.fromkeys(s.system for s in both)
    ]
    return [s for s in testing if not any(s is other for other in both)]


def _is_shipped(series: Series) -> bool:
    """Whether the times are those of a shipped log."""
    if series.system not in SYSTEMS:
        return False
    known = {(r.collective, r.size, r.time) for r in shipped_log(series.system).rows}
    rows = zip(series.sizes.tolist(), series.times.tolist(), strict=True)
    return any((series.collective, n, t) in known for n, t in rows)


def calibrate(
    topology: Topology | Fabric,
    fit: Sequence[str] = (),
    test: Sequence[str] = (),
    *,
    network: str | None = None,
    generation: str | None = None,
    constants: Constants | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit the constants of the calibrated model to some logs and hold them against others.

    Parameters
    ----------
    topology : Topology or Fabric
        What rows run on whose system is not a shipped one.
    fit : sequence of str
        Logs to fit: files, ``FABRIC=FILE``, names of shipped logs, or "all" of these. Without any, the
        shipped constants are used, which are fitted to all shipped logs.
    test : sequence of str
        Logs to predict. Without any: where there are logs to fit, one of every two neighbouring sizes
        is held out of the fit and predicted; else the shipped log of that name.
    network : str, optional
        Kind of the topology's network. Default: by its name, else InfiniBand.
    generation : str, optional
        Of NVLink, for the topology, or "pcie". Default: by the rate of an endpoint.
    constants : Constants, optional
        Start with these in place of the shipped ones where nothing is fitted.
    seed : int
        Draws the sizes that are held out.

    Returns
    -------
    Calibration

    Raises
    ------
    UsageError, FaultsError
        If a log does not exist or has no sound row, there is nothing to compare, or there is no such
        network or generation.

    Examples
    --------
    >>> from topo_sim.topo.files import load_fabric
    >>> found = calibrate(load_fabric("polaris-32"), fit=["polaris-8"], test=["polaris-32"])
    >>> found.overall("test", large=True)["geomean_error"] < 0.1
    True
    """
    home = topology if isinstance(topology, Fabric) else topology.fabric
    network_of(home.name, network)
    known = (*GENERATIONS, "pcie")
    if generation is not None and generation not in known:
        raise UsageError(f'unknown generation "{generation}": {nearest(str(generation), known)}')
    sorter = LogSorter(home, network, generation)
    fitting = _each_once(sorter, fit, "--fit")
    if test:
        testing = _not_fitted(_each_once(sorter, test, "--test"), fitting, sorter)
    elif fit:
        fitting, testing = _halves(fitting, seed)
    else:
        if home.name not in SYSTEMS:
            raise UsageError(
                f"{home.name} has no shipped log, expected --test FILE with nccl-tests output of it "
                f"(shipped logs: {', '.join(SYSTEMS)})"
            )
        testing = sorter.series(home.name)
    if fit and not fitting:
        raise FaultsError(
            sorter.faults or ["--fit: found no row of all_reduce, all_gather or reduce_scatter"]
        )
    if not fitting and not testing:
        raise FaultsError(
            sorter.faults or ["--test: found no row of all_reduce, all_gather or reduce_scatter"]
        )
    chosen, names = fit_constants(fitting) if fit else (constants or shipped_constants(), ())
    compared = [Compared(s, "fit", s.predicted(chosen)) for s in fitting]
    seen = not fit and constants is None  # the shipped constants were fitted to the shipped logs
    for s in testing:
        role = "fit" if seen and _is_shipped(s) else "test"
        compared.append(Compared(s, role, s.predicted(chosen)))
    return Calibration(
        home.name, chosen, names, tuple(compared), tuple(sorter.faults), sorter.uncovered, tuple(sorter.notes)
    )


def fitted_values(constants: Constants) -> Mapping[str, float]:
    """Values that differ from the priors, to four digits, as ``fitted.yaml`` keeps them.

    Parameters
    ----------
    constants : Constants

    Returns
    -------
    mapping from str to float
    """
    prior = prior_constants().values
    return {name: float(f"{v:.4g}") for name, v in constants.values.items() if v != prior[name]}
