"""What is done about a failed device: policies by name."""

from dataclasses import dataclass

from topo_sim.base import Registry

__all__ = ["POLICIES", "Policy"]


@dataclass(frozen=True)
class Policy:
    """What a cluster does when a device of a group fails.

    Parameters
    ----------
    about : str
        One line for lists.
    spares : bool
        Whether spares and repaired devices go where one is missing; else each returns to its own place.
    shrinks : bool
        Whether a group goes on with the devices that it has left.
    salvage : bool
        Whether the healthy devices of a group that stands replace those of others, so that what is missing
        is missing in as few groups as can be.
    swap : float, s
        To bring a device into a group, where nothing else is said.
    domain : bool
        Whether a device can only serve the domain that it is wired to; else any place.
    """

    about: str
    spares: bool = True
    shrinks: bool = False
    salvage: bool = False
    swap: float = 0.0
    domain: bool = True


POLICIES: Registry[Policy] = Registry("policy")
POLICIES.add(
    "none",
    Policy("no spares: a group stands until its own device is repaired", spares=False),
)
POLICIES.add(
    "hot_spares",
    Policy("a powered spare of the same domain takes the place, first come first served", swap=60.0),
)
POLICIES.add(
    "shrink",
    Policy("a group goes on with fewer devices, at a rate in proportion", spares=False, shrinks=True),
)
POLICIES.add(
    "rewire",
    Policy(
        "circuit switches bring any device to any place, spares first, then those of a group that stands",
        salvage=True,
        swap=1.0,  # Lumion (arXiv 2505.23105) brings in a spare in about a second
        domain=False,
    ),
)
