"""Number formats, tensor by tensor."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from topo_sim.base import UnknownNameError, nearest

__all__ = ["BYTES", "PRECISIONS", "Precision", "find_precision", "value_bytes"]

BYTES: Mapping[str, float] = {
    **{"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0},
    **{"fp8": 1.0, "int8": 1.0, "fp4": 0.5, "int4": 0.5},
}
"""Size of one value in each number format, B."""


def value_bytes(form: str) -> float:
    """Tell the size of one value in a number format.

    Parameters
    ----------
    form : str
        A key of `BYTES`.

    Returns
    -------
    float, B

    Raises
    ------
    UnknownNameError
        If there is no such format.

    Examples
    --------
    >>> value_bytes("bf16"), value_bytes("int4")
    (2.0, 0.5)
    """
    if form not in BYTES:
        raise UnknownNameError(f'unknown number format "{form}": {nearest(form, BYTES)}')
    return BYTES[form]


@dataclass(frozen=True)
class Precision:
    """The number format of each kind of tensor.

    Parameters
    ----------
    name : str
    weights, activations : str
        What products read.
    outputs : str
        What products write, and what norms, activations and embeddings read and write.
    kv : str
        Cached keys and values.
    attention : str
        In which attention computes.
    accumulation : str
        Of sums within products.

    Raises
    ------
    UnknownNameError
        If one of them is no number format.

    Examples
    --------
    >>> PRECISIONS["fp8"].product, PRECISIONS["int4"].product
    ('fp8', 'bf16')
    """

    name: str
    weights: str
    activations: str
    outputs: str
    kv: str
    attention: str
    accumulation: str = "fp32"

    def __post_init__(self) -> None:
        for form in (
            self.weights,
            self.activations,
            self.outputs,
            self.kv,
            self.attention,
            self.accumulation,
        ):
            value_bytes(form)

    @property
    def product(self) -> str:
        """In which products compute: the wider of weights and activations."""
        return max(self.activations, self.weights, key=lambda form: BYTES[form])


PRECISIONS: Mapping[str, Precision] = {
    "bf16": Precision("bf16", "bf16", "bf16", "bf16", "bf16", "bf16"),
    "fp16": Precision("fp16", "fp16", "fp16", "fp16", "fp16", "fp16"),
    "fp8": Precision("fp8", "fp8", "fp8", "bf16", "fp8", "bf16"),
    "fp8-all": Precision("fp8-all", "fp8", "fp8", "fp8", "fp8", "fp8"),
    "fp8-weights": Precision("fp8-weights", "fp8", "bf16", "bf16", "bf16", "bf16"),
    "int8": Precision("int8", "int8", "int8", "bf16", "int8", "bf16"),
    "int4": Precision("int4", "int4", "bf16", "bf16", "bf16", "bf16"),
}
"""Usual combinations. `fp8` is that of the measurements: FP8 products with BF16 outputs, attention in BF16;
`fp8-all` has one byte everywhere, as rooflines assume; `fp8-weights` and `int4` compute in BF16."""


def find_precision(name: str, kv: str | None = None) -> Precision:
    """Find a combination of number formats by name.

    Parameters
    ----------
    name : str
        A key of `PRECISIONS`.
    kv : str, optional
        Another format for keys and values.

    Returns
    -------
    Precision

    Raises
    ------
    UnknownNameError
        If there is no such combination or format.

    Examples
    --------
    >>> find_precision("fp8", kv="bf16").kv
    'bf16'
    """
    if name not in PRECISIONS:
        raise UnknownNameError(f'unknown precision "{name}": {nearest(name, PRECISIONS)}')
    found = PRECISIONS[name]
    return found if kv is None else replace(found, kv=kv)
