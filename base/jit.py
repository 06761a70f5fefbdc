"""The decorator of all compiled kernels."""

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

__all__ = ["borrowed", "inlined", "kernel"]

# Division by zero gives infinity or NaN, as in NumPy: callers look at what comes out.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function to machine code that releases the interpreter lock, cached on disk if possible.

    Parameters
    ----------
    function : callable
        Works on arrays and numbers only.

    Returns
    -------
    callable

    Notes
    -----
    Where numba finds no folder that it may write to (neither beside the source nor at home), the code is
    compiled anew by every process.

    Examples
    --------
    >>> @kernel
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    try:
        compiled: Callable[..., Any] = njit(**OPTIONS, cache=True)(function)
    except RuntimeError:  # no place for the cache
        compiled = njit(**OPTIONS)(function)
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function into every kernel that calls it, as `kernel` does but without a call.

    Parameters
    ----------
    function : callable
        Called by kernels only.

    Returns
    -------
    callable

    Notes
    -----
    A call hands over every array of a state one by one; for a short function that takes longer than its work.
    """
    compiled: Callable[..., Any] = njit(**OPTIONS, forceinline=True)(function)
    return compiled


@intrinsic
def borrowed(typingctx: Any, array: Any) -> Any:
    """See an array without counting references to it; for use inside kernels only.

    Every compiled function that is handed an array counts a reference up and down, two atomic operations:
    dear for short functions that share much state. The caller has to keep the array itself alive.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    ndarray
        The same memory.
    """
    if not isinstance(array, types.Array):
        return None

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = make_array(signature.return_type)(context, builder, args[0])  # type: ignore[no-untyped-call]
        view.meminfo = cgutils.get_null_value(view.meminfo.type)  # type: ignore[no-untyped-call]
        view.parent = cgutils.get_null_value(view.parent.type)  # type: ignore[no-untyped-call]
        return view._getvalue()

    return array(array), generate
