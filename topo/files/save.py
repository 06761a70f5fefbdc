"""Save topologies and fabrics as files that load to the same."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from topo_sim.base import FaultsError, TopoSimError, format_quantity, parse_quantity
from topo_sim.base.files.faults import Faults, plain
from topo_sim.base.files.reading import Resolver
from topo_sim.topo.fabric import KINDS, OCS, REDUCTIONS, Fabric
from topo_sim.topo.files.load import Topology
from topo_sim.topo.files.models import ExplicitFabric, GraphFabric
from topo_sim.topo.files.reference import SUFFIXES
from topo_sim.topo.files.wiring import wire_explicit
from topo_sim.topo.generators import GENERATORS

__all__ = ["save_fabric", "save_topology", "write_data"]

_STYLE: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 110}
_Link = tuple[str, str, Any, Any, Any, bool]


class _Dumper(yaml.SafeDumper):
    """Quotes whatever this program or a YAML 1.1 reader would not read as text; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values in full."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Escape what a YAML reader would fold into a space, such as the line breaks of Unicode."""
    style = None if text.replace("\n", "").isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
for _first, _rules in Resolver.yaml_implicit_resolvers.items():
    for _tag, _pattern in _rules:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])


def write_data(data: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write plain data as YAML or JSON to a file beside `path`, then put it in its place."""
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise FaultsError(
            [f"{target}: the file: found the suffix {target.suffix!r}, expected .yaml, .yml or .json"]
        )
    if target.suffix == ".json":
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = yaml.dump(data, Dumper=_Dumper, default_flow_style=None, **_STYLE)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        try:
            beside.write_text(text, encoding="utf-8", newline="\n")
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise FaultsError([f"{target}: the file: cannot be written: {error.strerror}"]) from None


def save_topology(topology: Topology, path: str | os.PathLike[str]) -> None:
    """Save a topology as it was written: parameters, ``$name`` and the text of quantities stay.

    Parameters
    ----------
    topology : Topology
        What `load_topology` returned; parameters that were asked for become the file's own.
    path : str or path
        A .yaml, .yml or .json file; replaced in one step.

    Raises
    ------
    FaultsError
        If the file cannot be written.

    Notes
    -----
    Comments are not kept. A relative path of a graph file or a catalogue is rewritten to start at the new
    place.

    Examples
    --------
    >>> import tempfile
    >>> from topo_sim.topo.files import load_topology
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_topology(load_topology("lite-torus", rate="225 GB/s"), f"{folder}/fast.json")
    ...     load_topology(f"{folder}/fast.json").parameters
    {'rate': '225 GB/s'}
    """
    data = plain(topology.written)
    here, there = topology.path.parent.resolve(), Path(path).parent.resolve()
    spec = topology.document.fabric
    for section, key, file in (
        ("fabric", "graph", spec.graph if isinstance(spec, GraphFabric) else None),
        ("optics", "catalogue", topology.optics.get("catalogue")),
    ):
        if isinstance(file, str) and not Path(file).is_absolute() and here != there:
            data[section][key] = Path(os.path.relpath(here / file, there)).as_posix()
    write_data(data, path)


def save_fabric(fabric: Fabric, path: str | os.PathLike[str]) -> None:
    """Save a fabric: a generated one as its generator and parameters, any other by nodes and links.

    Parameters
    ----------
    fabric : Fabric
        From a generator, a file or `Fabric.from_graph`.
    path : str or path
        A .yaml, .yml or .json file; replaced in one step.

    Raises
    ------
    FaultsError
        If the file cannot be written, or the fabric cannot be told by its nodes and links (two nodes of
        one name, or a graph that does not match the arrays).

    Examples
    --------
    >>> import tempfile
    >>> from topo_sim.topo import torus
    >>> from topo_sim.topo.files import load_fabric
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_fabric(torus((4, 4), bandwidth="400 Gb/s"), f"{folder}/torus.yaml")
    ...     load_fabric(f"{folder}/torus.yaml").parameters
    {'dims': [4, 4], 'bandwidth': '400 Gb/s'}
    """
    spec = _generated_spec(fabric)
    usual = "ecmp_split"
    if spec is not None:
        made = _make(spec)
        usual = made.routing if made else usual
        spec = spec if made is not None and _same(fabric, made, in_order=True) else None
    if spec is None:
        spec = _explicit_spec(fabric, str(path))
    routing = {} if fabric.routing == usual else {"routing": fabric.routing}
    write_data({"topo_sim": 1, "name": fabric.name, **routing, "fabric": spec}, path)


def _generated_spec(value: Fabric | Mapping[str, Any]) -> dict[str, Any] | None:
    """Write a generated fabric, or a mapping that makes one, as a mapping that a file can hold."""
    if isinstance(value, Fabric):
        if value.family not in GENERATORS:
            return None
        value = {"generator": value.family, **value.parameters}
    spec: dict[str, Any] = {}
    for key, argument in value.items():
        if isinstance(argument, (Fabric, Mapping)):
            inner = _generated_spec(argument)
            if inner is None:
                return None
            spec[key] = inner
        elif argument is not None:
            spec[key] = plain(argument)
    return spec


def _make(spec: dict[str, Any]) -> Fabric | None:
    try:
        return GENERATORS[spec["generator"]](
            **{key: value for key, value in spec.items() if key != "generator"}
        )
    except (TopoSimError, TypeError):
        return None


def _columns(fabric: Fabric) -> list[Any]:
    media = np.array(fabric.media, dtype=str)[fabric.medium] if fabric.links else np.zeros(0, dtype=str)
    return [fabric.link_source, fabric.link_target, fabric.capacity, fabric.latency, media]


def _same(fabric: Fabric, other: Fabric, *, in_order: bool) -> bool:
    """Whether two fabrics have the same nodes and the same links."""
    if fabric.links != other.links or fabric.endpoints_forward != other.endpoints_forward:
        return False
    if not np.array_equal(fabric.kind, other.kind) or not np.array_equal(fabric.endpoints, other.endpoints):
        return False
    if any(not np.array_equal(fabric.reducing(r), other.reducing(r)) for r in REDUCTIONS[1:]):
        return False
    ours, theirs = _columns(fabric), _columns(other)
    if not in_order:
        ours, theirs = ([column[np.lexsort(all_[::-1])] for column in all_] for all_ in (ours, theirs))
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def _quantity(value: Any, kind: str) -> Any:
    """Write a quantity for people, if that loses nothing."""
    if isinstance(value, str):
        return value
    text = format_quantity(float(value), kind)
    try:
        return text if parse_quantity(text, kind) == value else float(value)
    except TopoSimError:
        return float(value)


def _links_of_arrays(fabric: Fabric) -> list[_Link]:
    """Links as cables where each is followed by its reverse, else one by one."""
    columns = _columns(fabric)
    source, target, *rest = columns
    mirrored = fabric.links % 2 == 0 and all(
        np.array_equal(a[::2], b[1::2])
        for a, b in [(source, target), (target, source), *((c, c) for c in rest)]
    )
    step = 2 if mirrored else 1
    rows = zip(*(column[::step].tolist() for column in columns), strict=True)
    names = fabric.names
    return [
        (names[u], names[v], bandwidth, latency, medium, not mirrored)
        for u, v, bandwidth, latency, medium in rows
    ]


def _links_of_graph(graph: Any) -> list[_Link]:
    keys = ("bandwidth", "latency", "medium")
    return [
        (str(u), str(v), *(plain(data.get(key)) for key in keys), graph.is_directed())
        for u, v, data in graph.edges(data=True)
    ]


def _link_specs(links: Iterable[_Link]) -> list[dict[str, Any]]:
    specs = []
    for (source, target, bandwidth, latency, medium, directed), count in Counter(links).items():
        spec: dict[str, Any] = {"source": source, "target": target}
        if bandwidth is not None:
            spec["bandwidth"] = _quantity(bandwidth, "rate")
        if latency is not None:
            spec["latency"] = _quantity(latency, "time")
        if medium not in (None, "unspecified"):
            spec["medium"] = medium
        specs.append(
            spec | ({"count": count} if count > 1 else {}) | ({"directed": True} if directed else {})
        )
    return specs


def _explicit_spec(fabric: Fabric, file: str) -> dict[str, Any]:
    """Write a fabric by its nodes and links, and check that they make the same fabric."""
    nodes: list[dict[str, Any]] = [{"name": name} for name in fabric.names]
    for node, kind in zip(nodes, fabric.kind.tolist(), strict=True):
        node |= {"kind": KINDS[kind]} if kind else {}
    if fabric.reduces is not None:
        for node, index in zip(nodes, fabric.reduces.tolist(), strict=True):
            node |= {"reduces": REDUCTIONS[index]} if index else {}
    optical = bool(np.any(fabric.kind == OCS))
    if optical:
        for node, data in zip(nodes, fabric.graph.nodes.values(), strict=True):
            if "circuits" in data:
                node["circuits"] = [[str(a), str(b)] for a, b in data["circuits"]]
    links = _link_specs(_links_of_graph(fabric.graph) if optical else _links_of_arrays(fabric))
    spec = {"endpoints_forward": fabric.endpoints_forward, "nodes": nodes, "links": links}
    try:
        made = wire_explicit(ExplicitFabric.model_validate(spec), fabric.name, fabric.routing, Faults(file))
    except ValidationError as error:
        places = [
            f"{file}: {Faults.path(('fabric', *each['loc']))}: {each['msg']}" for each in error.errors()
        ]
        raise FaultsError(places) from None
    if not _same(fabric, made, in_order=False):
        raise FaultsError(
            [f"{file}: fabric: the graph of {fabric.name} does not match its links, expected it to"]
        )
    return spec
