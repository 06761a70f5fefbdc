"""How far modelled times of operators are from measured ones: constants as they are, or fitted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import UsageError
from topo_sim.gpus import find_gpu, load_gpus
from topo_sim.inference.measured.reading import Measured, read_measured
from topo_sim.inference.measured.tables import source_of
from topo_sim.inference.operators import CONSTANTS, Device, Efficiency, find_efficiency, load_efficiencies
from topo_sim.inference.operators.fitting import WIDE, fit_efficiency, predict, splits, transfers
from topo_sim.studies.operators import Files, efficiency_for

__all__ = ["Errors", "OperatorFit", "check_operators", "efficiency_yaml", "fit_operators"]

Progress = Callable[[int, int, str], None]
_LEAST_ROWS = 4


@dataclass(frozen=True)
class Errors:
    """Errors of a part of the rows: |modelled / measured - 1|.

    Parameters
    ----------
    part : str
        Which rows.
    held_out : bool
        Whether they were kept from the fit.
    rows : int
    median, p90, worst : float
    bias : float
        Median of modelled / measured - 1.
    """

    part: str
    held_out: bool
    rows: int
    median: float
    p90: float
    worst: float
    bias: float

    @classmethod
    def of(cls, part: str, ratio: NDArray[np.float64], held_out: bool = False) -> "Errors":
        """Summarise modelled / measured of some rows."""
        error = np.abs(ratio - 1)
        high, worst = float(np.quantile(error, 0.9)), float(error.max())
        return cls(
            part, held_out, ratio.size, float(np.median(error)), high, worst, float(np.median(ratio - 1))
        )


@dataclass(frozen=True)
class OperatorFit:
    """Measured operators, modelled.

    Parameters
    ----------
    name : str
        Of the measurements.
    source : str
        Where they come from, as far as it is known.
    device : Device
    start, efficiency : Efficiency
        Before the fit, and those that `modelled` rests on.
    measured : Measured
    modelled : ndarray of float64, shape (N,), s
    errors : tuple of Errors
    """

    name: str
    source: str
    device: Device
    start: Efficiency
    efficiency: Efficiency
    measured: Measured
    modelled: NDArray[np.float64]
    errors: tuple[Errors, ...]

    @property
    def fitted(self) -> bool:
        """Whether constants were fitted to these rows."""
        return self.efficiency is not self.start

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per measurement, units in the keys."""
        rows = self.measured
        fields = ("model", "tp", "op", "form", "m", "n", "k", "batch", "heads", "kv_heads")
        return [
            {
                **{field: getattr(rows, field)[i].item() for field in fields},
                "measured_s": float(rows.times[i]),
                "modelled_s": float(self.modelled[i]),
                "error": float(self.modelled[i] / rows.times[i] - 1),
            }
            for i in range(len(rows))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "measurements": self.name,
            "source": self.source,
            "gpu": self.device.name,
            "fitted": self.fitted,
            "constants": self.efficiency.model_dump(),
            "errors": [vars(each) for each in self.errors],
            "rows": self.rows(),
        }


def _parts(rows: Measured, ratio: NDArray[np.float64]) -> Iterator[Errors]:
    """Errors of all rows, then by model, shard size, operator, number format, and rows of the product."""
    yield Errors.of("all rows", ratio)
    for what, values in (
        ("model", rows.model),
        ("TP", rows.tp),
        ("operator", rows.op),
        ("format", rows.form),
    ):
        names = np.unique(values)
        for value in names if names.size > 1 else ():
            part = values == value
            if part.sum() >= _LEAST_ROWS:
                yield Errors.of(f"{what} {value}", ratio[part])
    product = rows.n > 1
    for text, part in (
        ("products of up to 64 rows", product & (rows.m <= 64)),
        ("products of 65 to 512 rows", product & (rows.m > 64) & (rows.m <= 512)),
        ("products of more than 512 rows", product & (rows.m > 512)),
    ):
        if part.any():
            yield Errors.of(text, ratio[part])


def check_operators(
    name: str | PathLike[str],
    gpu: str = "h100",
    *,
    constants: str | None = None,
    gpu_files: Files = (),
    constant_files: Files = (),
) -> OperatorFit:
    """Compare constants as they are with measured operators.

    Parameters
    ----------
    name : str or path
        Shipped measurements, or a CSV file.
    gpu : str
        What they were measured on.
    constants : str, optional
        Default: the GPU's own, else those of H100.
    gpu_files, constant_files : iterable of path
        The user's catalogues.

    Returns
    -------
    OperatorFit
        Not fitted: errors by part.

    Examples
    --------
    >>> check_operators("h100_llm_ops").errors[0].median < 0.03
    True
    """
    rows = read_measured(name)
    device = Device.of(find_gpu(gpu, load_gpus(tuple(gpu_files))))
    efficiency, _ = efficiency_for(device.name, constants, constant_files)
    modelled = predict(rows, device, efficiency)
    errors = tuple(_parts(rows, modelled / rows.times))
    return OperatorFit(
        str(name), source_of(str(name)), device, efficiency, efficiency, rows, modelled, errors
    )


def fit_operators(
    name: str | PathLike[str],
    gpu: str = "h100",
    *,
    start: str = "prior",
    spread: float = WIDE,
    seed: int = 0,
    gpu_files: Files = (),
    constant_files: Files = (),
    progress: Progress | None = None,
) -> OperatorFit:
    """Fit the constants to measured operators, and test fits of parts of them on the rest.

    Parameters
    ----------
    name : str or path
        Shipped measurements, or a CSV file.
    gpu : str
        What they were measured on.
    start : str
        Constants to start from, which are the prior too.
    spread : float
        Of the prior, in the logarithm of a constant: small where there are few rows.
    seed : int
        Of the random halves.
    gpu_files, constant_files : iterable of path
        The user's catalogues.
    progress : callable, optional
        Called with how many of how many fits are done, and what.

    Returns
    -------
    OperatorFit
        Constants fitted to all rows; errors of all rows, then of each part that a fit did not see.

    Raises
    ------
    UsageError
        If there are too few rows for the spread.
    """
    rows = read_measured(name)
    if spread >= WIDE and len(rows) < len(CONSTANTS):
        raise UsageError(
            f"{name}: found {len(rows)} rows for {len(CONSTANTS)} constants, expected more, or a spread "
            f"below {WIDE:g}"
        )
    device = Device.of(find_gpu(gpu, load_gpus(tuple(gpu_files))))
    known = load_efficiencies(tuple(constant_files))
    first = known.get(start) or find_efficiency(start)
    fitted = fit_efficiency(rows, device, first, spread)
    modelled = predict(rows, device, fitted)
    errors = [Errors.of("all rows", modelled / rows.times)]
    parts = {part: (~held, held) for part, held in splits(rows, seed).items()}
    parts.update(transfers(rows))
    for done, (part, (keep, held)) in enumerate(parts.items(), 1):
        if progress:
            progress(done, len(parts), part)
        kept = fit_efficiency(rows.part(keep), device, first, spread)
        test = rows.part(held)
        errors.append(Errors.of(part, predict(test, device, kept) / test.times, True))
    return OperatorFit(str(name), source_of(str(name)), device, first, fitted, rows, modelled, tuple(errors))


def efficiency_yaml(fit: OperatorFit, name: str) -> str:
    """Write fitted constants as a catalogue that `--constants` reads.

    Parameters
    ----------
    fit : OperatorFit
    name : str
        Of the record.

    Returns
    -------
    str

    Examples
    --------
    >>> fit = fit_operators("a100_gemm", "a100", start="h100", spread=0.2)
    >>> print(efficiency_yaml(fit, "mine").splitlines()[0])
    efficiencies:
    """
    import yaml

    source = f"fitted to {len(fit.measured)} rows of {fit.name} on {fit.device.name}, from {fit.start.name}"
    numbers = {constant: float(f"{getattr(fit.efficiency, constant):.6g}") for constant in CONSTANTS}
    record = {"source": source, **numbers, "chained": fit.efficiency.chained}
    return yaml.safe_dump({"efficiencies": {name: record}}, sort_keys=False)
