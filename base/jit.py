"""The decorator of all compiled kernels."""

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["kernel"]


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
        compiled: Callable[..., Any] = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no place for the cache
        compiled = njit(nogil=True)(function)
    return compiled
