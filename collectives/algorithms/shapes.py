"""Options that describe a shape: the sides of a grid, the sizes of nested groups."""

from collections.abc import Callable, Sequence
from math import isqrt, prod
from numbers import Integral

from topo_sim.base import CollectiveError

__all__ = ["SHAPES", "grid_dims", "group_dims", "group_sizes", "nearly_square", "read_shape", "tree_levels"]


def read_shape(value: object, what: str) -> tuple[int, ...]:
    """Read a shape.

    Parameters
    ----------
    value : int, str or sequence of int
        ``8``, ``"4x4x4"`` or ``(4, 4, 4)``.
    what : str
        What to call it in an error.

    Returns
    -------
    tuple of int

    Raises
    ------
    CollectiveError
        If it is none of these, or a side is below 1.

    Examples
    --------
    >>> read_shape("4x4x2", "dims"), read_shape(8, "group")
    ((4, 4, 2), (8,))
    """
    sides: Sequence[object] = (value,)
    if isinstance(value, str):
        parts = value.lower().replace(",", "x").split("x")
        sides = [int(part) if part.strip().isdecimal() else part for part in parts]
    elif isinstance(value, Sequence):
        sides = value
    good = [int(s) for s in sides if type(s) is not bool and isinstance(s, Integral) and int(s) >= 1]
    if not sides or len(good) < len(sides):
        raise CollectiveError(f'{what}: found {value!r}, expected whole numbers of at least 1, as "4x4" or 8')
    return tuple(good)


def nearly_square(p: int) -> tuple[int, ...]:
    """Factor a number into two sides, as close as they come, the smaller first.

    Parameters
    ----------
    p : int
        At least 1.

    Returns
    -------
    tuple of int
        One side only where `p` is a prime or 1.

    Examples
    --------
    >>> nearly_square(12), nearly_square(64), nearly_square(7)
    ((3, 4), (8, 8), (7,))
    """
    side = next(a for a in range(isqrt(p), 0, -1) if p % a == 0)
    return (side, p // side) if side > 1 else (p,)


def grid_dims(value: object, p: int, what: str = "dims") -> tuple[int, ...]:
    """Sides of a grid of all ranks, the first one fastest in the ranks' order.

    Parameters
    ----------
    value : int, str, sequence of int or None
        None: two sides that are as close as they come.
    p : int
        Number of ranks.
    what : str
        What to call it in an error.

    Returns
    -------
    tuple of int

    Raises
    ------
    CollectiveError
        If the sides do not multiply to `p`.

    Examples
    --------
    >>> grid_dims(None, 12, "dims"), grid_dims("2x6", 12, "dims")
    ((3, 4), (2, 6))
    >>> grid_dims((4, 4), 12, "dims")
    Traceback (most recent call last):
    topo_sim.base.errors.CollectiveError: dims: 4x4 makes 16, expected sides that multiply to the 12 ranks
    """
    if value is None:
        return nearly_square(p)
    sides = read_shape(value, what)
    if prod(sides) != p:
        text = "x".join(map(str, sides))
        raise CollectiveError(
            f"{what}: {text} makes {prod(sides)}, expected sides that multiply to the {p} ranks"
        )
    return sides


def group_sizes(value: object, p: int, what: str = "group") -> tuple[int, ...]:
    """Sizes of nested groups: ranks in a group, groups in a group of groups, and so on.

    Parameters
    ----------
    value : int, str, sequence of int or None
        None: groups of the largest divisor of `p` that is not above its square root.
    p : int
        Number of ranks.
    what : str
        What to call it in an error.

    Returns
    -------
    tuple of int

    Raises
    ------
    CollectiveError
        If their product does not divide `p`.

    Examples
    --------
    >>> group_sizes(None, 12, "group"), group_sizes("4x2", 16, "group")
    ((3,), (4, 2))
    >>> group_sizes(8, 12, "group")
    Traceback (most recent call last):
    topo_sim.base.errors.CollectiveError: group: groups of 8 do not divide the 12 ranks
    """
    if value is None:
        sides = nearly_square(p)
        return sides[:1] if len(sides) > 1 else (1,)
    sizes = read_shape(value, what)
    if p % prod(sizes):
        text = "x".join(map(str, sizes))
        raise CollectiveError(f"{what}: groups of {text} do not divide the {p} ranks")
    return sizes


def group_dims(value: object, p: int) -> tuple[int, ...]:
    """Sides of the grid that nested groups make, the groups' number last.

    Parameters
    ----------
    value : int, str, sequence of int or None
        As in `group_sizes`.
    p : int
        Number of ranks.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> group_dims((4, 2), 32)
    (4, 2, 4)
    """
    sizes = group_sizes(value, p)
    return (*sizes, p // prod(sizes))


def tree_levels(value: object, p: int, what: str = "tree") -> tuple[int, ...]:
    """Fan-in of every level of a tree of switches over all ranks.

    Parameters
    ----------
    value : int, str, sequence of int or None
        None: all ranks under one switch.
    p : int
        Number of ranks.
    what : str
        What to call it in an error.

    Returns
    -------
    tuple of int

    Raises
    ------
    CollectiveError
        If the levels do not multiply to `p`.

    Examples
    --------
    >>> tree_levels(None, 12), tree_levels("4x3", 12)
    ((12,), (4, 3))
    """
    return (p,) if value is None else grid_dims(value, p, what)


SHAPES: dict[str, Callable[[object, int, str], tuple[int, ...]]] = {
    "dims": grid_dims,
    "group": group_sizes,
    "tree": tree_levels,
}
"""How the value of an option is read and checked, by its name."""
