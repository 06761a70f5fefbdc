"""The exception tree: one root, few leaves, each also a builtin."""

from collections.abc import Iterable

__all__ = [
    "CollectiveError",
    "DemandError",
    "FaultsError",
    "FlowError",
    "RoutingError",
    "TopoSimError",
    "TopologyError",
    "UnitError",
    "UnknownNameError",
    "UsageError",
]


class TopoSimError(Exception):
    """Root of every error that topo-sim raises on purpose.

    Catch it to catch them all; the command line prints its text and exits with 2.
    """


class TopologyError(TopoSimError, ValueError):
    """A fabric cannot be built as described."""


class RoutingError(TopoSimError, ValueError):
    """No route as asked for: unreachable endpoints, or a routing that does not fit the fabric."""


class FlowError(TopoSimError, ValueError):
    """Arrays handed to a flow solver do not describe a flow problem."""


class DemandError(TopoSimError, ValueError):
    """A traffic matrix that cannot be read, or that does not fit the fabric."""


class CollectiveError(TopoSimError, ValueError):
    """A collective, algorithm or schedule that does not exist or does not do what it claims."""


class UnitError(TopoSimError, ValueError):
    """A quantity that cannot be read, or that is of the wrong kind."""


class UsageError(TopoSimError, ValueError):
    """An option or argument that cannot be used as given."""


class UnknownNameError(TopoSimError, KeyError):
    """A name that no registry entry has."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class FaultsError(TopologyError):
    """Every fault found in a file, one line each.

    Parameters
    ----------
    faults : iterable of str
        One line per fault: file, place, what was found, what was expected.

    Examples
    --------
    >>> print(FaultsError(["a.yaml: links[0]: no target", "a.yaml: name: missing"]))
    a.yaml: links[0]: no target
    a.yaml: name: missing
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))
