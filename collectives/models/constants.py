"""The constants of the calibrated model: priors, units, and values fitted to measurements."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import yaml

from topo_sim.base import UsageError, nearest

__all__ = [
    "Constant",
    "Constants",
    "describe",
    "network_of",
    "networks",
    "prior_constants",
    "shipped_constants",
]


@dataclass(frozen=True)
class Constant:
    """What a constant is.

    Parameters
    ----------
    name : str
        ``hop``, or for a network ``efa.message``.
    prior : float
    spread : float
        Standard deviation of its logarithm, given nothing but the prior; 0 for one that is never fitted.
    unit : str
        "us", or "-" for a pure number.
    about : str
    """

    name: str
    prior: float
    spread: float
    unit: str
    about: str


@dataclass(frozen=True)
class Constants:
    """Values of the constants, by the names of `describe`.

    Parameters
    ----------
    values : mapping from str to float
        Latencies in us.
    origin : str
        Where they come from, for tables.
    """

    values: Mapping[str, float]
    origin: str

    def of(self, network: str) -> dict[str, float]:
        """Constants of the GPUs and of one kind of network, without its name.

        Parameters
        ----------
        network : str

        Returns
        -------
        dict from str to float
        """
        mine = {k: v for k, v in self.values.items() if "." not in k}
        prefix = f"{network}."
        return mine | {k.removeprefix(prefix): v for k, v in self.values.items() if k.startswith(prefix)}

    def changed(self, values: Mapping[str, float], origin: str) -> "Constants":
        """Copy with other values for some.

        Parameters
        ----------
        values : mapping from str to float
        origin : str

        Returns
        -------
        Constants
        """
        return replace(self, values={**self.values, **values}, origin=origin)


@cache
def _read(name: str) -> Any:
    text = (resources.files("topo_sim.collectives.models") / name).read_text(encoding="utf-8")
    return yaml.safe_load(text)


def networks() -> tuple[str, ...]:
    """Kinds of network that have priors of their own.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> networks()
    ('infiniband', 'efa', 'slingshot')
    """
    return tuple(_read("calibrated.yaml")["networks"])


def network_of(fabric: str, network: str | None = None) -> str:
    """Kind of network of a fabric.

    Parameters
    ----------
    fabric : str
        Its name.
    network : str, optional
        What the user says it is.

    Returns
    -------
    str

    Raises
    ------
    UsageError
        If there is no such kind.

    Examples
    --------
    >>> network_of("polaris-32"), network_of("my-cluster")
    ('slingshot', 'infiniband')
    """
    known = networks()
    if network is None:
        table = _read("calibrated.yaml")["fabrics"]
        return next((kind for start, kind in table.items() if fabric.startswith(start)), known[0])
    if network not in known:
        raise UsageError(f'unknown network "{network}": {nearest(str(network), known)}')
    return network


@cache
def describe() -> Mapping[str, Constant]:
    """Every constant, by name.

    Returns
    -------
    mapping from str to Constant

    Examples
    --------
    >>> hop = describe()["hop"]
    >>> hop.prior, hop.unit
    (0.6, 'us')
    """
    data = _read("calibrated.yaml")
    found = {name: Constant(name, **entry) for name, entry in data["gpu"].items()}
    for kind, own in data["networks"].items():
        for name, entry in data["network"].items():
            full = f"{kind}.{name}"
            found[full] = Constant(full, **{**entry, "prior": own.get(name, entry["prior"])})
    return found


def prior_constants() -> Constants:
    """Give what to assume without measurements.

    Returns
    -------
    Constants
    """
    return Constants({name: c.prior for name, c in describe().items()}, "priors")


def shipped_constants() -> Constants:
    """Give the constants fitted to all shipped logs.

    Returns
    -------
    Constants
        Priors where no log tells.
    """
    return prior_constants().changed(_read("fitted.yaml")["values"], "fitted to all shipped logs")
