"""Measured times of operators, from CSV files like the one that ships."""

import csv
import io
import math
from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path

import numpy as np

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.base.files import Faults, show, suggest
from topo_sim.base.files.reading import read_text
from topo_sim.inference.operators.operator import (
    Array,
    Operator,
    decode_attention,
    matmul,
    prefill_attention,
    stream,
)
from topo_sim.inference.operators.precision import BYTES, value_bytes

__all__ = ["SHIPPED", "Measured", "read_measured"]

SHIPPED = ("h100_llm_ops", "a100_gemm")
"""Names of the files that ship."""

_NEEDED = ("op", "dtype", "median_us")
_KNOWN = (
    *("model", "tp", "op", "dtype", "m", "n", "k", "batch", "seq", "heads", "kv_heads"),
    *("head_dim", "median_us"),
)
_ATTENTION = ("attention_prefill", "attention_decode")
_KINDS = ("copy", *_ATTENTION, "product")
_HEAD_DIM = 128.0
_OUTPUT = 2.0  # B: products in FP8 write 16-bit outputs
_ROUNDED = 16.0  # rows of an FP8 product are rounded up to this


@dataclass(frozen=True)
class Measured:
    """Measured times of operators, one per row.

    Parameters
    ----------
    model, op, form : ndarray of str, shape (N,)
    tp : ndarray of int, shape (N,)
    m, n, k : ndarray of float64, shape (N,)
        Of products; of attention: new tokens of all sequences, one, and keys of each sequence.
    batch, heads, kv_heads, head_dim : ndarray of float64, shape (N,)
        Of attention, 0 elsewhere.
    times : ndarray of float64, shape (N,), s

    Examples
    --------
    >>> rows = read_measured("h100_llm_ops")
    >>> len(rows), sorted(set(rows.op.tolist()))[:2]
    (329, ['attention_prefill', 'attn_out'])
    """

    model: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    op: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    form: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    tp: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    m: Array
    n: Array
    k: Array
    batch: Array
    heads: Array
    kv_heads: Array
    head_dim: Array
    times: Array

    def __len__(self) -> int:
        return len(self.times)

    def part(self, keep: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "Measured":
        """Keep some of the rows.

        Parameters
        ----------
        keep : ndarray of bool, shape (N,)

        Returns
        -------
        Measured
        """
        return Measured(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))

    @property
    def tokens(self) -> Array:
        """Rows of each product, tokens of each prompt times prompts; shape (N,)."""
        return self.m

    def operators(self) -> list[tuple["np.ndarray[tuple[int], np.dtype[np.intp]]", Operator]]:
        """Put the rows into as few operators as there are kinds and number formats.

        Returns
        -------
        list of (ndarray of int, Operator)
            Rows, and the operator whose arrays have one entry for each.
        """
        found = []
        for form in sorted(set(self.form)):
            for kind in _KINDS:
                rows = np.flatnonzero((self.form == form) & (self._kinds() == kind))
                if rows.size:
                    found.append((rows, self._operator(kind, str(form), rows)))
        return found

    def _kinds(self) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
        special = np.isin(self.op, _KINDS)
        return np.where(special, self.op, "product")

    def _operator(self, kind: str, form: str, rows: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> Operator:
        m, n, k = self.m[rows], self.n[rows], self.k[rows]
        if kind == "copy":
            return stream("copy", m, 1, 1, 1.0)
        size = value_bytes(form)
        batch, width, heads, kv = (
            each[rows] for each in (self.batch, self.head_dim, self.heads, self.kv_heads)
        )
        if kind == "attention_prefill":
            each = width, width
            return prefill_attention(kind, k, k, each, batch * heads, batch * kv, form, sizes=(size, size))
        if kind == "attention_decode":
            held = width, width, 2 * width
            return decode_attention(kind, heads / kv, k, held, batch * kv, form, sizes=(size, size))
        padded = np.ceil(m / _ROUNDED) * _ROUNDED if size <= 1 else m
        return matmul("product", padded, n, k, form, sizes=(size, size, max(size, _OUTPUT)))


def read_measured(name: str | PathLike[str]) -> Measured:
    """Read measured times.

    Parameters
    ----------
    name : str or path
        One of `SHIPPED`, or a CSV file with the columns ``op``, ``dtype``, ``median_us`` and, for products,
        ``m, n, k``; for ``attention_prefill`` and ``attention_decode`` ``batch, seq, heads, kv_heads`` (and
        ``head_dim``, else 128); for ``copy`` the bytes in ``m``. Optional: ``model``, ``tp``.

    Returns
    -------
    Measured

    Raises
    ------
    UnknownNameError
        If it is no shipped name, nor ends in .csv.
    FaultsError
        With every fault of the file.
    """
    text = str(name)
    path = Path(text)
    if text in SHIPPED:
        path = Path(str(resources.files("topo_sim.inference.measured") / f"{text}.csv"))
    elif path.suffix.lower() != ".csv":
        raise UnknownNameError(
            f'unknown measurements "{text}": {suggest(text, SHIPPED)}, or a file that ends in .csv'
        )
    faults = Faults(path.name if text in SHIPPED else text)
    reader = csv.DictReader(io.StringIO(read_text(path, faults)))
    columns = reader.fieldnames or []
    for column in _NEEDED:
        if column not in columns:
            faults.add((column,), f"missing, expected a column of that name; {suggest(column, columns)}")
    faults.stop()
    rows = [found for line, row in enumerate(reader, 2) if (found := _row(row, line, faults))]
    faults.stop()
    if not rows:
        raise UsageError(f"{text}: found no rows, expected measured times")
    model, op, form, tp, *numbers = (np.array(each) for each in zip(*rows, strict=True))
    m, n, k, batch, heads, kv, width, times = (each.astype(np.float64) for each in numbers)
    return Measured(model, op, form, tp, m, n, k, batch, heads, kv, width, times)


def _number(
    row: dict[str, str], column: str, line: int, faults: Faults, default: float | None = None
) -> float:
    given = (row.get(column) or "").strip()
    if not given and default is not None:
        return default
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        faults.add((column,), f"found {show(given or None)}, expected a number above 0", line)
        return 1.0
    return value


def _row(row: dict[str, str], line: int, faults: Faults) -> tuple[str | float, ...] | None:
    """Read one row: words, tp, sizes, time."""
    op, form = (row.get("op") or "").strip(), (row.get("dtype") or "").strip()
    if not op:
        faults.add(("op",), "found nothing, expected the name of an operator", line)
        return None
    time = _number(row, "median_us", line, faults) * 1e-6
    head = ((row.get("model") or "").strip(), op)
    tp = int(_number(row, "tp", line, faults, 1.0))
    if op == "copy":
        return (*head, "uint8", tp, _number(row, "m", line, faults), 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, time)
    if form not in BYTES:
        faults.add(
            ("dtype",), f"found {show(form)}, expected a number format: {suggest(form, list(BYTES))}", line
        )
        return None
    if op.startswith("attention_") and op not in (*_ATTENTION, "attention_out"):
        faults.add(("op",), f"found {show(op)}, expected attention_prefill or attention_decode", line)
        return None
    if op in _ATTENTION:
        batch, seq, heads = (_number(row, name, line, faults) for name in ("batch", "seq", "heads"))
        kv = _number(row, "kv_heads", line, faults, heads)
        width = _number(row, "head_dim", line, faults, _HEAD_DIM)
        new = batch * seq if op == "attention_prefill" else batch
        return (*head, form, tp, new, 1.0, seq, batch, heads, kv, width, time)
    m, n, k = (_number(row, name, line, faults) for name in "mnk")
    return (*head, form, tp, m, n, k, 0.0, 0.0, 0.0, 0.0, time)
