"""The operators of one pass of a model on one GPU of a group: work, bounds, times."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from os import PathLike
from typing import Any, Literal

from topo_sim.base import UsageError
from topo_sim.gpus import find_gpu, load_gpus
from topo_sim.inference.models import LanguageModel, find_model
from topo_sim.inference.operators import (
    LIMITS,
    Device,
    Efficiency,
    Operator,
    Precision,
    Shard,
    Work,
    find_precision,
    load_efficiencies,
    operator_time,
    pass_operators,
)
from topo_sim.inference.operators.precision import value_bytes

__all__ = ["OperatorReport", "OperatorRow", "efficiency_for", "list_operators"]

Files = Iterable[str | PathLike[str]]
_FALLBACK = "h100"
_MOST = 10_000_000
"""Sequences, and tokens of each, at most."""


@dataclass(frozen=True)
class OperatorRow:
    """One operator, all its runs in a pass.

    Parameters
    ----------
    name, kind : str
    runs : int
        How often it runs in the pass.
    m, n, k, count : float
        Sizes of one run, and how many products or heads it holds.
    form : str
        Number format of its arithmetic; empty where it only moves bytes.
    flops : float, FLOP
        Of one run.
    weights, reads, writes : float, B
        Of one run.
    bound, time : float, s
        Of one run: the roofline, and as modelled.
    limit : str
        What takes most of its time.
    """

    name: str
    kind: str
    runs: int
    m: float
    n: float
    k: float
    count: float
    form: str
    flops: float
    weights: float
    reads: float
    writes: float
    bound: float
    time: float
    limit: str

    @property
    def bytes(self) -> float:
        """All traffic with memory of one run, B."""
        return self.weights + self.reads + self.writes


@dataclass(frozen=True)
class OperatorReport:
    """The operators of one pass.

    Parameters
    ----------
    model : LanguageModel
    device : Device
    precision : Precision
    efficiency : Efficiency
    phase : str
    tp, ep, batch, context : int
    in_pass : bool
        Whether times are within a pass; alone otherwise.
    operators : tuple of OperatorRow
        In order.
    notes : tuple of str
        What a reader should know.
    """

    model: LanguageModel
    device: Device
    precision: Precision
    efficiency: Efficiency
    phase: str
    tp: int
    ep: int
    batch: int
    context: int
    in_pass: bool
    operators: tuple[OperatorRow, ...]
    notes: tuple[str, ...]

    def total(self, what: str) -> float:
        """Sum a number over all runs of all operators.

        Parameters
        ----------
        what : {"flops", "bytes", "weights", "reads", "writes", "bound", "time"}

        Returns
        -------
        float
        """
        return float(sum(row.runs * getattr(row, what) for row in self.operators))

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per operator, units in the keys."""
        return [
            {
                **{
                    name: getattr(row, name)
                    for name in ("name", "kind", "runs", "m", "n", "k", "count", "form")
                },
                "flop": row.flops,
                "weight_bytes": row.weights,
                "read_bytes": row.reads,
                "written_bytes": row.writes,
                "roofline_s": row.bound,
                "time_s": row.time,
                "efficiency": row.bound / row.time if row.time else None,
                "limit": row.limit,
            }
            for row in self.operators
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "model": self.model.name,
            "gpu": self.device.name,
            "precision": asdict(self.precision),
            "constants": self.efficiency.model_dump(),
            "phase": self.phase,
            "tp": self.tp,
            "ep": self.ep,
            "batch": self.batch,
            "context": self.context,
            "in_pass": self.in_pass,
            "operators": self.rows(),
            "total": {
                "flop": self.total("flops"),
                "bytes": self.total("bytes"),
                "roofline_s": self.total("bound"),
                "time_s": self.total("time"),
            },
            "notes": list(self.notes),
        }


def efficiency_for(gpu: str, name: str | None = None, files: Files = ()) -> tuple[Efficiency, str]:
    """Choose the constants for a GPU: its own, else those of H100.

    Parameters
    ----------
    gpu : str
    name : str, optional
        Of constants to use whatever the GPU.
    files : iterable of path
        Constants of the user.

    Returns
    -------
    Efficiency
    str
        A note where constants of another GPU are used, else nothing.

    Raises
    ------
    UnknownNameError
        If no constants have the name.

    Examples
    --------
    >>> efficiency_for("lite")[1]
    'lite: no operators of it are measured, so the constants are those of h100'
    """
    from topo_sim.inference.operators import find_efficiency

    known = load_efficiencies(files)
    if name is not None:
        return known.get(name) or find_efficiency(name, files), ""
    if gpu in known:
        return known[gpu], ""
    return known[
        _FALLBACK
    ], f"{gpu}: no operators of it are measured, so the constants are those of {_FALLBACK}"


def _row(op: Operator, device: Device, efficiency: Efficiency, in_pass: bool) -> OperatorRow:
    found = operator_time(op, device, efficiency, in_pass)
    m, n, k, count = (float(each) for each in (op.m, op.n, op.k, op.count))
    flops, weights, reads, writes = (float(each) for each in (op.flops, op.weights, op.reads, op.writes))
    bound, time, limit = float(found.bound), float(found.time), LIMITS[int(found.limit)]
    head = op.name, op.kind, int(op.repeat)
    return OperatorRow(*head, m, n, k, count, op.form, flops, weights, reads, writes, bound, time, limit)


def _memory_note(shard: Shard, device: Device, how: Precision, batch: int, context: int) -> list[str]:
    """Say where weights and the cache of all sequences are more than the GPU's memory."""
    weights = float(shard.weight_bytes(value_bytes(how.weights), value_bytes(how.outputs)))
    need = weights + float(shard.cache_bytes_per_token(value_bytes(how.kv))) * batch * context
    if need <= device.memory:
        return []
    return [
        f"does not fit: weights and the cache of {batch:,} x {context:,} tokens take {need / 1e9:,.1f} GB of "
        f"a GPU, which has {device.memory / 1e9:g} GB"
    ]


def list_operators(
    model: str,
    gpu: str = "h100",
    *,
    phase: Literal["prefill", "decode"] = "decode",
    batch: int = 16,
    context: int = 1500,
    tp: int = 1,
    ep: int = 1,
    precision: str = "fp8",
    kv: str | None = None,
    kv_heads: Literal["replicate", "shard"] = "replicate",
    sequence_parallel: bool = False,
    fused: bool = True,
    in_pass: bool = True,
    level: str = "typical",
    constants: str | None = None,
    model_files: Files = (),
    gpu_files: Files = (),
    constant_files: Files = (),
) -> OperatorReport:
    """List the operators of one pass, with bounds and modelled times.

    Parameters
    ----------
    model : str
        Name, or ``config.json``.
    gpu : str
        Name of a catalogue's GPU.
    phase : {"prefill", "decode"}
    batch, context : int
        Sequences, and tokens of each prompt or positions in the cache.
    tp, ep : int
        GPUs that share every matrix, and that the experts are dealt to.
    precision : str
    kv : str, optional
        Number format of the cache, where another.
    kv_heads : {"replicate", "shard"}
        Where TP exceeds the key-value heads.
    sequence_parallel : bool
        Whether norms are spread over the GPUs of a group.
    fused : bool
        Whether attention is one kernel, and each norm one with the addition before it.
    in_pass : bool
        Times within a pass; otherwise each operator alone, as it is measured.
    level : {"low", "typical", "high"}
        Of the GPU's ranges.
    constants : str, optional
        Name of the constants. Default: the GPU's own, else those of H100.
    model_files, gpu_files, constant_files : iterable of path
        The user's catalogues.

    Returns
    -------
    OperatorReport

    Raises
    ------
    TopoSimError
        For unknown names, files with faults, and numbers that do not fit together.

    Examples
    --------
    >>> report = list_operators("llama3-70b", tp=8, batch=64)
    >>> report.total("time") > report.total("bound") > 0
    True
    """
    for name, value in (("batch", batch), ("context", context)):
        if value > _MOST:
            raise UsageError(f"{name}: found {value:.4g}, expected a whole number from 1 to {_MOST:,}")
    shape, gpus = find_model(model, tuple(model_files)), load_gpus(tuple(gpu_files))
    device = Device.of(find_gpu(gpu, gpus), level)
    chosen = find_precision(precision, kv)
    efficiency, note = efficiency_for(device.name, constants, tuple(constant_files))
    shard = Shard(shape, tp, ep, kv_heads, sequence_parallel)
    operators = pass_operators(shard, Work(phase, batch, context), chosen, fused)
    rows = tuple(_row(op, device, efficiency, in_pass) for op in operators)
    notes = [note] if note else []
    if tp > shape.kv_heads and not shape.latent:
        copies = tp // shape.kv_heads
        what = (
            f"each key-value head is held {copies} times" if kv_heads == "replicate" else "its cache is cut"
        )
        notes.append(f"TP {tp} exceeds the {shape.kv_heads} key-value heads: {what}")
    notes += _memory_note(shard, device, chosen, batch, context)
    return OperatorReport(
        shape, device, chosen, efficiency, phase, tp, ep, batch, context, in_pass, rows, tuple(notes)
    )
