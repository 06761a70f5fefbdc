"""The small measured tables that ship: a layer, an all-reduce, a serving engine."""

import csv
from importlib import resources

import yaml

__all__ = ["read_table", "source_of"]


def _text(name: str) -> str:
    return (resources.files("topo_sim.inference.measured") / name).read_text(encoding="utf-8")


def read_table(name: str) -> list[dict[str, str]]:
    """Read a table that ships.

    Parameters
    ----------
    name : str
        "a100_gpt3_layer", "a100_all_reduce" or "trtllm_llama70b".

    Returns
    -------
    list of dict from str to str

    Examples
    --------
    >>> sum(float(row["measured_ms"]) for row in read_table("a100_gpt3_layer"))  # doctest: +ELLIPSIS
    66.7...
    """
    return list(csv.DictReader(_text(f"{name}.csv").splitlines()))


def source_of(name: str) -> str:
    """Say where a shipped file of measurements comes from; nothing for a user's file.

    Examples
    --------
    >>> source_of("a100_all_reduce")
    'LLMCompass, artifact: all-reduce over 4 A100 joined by NVLink3.'
    """
    found = yaml.safe_load(_text("sources.yaml")).get(name, "")
    return str(found)
