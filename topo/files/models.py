"""What a topology file may say, as pydantic models.

The model of a generator is made from its signature, so a new generator is at once a new form of
``fabric``. Nothing is coerced: ``"8"``, ``8.0`` and ``true`` are no integers.
"""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from topo_sim.base import Quantity, Rate, Time
from topo_sim.base.files.faults import show, suggest
from topo_sim.topo.generators import GENERATORS
from topo_sim.topo.generators.grouped import FabricSpec
from topo_sim.topo.routing import ROUTINGS

__all__ = [
    "Document",
    "EndpointIs",
    "ExplicitFabric",
    "GeneratedFabric",
    "GraphFabric",
    "LinkSpec",
    "NodeSpec",
    "document_model",
    "owner",
]

LARGEST = 2**31 - 1
MAX_COUNT = 1_000_000

Integer = Annotated[int, Field(strict=True, ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Field(strict=True, ge=1, le=MAX_COUNT)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True)]


def _found(text: str, *at: str) -> PydanticCustomError:
    return PydanticCustomError("found", "{text}", {"text": text, "at": at})


def _printable(value: str) -> str:
    if not value.isprintable():
        raise _found(f"found {show(value)}, expected printable text on one line")
    return value


Name = Annotated[str, Field(strict=True, min_length=1, max_length=1000), AfterValidator(_printable)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _version(value: Any) -> Any:
    if type(value) is not int or value != 1:
        raise _found(f"found {show(value)}, expected 1")
    return value


def _routing(value: str) -> str:
    if value not in ROUTINGS:
        raise _found(f"found {show(value)}, expected the name of a routing: {suggest(value, ROUTINGS)}")
    return value


def _parameter(value: Any) -> Any:
    """Refuse what cannot be a value: mappings, and numbers that are not finite."""
    for inner in value if isinstance(value, list) else [value]:
        if isinstance(inner, list):
            _parameter(inner)
        elif show(inner) in ("nothing", "a mapping", "a number that is not finite"):
            raise _found(
                f"found {show(inner)}, expected text, a finite number, true, false or a list of them"
            )
    return value


_VALUES = ["string", "number", "boolean", "array"]
Value = Annotated[Any, AfterValidator(_parameter), WithJsonSchema({"type": _VALUES})]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


_FORWARD = "whether endpoints carry other endpoints' traffic; default: if any two are joined directly"


class NodeSpec(_Strict):
    """A node, or `count` of them."""

    name: Name = Field(description="the name of the node; with count, of the nodes name0, name1, ...")
    kind: Literal["gpu", "switch", "ocs"] = Field("gpu", description="gpu (an endpoint), switch or ocs")
    count: Count | None = Field(None, description="make this many nodes, numbered from 0")
    reduces: Literal["nvls", "sharp"] | None = Field(
        None, description="for a switch: how it can combine what endpoints send; default: not at all"
    )
    circuits: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] | None = Field(
        None, description="for an ocs: pairs [from, to] of the nodes that its light paths join"
    )


class LinkSpec(_Strict):
    """A cable between two nodes, or `count` of them, or one direction only."""

    source: Name = Field(description="the name of a node")
    target: Name = Field(description="the name of a node")
    bandwidth: Rate | None = Field(None, description="of one cable, per direction")
    latency: Time | None = Field(None, description="of one cable")
    medium: Name | None = Field(None, description="what the cable is made of")
    count: Count = Field(1, description="number of parallel cables")
    directed: bool = Field(False, description="whether it leads from source to target only")


class ExplicitFabric(_Strict):
    """A fabric given by its nodes and links."""

    nodes: list[NodeSpec] = Field(description="the list of nodes")
    links: list[LinkSpec] = Field(description="the list of links")
    bandwidth: Rate | None = Field(None, description="for links that state none (default 50 GB/s)")
    latency: Time | None = Field(None, description="for links that state none (default 500 ns)")
    medium: Name | None = Field(None, description="for links that state none")
    endpoints_forward: bool | None = Field(None, description=_FORWARD)


class GraphFabric(_Strict):
    """A fabric given by a GraphML or node-link JSON file."""

    graph: Name = Field(description="the path of a .graphml or .json file, relative to this file")
    bandwidth: Rate | None = Field(None, description="for edges that state none (default 50 GB/s)")
    latency: Time | None = Field(None, description="for edges that state none (default 500 ns)")
    endpoints_forward: bool | None = Field(None, description=_FORWARD)


class GeneratedFabric(_Strict):
    """A fabric made by a generator."""

    generator: str


class EndpointIs(_Strict):
    """What one endpoint of the fabric counts for."""

    h100_equivalents: Annotated[Number, Field(gt=0)] = Field(description="its compute, in H100s")


class Document(_Strict):
    """A topology file, with every ``$name`` replaced by its value."""

    topo_sim: Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": 1})] = Field(
        description="1, the version of the format"
    )
    name: Name | None = Field(None, description="for tables and plots; default: the file's name")
    description: Text | None = Field(None, description="what the fabric is")
    source: Text | None = Field(None, description="where its numbers come from")
    endpoint_is: EndpointIs | None = Field(None, description="what one endpoint counts for")
    gpu: Name | None = Field(None, description="the name of its endpoints' type in the catalogue of GPUs")
    routing: Annotated[Text, AfterValidator(_routing)] | None = Field(
        None, description="routing used where none is asked for; default: the generator's, or ecmp_split"
    )
    parameters: dict[ParameterName, Value] = Field(
        default_factory=dict, description="named values; $name inside fabric or optics refers to one"
    )
    optics: dict[str, Any] | None = Field(
        None, description="the light of it: floor plan, circuit switch, changes to the catalogue of media"
    )
    fabric: Any = Field(description="the network: a generator, nodes and links, or a graph")


def _branch(value: Any) -> str:
    return "<list>" if isinstance(value, (list, tuple)) else "<value>"


def _strict(annotation: Any) -> Any:
    """Turn a generator's annotation into one that pydantic checks without coercing."""
    if annotation == FabricSpec:
        return ForwardRef("Generated")
    if get_origin(annotation) in (Union, types.UnionType):
        arms = [_strict(arm) for arm in get_args(annotation) if arm is not type(None)]
        lists = [arm for arm in arms if get_origin(arm) is list]
        values = [arm for arm in arms if get_origin(arm) is not list]
        if lists and values:
            one: Any = Union[tuple(values)]
            either: Any = Union[Annotated[lists[0], Tag("<list>")], Annotated[one, Tag("<value>")]]
            strict: Any = Annotated[either, Discriminator(_branch)]
        else:
            strict = Union[tuple(arms)]
        return strict | None if type(None) in get_args(annotation) else strict
    if get_origin(annotation) in (Sequence, list):
        return list[_strict(get_args(annotation)[0])]  # type: ignore[misc]
    if get_origin(annotation) is Literal or any(isinstance(a, Quantity) for a in get_args(annotation)):
        return annotation
    return {int: Integer, float: Number, bool: bool, str: Text}[annotation]


def _descriptions(make: Callable[..., Any]) -> dict[str, str]:
    """Read what a numpydoc docstring says of every parameter."""
    found: dict[str, str] = {}
    names: list[str] = []
    section = (inspect.getdoc(make) or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    for line in section.splitlines():
        if line.startswith(" "):
            found |= {name: f"{found.get(name, '')} {line.strip()}".strip() for name in names}
        else:
            names = line.partition(" : ")[0].split(", ")
    return found


def _generated_model(name: str) -> type[GeneratedFabric]:
    """Make the model of one generator from its signature."""
    make = GENERATORS[name]
    about = _descriptions(make)
    fields: dict[str, Any] = {"generator": (Literal[name], Field(description="the name of the generator"))}
    for parameter in inspect.signature(make).parameters.values():
        default = ... if parameter.default is parameter.empty else parameter.default
        default = list(default) if isinstance(default, tuple) else default
        fields[parameter.name] = (
            _strict(parameter.annotation),
            Field(default, description=about.get(parameter.name, parameter.name)),
        )
    summary = (inspect.getdoc(make) or name).partition("\n")[0]
    return create_model(name, __base__=GeneratedFabric, __doc__=summary, **fields)


def _check_generator(value: Any) -> Any:
    """Refuse a mapping that names no generator."""
    if not isinstance(value, (Mapping, BaseModel)):
        raise _found(f"found {show(value)}, expected a mapping with generator: NAME")
    name = value.get("generator") if isinstance(value, Mapping) else value.generator  # type: ignore[attr-defined]
    if not isinstance(name, str) or name not in GENERATORS:
        found = "missing" if name is None else f"found {show(name)}"
        near = suggest(str(name) if name is not None else "", GENERATORS)
        raise _found(f"{found}, expected the name of a generator: {near}", "generator")
    return value


def _form(value: Any) -> str:
    """Which form of fabric a value has."""
    if isinstance(value, BaseModel):
        return f"<{value.generator}>" if isinstance(value, GeneratedFabric) else f"<{type(value).__name__}>"
    if "generator" in value:
        return f"<{value['generator']}>"
    return "<GraphFabric>" if "graph" in value else "<ExplicitFabric>"


def _check_form(value: Any) -> Any:
    """Refuse a fabric that has none of the three forms, or several."""
    forms = "exactly one of generator: NAME, nodes: with links:, or graph: FILE"
    if isinstance(value, BaseModel):
        return value
    if not isinstance(value, Mapping):
        raise _found(f"found {show(value)}, expected a mapping with {forms}")
    given = [key for key in ("generator", "graph") if key in value]
    given += (
        [" and ".join(k for k in ("nodes", "links") if k in value)] if {"nodes", "links"} & set(value) else []
    )
    if len(given) != 1:
        near = [suggest(key, ("generator", "nodes", "links", "graph")) for key in value]
        hints = [f"; {key}: {hint}" for key, hint in zip(value, near, strict=True) if hint.startswith("did")]
        hint = hints[0] if hints and not given else ""
        raise _found(f"found {' and '.join(given) or 'none'}, expected {forms}{hint}")
    return _check_generator(value) if given == ["generator"] else value


@lru_cache(maxsize=4)
def _models(generators: tuple[str, ...]) -> tuple[type[Document], Mapping[str, type[BaseModel]]]:
    made = {f"<{name}>": _generated_model(name) for name in generators}
    arms = [Annotated[model, Tag(tag)] for tag, model in made.items()]
    either: Any = Union[tuple(arms)]
    generated: Any = Annotated[either, Discriminator(_form), BeforeValidator(_check_generator)]
    for model in made.values():
        model.model_rebuild(_types_namespace={"Generated": generated})
    given: dict[str, type[BaseModel]] = {"<ExplicitFabric>": ExplicitFabric, "<GraphFabric>": GraphFabric}
    arms += [Annotated[model, Tag(tag)] for tag, model in given.items()]
    either = Union[tuple(arms)]
    fabric: Any = Annotated[either, Discriminator(_form), BeforeValidator(_check_form)]
    about = Document.model_fields["fabric"].description
    document = create_model(
        "Topology", __base__=Document, __doc__=Document.__doc__, fabric=(fabric, Field(description=about))
    )
    owners: dict[str, type[BaseModel]] = {"nodes": NodeSpec, "links": LinkSpec, "endpoint_is": EndpointIs}
    owners.update(made)
    owners.update(given)
    return document, owners


def document_model() -> type[Document]:
    """Return the model of a topology file, with a form for every generator there is now.

    Examples
    --------
    >>> fabric = {"generator": "torus", "dims": [4, 8, 8]}
    >>> document_model().model_validate({"topo_sim": 1, "fabric": fabric}).fabric.dims
    [4, 8, 8]
    """
    return _models(tuple(GENERATORS))[0]


def owner(location: Sequence[str | int]) -> tuple[type[BaseModel], tuple[str | int, ...]]:
    """Find the innermost model around a pydantic location, and the location without its tags.

    Parameters
    ----------
    location : sequence of str and int
        The ``loc`` of a pydantic error; its last part is a field.

    Returns
    -------
    model : type
    place : tuple of str and int

    Examples
    --------
    >>> owner(("fabric", "<torus>", "dims", "<list>", 0))[1]
    ('fabric', 'dims', 0)
    """
    document, owners = _models(tuple(GENERATORS))
    model: type[BaseModel] = document
    tags = {*owners, "<list>", "<value>"} - {"nodes", "links", "endpoint_is"}
    for part in location[:-1]:
        model = owners.get(part, model) if isinstance(part, str) else model
    last = len(location) - 1
    return model, tuple(
        p for i, p in enumerate(location) if p not in tags or (i == last and p in ("nodes", "links"))
    )
