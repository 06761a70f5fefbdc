"""What lives: the devices of a cluster, how they fail, and the job that runs on them."""

import math
from dataclasses import dataclass

from topo_sim.base import UsageError, nearest
from topo_sim.gpus.reliability.checkpoints import checkpoint_efficiency
from topo_sim.gpus.reliability.checks import check_count, check_number
from topo_sim.gpus.reliability.spares import availability

__all__ = ["REPAIR_LAWS", "Cluster", "Job", "SharedPart"]

REPAIR_LAWS = ("fixed", "exponential")
MOST_DEVICES = 10_000_000


@dataclass(frozen=True)
class SharedPart:
    """A part that several devices in a row need: a host, a switch without a second path.

    Parameters
    ----------
    name : str
    reach : int
        Devices that stand while it is down.
    rate : float, 1/s
        Failures per time in service, exponential.
    repair : float, s
        Time to repair it, fixed.
    """

    name: str
    reach: int
    rate: float
    repair: float

    def __post_init__(self) -> None:
        check_count(self.reach, f"{self.name}: devices that need it")
        check_number(self.rate, f"{self.name}: failure rate")
        check_number(self.repair, f"{self.name}: repair time", positive=True)


@dataclass(frozen=True)
class Cluster:
    """Devices in groups that stop together, with spares.

    Parameters
    ----------
    count : int
        Places for devices, filled at the start.
    rate : float, 1/s
        Failures of a device per time in service that need a repair.
    repair : float, s
        Mean time to repair.
    group : int
        Devices that stop together: a tensor-parallel instance, or all of `count` for one training job.
    spares : int
        Devices beside those, powered, which fail at the same rate.
    domains : int
        Parts of the cluster with a pool of spares each; groups and spares are shared out evenly.
    shape : float
        Of the Weibull law of lifetimes: 1 is exponential, less fails early, more wears out. A repaired
        device is as good as new, and all are new at the start.
    repair_law : {"fixed", "exponential"}
    crash_rate : float, 1/s
        Per device: interruptions of its group that need no repair (software, a bit flip).
    parts : tuple of SharedPart

    Raises
    ------
    UsageError
        If a number is out of range or does not fit another.

    Examples
    --------
    >>> Cluster(count=64, rate=1e-9, repair=86400.0, group=7)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: group: found 7 for 64 GPUs, expected a divisor of their number
    """

    count: int
    rate: float
    repair: float
    group: int = 1
    spares: int = 0
    domains: int = 1
    shape: float = 1.0
    repair_law: str = "fixed"
    crash_rate: float = 0.0
    parts: tuple[SharedPart, ...] = ()

    def __post_init__(self) -> None:
        check_count(self.count, "GPUs", most=MOST_DEVICES)
        check_count(self.group, "group")
        check_count(self.spares, "spares", least=0)
        check_count(self.domains, "domains")
        check_number(self.rate, "failure rate")
        check_number(self.crash_rate, "crash rate")
        check_number(self.repair, "repair time", positive=True)
        if not 0.1 <= check_number(self.shape, "Weibull shape", positive=True) <= 20:
            raise UsageError(f"Weibull shape: found {self.shape!r}, expected a number from 0.1 to 20")
        if self.repair_law not in REPAIR_LAWS:
            near = nearest(str(self.repair_law), REPAIR_LAWS)
            raise UsageError(f'unknown law of repairs "{self.repair_law}": {near}')
        if self.count % self.group:
            raise UsageError(
                f"group: found {self.group} for {self.count} GPUs, expected a divisor of their number"
            )
        if self.spares > self.count:
            raise UsageError(
                f"spares: found {self.spares} for {self.count} GPUs, expected at most as many as GPUs"
            )
        for what, number in (("groups", self.groups), ("spares", self.spares)):
            if number % self.domains:
                raise UsageError(
                    f"domains: found {self.domains} for {number} {what}, expected a divisor of their number"
                )

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.count // self.group

    @property
    def availability(self) -> float:
        """Share of its time that a device is up, in the long run."""
        return availability(self.rate, self.repair)

    def parts_of_group(self, part: SharedPart) -> float:
        """Count the shared parts of one kind that a group needs, on average over groups.

        Parameters
        ----------
        part : SharedPart

        Returns
        -------
        float
            At least 1.

        Notes
        -----
        Parts and groups cut the row of devices into pieces, one for every part that a group needs: as many as
        both have pieces, less one, less one for every cut that they share.

        Examples
        --------
        Groups of 12 on hosts of 8: the first needs the hosts 0 and 1, the second 1 and 2.

        >>> host = SharedPart("host", reach=8, rate=1e-8, repair=360.0)
        >>> Cluster(96, 1e-9, 3600.0, group=12, parts=(host,)).parts_of_group(host)
        2.0
        """
        shared_cuts = (self.count - 1) // math.lcm(part.reach, self.group)
        return (-(-self.count // part.reach) + self.groups - 1 - shared_cuts) / self.groups

    @property
    def between_interruptions(self) -> float:
        """Mean time between interruptions of a group that runs, by devices, crashes and shared parts, s."""
        shared = sum(part.rate * self.parts_of_group(part) for part in self.parts)
        total = self.group * (self.rate + self.crash_rate) + shared
        return 1.0 / total if total else math.inf


@dataclass(frozen=True)
class Job:
    """What runs on every group.

    Parameters
    ----------
    interval : float, optional, s
        Work between two checkpoints. None: nothing is lost but the time to restart, as in serving.
    write : float, s
        Time to write a checkpoint, during which no work is done.
    restart : float, s
        From the moment that a group has its devices until work goes on.
    swap : float, optional, s
        Time to bring a device into a group. Default: the policy's.
    least : int
        Fewest devices with which a group that shrinks can run.

    Examples
    --------
    >>> Job(interval=0.0)
    Traceback (most recent call last):
    topo_sim.base.errors.UsageError: checkpoint interval: found 0.0, expected a number above 0
    """

    interval: float | None = None
    write: float = 0.0
    restart: float = 0.0
    swap: float | None = None
    least: int = 1

    def __post_init__(self) -> None:
        if self.interval is not None:
            check_number(self.interval, "checkpoint interval", positive=True)
        check_number(self.write, "time to write a checkpoint")
        check_number(self.restart, "time to restart")
        check_number(0.0 if self.swap is None else self.swap, "swap time")
        check_count(self.least, "least group")

    def efficiency(self, between: float) -> float:
        """Share of the time that becomes work which is kept, were a device there at once (Daly).

        Parameters
        ----------
        between : float, s
            Mean time between interruptions.

        Returns
        -------
        float
        """
        if self.interval is not None:
            return checkpoint_efficiency(self.interval, self.write, self.restart, between)
        return math.exp(-self.restart / between) if between < math.inf else 1.0
