"""Operators put together, against measured wholes: a layer of GPT-3 on A100s, a serving engine on H100s."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from topo_sim.base import UnknownNameError, nearest
from topo_sim.gpus import load_gpus
from topo_sim.inference.measured.reading import read_measured
from topo_sim.inference.measured.tables import read_table, source_of
from topo_sim.inference.models import find_model
from topo_sim.inference.operators import (
    PRECISIONS,
    Device,
    Shard,
    Work,
    find_efficiency,
    find_precision,
    operator_time,
    pass_operators,
)
from topo_sim.inference.operators.fitting import fit_efficiency
from topo_sim.inference.throughput import steady_throughput

__all__ = ["WHOLES", "WholeCheck", "WholeRow", "check_whole"]

_A100_SPREAD = 0.2  # six rows cannot tell twelve constants: the rest stays near H100's
_LINK_LATENCY = 8e-6  # of an all-reduce over 2 GPUs on NVLink, s; assumed
_LINK_SHARE = 0.8  # of NVLink that a large all-reduce reaches; assumed


@dataclass(frozen=True)
class WholeRow:
    """One measured value beside the model.

    Parameters
    ----------
    part : str
    measured, modelled : float
        In the check's unit.
    bound : float, optional
        What rooflines alone give.
    """

    part: str
    measured: float
    modelled: float
    bound: float | None = None

    @property
    def error(self) -> float:
        """By how much the modelled value is larger, as a share of the measured one."""
        return self.modelled / self.measured - 1


@dataclass(frozen=True)
class WholeCheck:
    """A measured whole beside the model.

    Parameters
    ----------
    name, title, unit, source : str
    values : tuple of WholeRow
    notes : tuple of str
        What the model was told, and what it leaves out.
    """

    name: str
    title: str
    unit: str
    source: str
    values: tuple[WholeRow, ...]
    notes: tuple[str, ...]

    def rows(self) -> list[dict[str, Any]]:
        """Return one flat row per value."""
        return [
            {
                "part": row.part,
                "measured": row.measured,
                "modelled": row.modelled,
                "roofline": row.bound,
                "error": row.error,
                "unit": self.unit,
            }
            for row in self.values
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        about = {"name": self.name, "title": self.title, "unit": self.unit, "source": self.source}
        return {**about, "rows": self.rows(), "notes": list(self.notes)}


def _gpt3_layer() -> WholeCheck:
    """Check one layer of GPT3-175B on 4 A100, constants fitted to single products and all-reduces alone."""
    name = "a100_gpt3_layer"
    device = Device.of(load_gpus()["a100"])
    constants = fit_efficiency(read_measured("a100_gemm"), device, find_efficiency("h100"), _A100_SPREAD)
    model, work = find_model("gpt3-175b"), Work("prefill", 8, 2048)
    operators = pass_operators(Shard(model, 4), work, PRECISIONS["fp16"], fused=False)
    found = {op.name: operator_time(op, device, constants) for op in operators}
    curve = [(float(row["bytes"]), float(row["measured_us"]) / 1e3) for row in read_table("a100_all_reduce")]
    sizes, times = np.log(np.array(curve)).T
    sent = float(work.tokens) * model.hidden * 2
    reduced = float(np.exp(np.interp(np.log(sent), sizes, times)))
    rows = []
    for row in read_table(name):
        part, measured = row["part"], float(row["measured_ms"])
        if part == "all_reduce":
            rows.append(WholeRow(part, measured, reduced))
        else:
            one = found[part]
            rows.append(WholeRow(part, measured, float(one.time) * 1e3, float(one.bound) * 1e3))
    total = WholeRow("layer", sum(r.measured for r in rows), sum(r.modelled for r in rows))
    notes = (
        f"constants fitted to a100_gemm alone, from h100, spread {_A100_SPREAD}",
        "all-reduces read off a100_all_reduce between its sizes",
    )
    title = (
        "one layer of GPT3-175B, 4x A100 80 GB, TP 4, FP16, 8 prompts of 2048, attention in separate kernels"
    )
    return WholeCheck(name, title, "ms", source_of(name), (*rows, total), notes)


def _serving() -> WholeCheck:
    """Check the throughput of an engine under maximum load, nothing fitted to it."""
    name = "trtllm_llama70b"
    gpu = load_gpus()["h100"]
    device, constants = Device.of(gpu), find_efficiency("h100")
    shard, precision = Shard(find_model("llama3-70b"), 2), find_precision("fp8", "fp8")
    rate = gpu.network_bandwidth.typical * _LINK_SHARE

    def all_reduce(size: float) -> float:
        return _LINK_LATENCY + size / rate  # 2 (n - 1) / n is 1 for two GPUs

    rows = []
    for row in read_table(name):
        prompt, output, measured = int(row["input"]), int(row["output"]), float(row["tokens_per_s"])
        bound = steady_throughput(shard, prompt, output, precision, device, None, memory_share=1.0)
        found = steady_throughput(shard, prompt, output, precision, device, constants, all_reduce)
        rows.append(WholeRow(f"{prompt} in, {output} out", measured, found.rate, bound.rate))
    notes = (
        "nothing is fitted to these rows; constants of h100",
        f"all-reduce: {_LINK_LATENCY * 1e6:g} us + bytes at {_LINK_SHARE:.0%} of NVLink, assumed",
        "90 % of the memory is used, all of it for the roofline",
        "scheduling, sampling and the host are left out, so the model is an upper estimate",
    )
    title = "Llama3.3-70B FP8 on 2x H100, TP 2, maximum load: output tokens per second"
    return WholeCheck(name, title, "tokens/s", source_of(name), tuple(rows), notes)


WHOLES: dict[str, Callable[[], WholeCheck]] = {"a100_gpt3_layer": _gpt3_layer, "trtllm_llama70b": _serving}
"""Measured wholes that ship."""


def check_whole(name: str) -> WholeCheck:
    """Compare the model with a measured whole.

    Parameters
    ----------
    name : {"a100_gpt3_layer", "trtllm_llama70b"}

    Returns
    -------
    WholeCheck

    Raises
    ------
    UnknownNameError
        If there is none of that name.

    Examples
    --------
    >>> abs(check_whole("a100_gpt3_layer").values[-1].error) < 0.1
    True
    """
    if name not in WHOLES:
        raise UnknownNameError(f'unknown check "{name}": {nearest(name, WHOLES)}')
    return WHOLES[name]()
