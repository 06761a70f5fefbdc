"""What callers hand over, made into plain arrays: the one door for every numeric argument."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topo_sim.base import FlowError, TopoSimError

__all__ = ["as_integers", "as_number", "as_numbers", "refuse_where"]

# By the letter of numpy's dtype kinds.
KINDS = {
    "b": "true or false",
    "c": "complex",
    "m": "durations",
    "M": "dates",
    "S": "bytes",
    "T": "text",
    "U": "text",
}


def _array(values: Any, name: str, error: type[TopoSimError]) -> NDArray[Any]:
    """Make an array of whatever type; ragged and masked input is refused."""
    if isinstance(values, np.ma.MaskedArray):
        raise error(f"{name}: found a masked array, expected plain numbers; fill or leave out what is masked")
    if isinstance(values, (list, tuple)) and bool in set(map(type, values)):
        values = np.array(values, dtype=object)  # else numpy would count true as 1 beside numbers
    try:
        return np.asarray(values)
    except (TypeError, ValueError, OverflowError):
        raise error(f"{name}: found rows of different lengths, expected one number per entry") from None


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def as_numbers(values: Any, name: str, error: type[TopoSimError] = FlowError) -> NDArray[np.float64]:
    """Make an array of float64 that kernels take as it is: writable, contiguous, native.

    Parameters
    ----------
    values : array_like of int or float
    name : str
        For the error.
    error : type
        Which error to raise.

    Returns
    -------
    ndarray of float64
        The caller's own array if it is of that kind: then it must not be written to.

    Raises
    ------
    TopoSimError
        `error`, if the values are ragged, masked, complex, text, dates, true or false, or otherwise no
        real numbers.

    Notes
    -----
    Numba compiles every kernel anew, for seconds, for arrays that are strided or read-only.

    Examples
    --------
    >>> as_numbers([1, 2.5], "size").tolist()
    [1.0, 2.5]
    >>> as_numbers("3", "size")
    Traceback (most recent call last):
    topo_sim.base.errors.FlowError: size: found values that are no numbers (text), expected real numbers
    """
    array = _array(values, name, error)
    kind = KINDS.get(array.dtype.kind, str(array.dtype))
    if array.dtype.kind == "O":  # integers of more than 64 bits are numbers, and so are fractions
        other = [type(x).__name__ for x in array.flat if not _is_real(x)]
        kind = other[0] if other else kind
        try:
            array = array if other else array.astype(np.float64)
        except OverflowError:
            raise error(f"{name}: found a number beyond 1.8e308, expected less") from None
    if array.size and array.dtype.kind not in "iuf":
        raise error(f"{name}: found values that are no numbers ({kind}), expected real numbers")
    with np.errstate(over="ignore"):  # numbers wider than 64 bits
        return np.require(array, np.float64, ["C", "A", "W"])


def as_integers(
    values: Any,
    name: str,
    below: int,
    error: type[TopoSimError] = FlowError,
    *,
    what: str = "",
    kind: type[np.signedinteger[Any]] = np.int64,
) -> NDArray[Any]:
    """Make an array of integers of 0 or more, of one dimension, that kernels take as it is.

    The range is checked before the type is changed, so that nothing wraps round.

    Parameters
    ----------
    values : array_like of int, shape (n,)
    name : str
        For the error.
    below : int
        All must be less, 2^63 at most.
    error : type
        Which error to raise.
    what : str
        What the numbers are, for the error.
    kind : type
        Of the array: int64 or int32.

    Returns
    -------
    ndarray of kind, shape (n,)
        The caller's own array if it is of that kind: then it must not be written to.

    Raises
    ------
    TopoSimError
        `error`, if the values are ragged, masked, no integers, or out of range.

    Examples
    --------
    >>> as_integers(np.array([0, 2], np.uint8), "links", 3).tolist()
    [0, 2]
    >>> as_integers([0, 3], "links", 3)
    Traceback (most recent call last):
    topo_sim.base.errors.FlowError: links[1]: found 3, expected 0 to 2
    """
    array = _array(values, name, error)
    if array.ndim != 1:
        raise error(f"{name}: found shape {array.shape}, expected one dimension")
    found = str(array.dtype)
    if array.dtype.kind == "O":
        other = [type(x).__name__ for x in array if not isinstance(x, int) or isinstance(x, bool)]
        found = other[0] if other else "int"
    if array.size and array.dtype.kind not in "iu" and found != "int":
        raise error(f"{name}: found {found} values, expected integers")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= below):
        wrong = np.asarray([int(x) < 0 or int(x) >= below for x in array])
        refuse_where(wrong, array, name, f"0 to {below - 1}", error, what=what)
    return np.require(array, kind, ["C", "A", "W"])


def refuse_where(
    wrong: NDArray[np.bool_],
    array: NDArray[Any],
    name: str,
    expected: str,
    error: type[TopoSimError] = FlowError,
    *,
    what: str = "",
) -> None:
    """Raise `error`, naming the place and the value, if any entry is wrong.

    Parameters
    ----------
    wrong : ndarray of bool, shape of array
    array : ndarray
    name : str
        Of the array.
    expected : str
        What every entry should be.
    error : type
        Which error to raise.
    what : str
        What the entries are ("rank").

    Raises
    ------
    TopoSimError
        `error`.
    """
    if wrong.any():
        where = np.unravel_index(int(np.argmax(wrong)), array.shape)
        place = f"[{', '.join(str(i) for i in where)}]" if where else ""
        raise error(f"{name}{place}: found {f'{what} ' if what else ''}{array[where]}, expected {expected}")


def as_number(
    value: Any, name: str, least: float, most: float, error: type[TopoSimError] = FlowError
) -> float:
    """Check one real number between bounds, both allowed.

    Parameters
    ----------
    value : float
    name : str
        For the error.
    least, most : float
    error : type
        Which error to raise.

    Returns
    -------
    float

    Raises
    ------
    TopoSimError
        `error`.

    Examples
    --------
    >>> as_number(0.5, "gap", 0.0, 1.0)
    0.5
    >>> as_number(True, "gap", 0.0, 1.0)
    Traceback (most recent call last):
    topo_sim.base.errors.FlowError: gap: found True, expected a number from 0 to 1
    """
    real = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    if not real or not least <= value <= most:
        raise error(f"{name}: found {value!r}, expected a number from {least:g} to {most:g}")
    return float(value)
