"""Which question `topo-sim gpu failures` is asked: about GPU types, a fabric, or a record."""

import os
from collections.abc import Mapping, Sequence

from topo_sim.base import UsageError, nearest
from topo_sim.gpus.catalogue import Gpu
from topo_sim.gpus.reliability import FailureRates
from topo_sim.topo.files import Topology

__all__ = ["gpu_of", "group_of", "is_fabric", "parse_parts"]


def is_fabric(names: Sequence[str], gpus: Mapping[str, Gpu]) -> bool:
    """Say whether names are one topology rather than GPU types.

    Parameters
    ----------
    names : sequence of str
    gpus : mapping from str to Gpu

    Returns
    -------
    bool

    Raises
    ------
    UsageError
        If they are a mixture, several topologies, or a name that is neither.

    Examples
    --------
    >>> from topo_sim.gpus.catalogue import load_gpus
    >>> is_fabric(["h100", "lite"], load_gpus()), is_fabric(["lite-torus"], load_gpus())
    (False, True)
    """
    from topo_sim.topo.files import list_shipped

    known = {name.lower() for name in gpus}
    other = [name for name in names if name.lower() not in known]
    if not other:
        return False
    shipped = [str(entry) for entry in list_shipped()]
    file = other[0].split("@", 1)[0]
    if not os.path.exists(file) and file not in shipped:
        near = nearest(file, [*gpus, *shipped])
        raise UsageError(f'found neither a GPU nor a topology named "{other[0]}": {near}')
    if len(names) > 1:
        raise UsageError(f"found {', '.join(names)}, expected names of GPUs, or one topology")
    return True


def gpu_of(topology: Topology, name: str | None, gpus: Mapping[str, Gpu]) -> Gpu:
    """Find the GPU that a topology's endpoints are, by name or as the file states it."""
    from topo_sim.gpus.catalogue import find_gpu

    wanted = name or topology.gpu
    if wanted is None:
        raise UsageError(f"{topology.name}: names no GPU, expected gpu: NAME in the file, or --gpu NAME")
    return find_gpu(wanted, gpus)


def group_of(topology: Topology, gpu: Gpu, group: int | None) -> int:
    """Return the group asked for, or else as many GPUs as the silicon of eight H100s, where that divides."""
    if group is not None:
        return group
    size = max(1, round(8 * 0.000814 / gpu.silicon)) if gpu.silicon else 8
    return size if topology.fabric.ranks % size == 0 else 1


def parse_parts(pairs: Sequence[str], rates: FailureRates) -> dict[str, int]:
    """Read ``NAME=GPUS`` pairs: parts of the catalogue that several GPUs need.

    Examples
    --------
    >>> from topo_sim.gpus.reliability import load_failure_rates
    >>> parse_parts(["host=8"], load_failure_rates())
    {'host': 8}
    """
    found = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not number.isdecimal() or int(number) < 1:
            raise UsageError(f'--part: found "{pair}", expected NAME=GPUS, for example host=8')
        rates.part(name)
        found[name] = int(number)
    return found
