"""A pod: how many chips, cubes, circuit switches and ports, from a few parameters."""

from dataclasses import dataclass

import numpy as np

from topo_sim.base import UsageError

__all__ = ["AXES", "Pod"]

AXES = "xyz"
MOST_CHIPS = 1_000_000


def is_whole(value: object, least: int) -> bool:
    """Whether a value is an integer (and no bool) of at least `least`."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


@dataclass(frozen=True)
class Pod:
    """Cubes of chips, every link of every face led to a circuit switch.

    Parameters
    ----------
    cubes : int
        Number of cubes, 1 or more.
    side : int
        Chips along each edge of a cube, 3 or more.
    radix : int
        Ports of one circuit switch, each of which carries both directions.
    spare : int
        Ports of each switch that stay free, for tests and repairs.
    rate : float, B/s
        Of one link, per direction.

    Raises
    ------
    UsageError
        If a number is out of range, or the cubes need more ports than the switches have.

    Notes
    -----
    Inside a cube chips are joined as a mesh. Each face has ``side**2`` links. The links at the same place
    on the two faces of an axis, of every cube, lead to one switch: ``3 * side**2`` switches with two ports
    per cube. A circuit from the upper face of one cube to the lower face of another (or of the same) joins
    them there. A cube of side 2 that closes on itself would join two chips twice, so 3 is the least.

    References
    ----------
    Jouppi et al., "TPU v4", ISCA 2023 (section 2).

    Examples
    --------
    >>> pod = Pod()
    >>> pod.chips, pod.switches, pod.ports, pod.radix
    (4096, 48, 128, 136)
    >>> pod.optical_links, pod.optical_links // pod.cubes
    (6144, 96)
    """

    cubes: int = 64
    side: int = 4
    radix: int = 136
    spare: int = 8
    rate: float = 50e9

    def __post_init__(self) -> None:
        for name, least in (("cubes", 1), ("side", 3), ("radix", 1), ("spare", 0)):
            value = getattr(self, name)
            if not is_whole(value, least):
                raise UsageError(f"{name}: found {value!r}, expected an integer of at least {least}")
        rate = self.rate
        number = isinstance(rate, (int, float, np.number)) and not isinstance(rate, bool)
        if not number or not 0 < rate < float("inf"):
            raise UsageError(f"rate: found {rate!r}, expected a number of B/s above 0")
        if self.chips > MOST_CHIPS:
            raise UsageError(f"cubes: found {self.chips:,} chips in all, expected at most {MOST_CHIPS:,}")
        if self.ports + self.spare > self.radix:
            raise UsageError(
                f"radix: found {self.radix} ports, expected at least {self.ports + self.spare}: "
                f"two for each of {self.cubes} cubes and {self.spare} spare"
            )

    @property
    def chips(self) -> int:
        """Chips of all cubes."""
        return self.cubes * self.side**3

    @property
    def face(self) -> int:
        """Links of one face of a cube."""
        return self.side**2

    @property
    def switches(self) -> int:
        """Circuit switches: one per axis and place on a face."""
        return len(AXES) * self.face

    @property
    def ports(self) -> int:
        """Ports used at each switch: one per cube and end of the axis."""
        return 2 * self.cubes

    @property
    def optical_links(self) -> int:
        """Fibres from chips to switches."""
        return self.cubes * 2 * self.switches

    def switch_name(self, switch: int) -> str:
        """Name of a switch: its axis and its place on the face.

        Examples
        --------
        >>> Pod().switch_name(17)
        'y1'
        """
        return f"{AXES[switch // self.face]}{switch % self.face}"

    def read_switch(self, name: object) -> int:
        """Find the number of a switch from its name or number.

        Parameters
        ----------
        name : str or int
            "x0", "y3", ... or a number from 0.

        Returns
        -------
        int

        Raises
        ------
        UsageError
            If there is no such switch.

        Examples
        --------
        >>> Pod().read_switch("z15"), Pod().read_switch(17)
        (47, 17)
        """
        text = str(name)
        axis, digits = AXES.find(text[:1]), text[1:]
        if text and axis >= 0 and digits.isascii() and digits.isdigit() and len(digits) <= 9:
            if int(digits) < self.face:
                return axis * self.face + int(digits)
        elif is_whole(name, 0) and int(text) < self.switches:
            return int(text)
        raise UsageError(
            f'switch: found {name!r}, expected an axis and a place on the face, from "x0" to '
            f'"z{self.face - 1}"'
        )

    def check_cube(self, cube: object) -> int:
        """Refuse what is no number of a cube.

        Parameters
        ----------
        cube : int

        Returns
        -------
        int

        Raises
        ------
        UsageError
            If there is no such cube.
        """
        if not is_whole(cube, 0) or int(cube) >= self.cubes:  # type: ignore[call-overload]
            raise UsageError(f"cube: found {cube!r}, expected an integer from 0 to {self.cubes - 1}")
        return int(cube)  # type: ignore[call-overload]
