"""The JSON Schema of topology files, for editors: ``python -m topo_sim.topo.files.schema``."""

import json
import sys
from typing import Any

from topo_sim.topo.files.models import document_model

__all__ = ["json_schema"]

_REFERENCE = {"$ref": "#/$defs/reference"}


def _tidy(schema: Any) -> Any:
    """Drop the titles that pydantic makes up and the defaults that say nothing."""
    if isinstance(schema, list):
        return [_tidy(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    dull = {key for key in ("title", "default") if key in schema and not isinstance(schema[key], dict)}
    if schema.get("default") is not None:
        dull -= {"default"}
    return {key: _tidy(value) for key, value in schema.items() if key not in dull}


def _allow_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Let ``$name`` stand for a value of any type."""
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return {**schema, key: [*(_with_items(arm) for arm in schema[key]), _REFERENCE]}
    if "$ref" in schema or (schema.get("type") == "string" and "enum" not in schema):
        return schema
    about: dict[str, Any] = {key: schema[key] for key in ("description", "default") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in about}
    return {**about, "anyOf": [_with_items(rest), _REFERENCE]}


def _with_items(schema: dict[str, Any]) -> dict[str, Any]:
    items = schema.get("items")
    if isinstance(items, dict) and "$ref" not in items:
        return {**schema, "items": _allow_references(items)}
    return schema


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a topology file.

    Returns
    -------
    dict
        Made from the same models that check the files.

    Examples
    --------
    >>> sorted(json_schema()["$defs"]["torus"]["properties"])
    ['bandwidth', 'dims', 'endpoint_bandwidth', 'generator', 'latency', 'medium']
    """
    schema: dict[str, Any] = _tidy(document_model().model_json_schema())
    for name, model in schema["$defs"].items():
        if name != "EndpointIs":
            model["properties"] = {
                key: value if key == "generator" else _allow_references(value)
                for key, value in model["properties"].items()
            }
    schema["$defs"]["reference"] = {
        "type": "string",
        "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*$",
        "description": "$name: the value of a parameter",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "topo-sim topology file",
        **schema,
    }


def main() -> None:
    """Write the schema to standard output."""
    json.dump(json_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
