"""The models that ship, those of the user's files, and models by name or file."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

from topo_sim.base import UnknownNameError
from topo_sim.base.files import read_catalogue, suggest
from topo_sim.inference.models.huggingface import read_config
from topo_sim.inference.models.language_model import LanguageModel

__all__ = ["find_model", "load_models"]


def load_models(files: Iterable[str | PathLike[str]] = ()) -> dict[str, LanguageModel]:
    """Read the catalogue of models, the user's files over it.

    Parameters
    ----------
    files : iterable of path
        YAML files with a section `models`.

    Returns
    -------
    dict from name to LanguageModel

    Raises
    ------
    FaultsError
        With every fault of the first file that has any.

    Examples
    --------
    >>> models = load_models()
    >>> models["llama3-70b"].parameters(), models["llama3-70b"].kv_bytes_per_token(2)
    (70553706496, 327680.0)
    """
    sections: Mapping[str, type[LanguageModel]] = {"models": LanguageModel}
    return read_catalogue(sections, "topo_sim.inference.models", "models.yaml", files)["models"]


def find_model(text: str, files: Iterable[str | PathLike[str]] = ()) -> LanguageModel:
    """Find a model by its name, or read it from the file that is named.

    Parameters
    ----------
    text : str
        A name of the catalogue; a ``config.json`` or the folder that holds one.
    files : iterable of path
        YAML files over the catalogue.

    Returns
    -------
    LanguageModel

    Raises
    ------
    UnknownNameError
        If it is neither.
    FaultsError
        If the file has faults.

    Examples
    --------
    >>> find_model("gpt3-175b").layers
    96
    >>> find_model("gpt3-170b")
    Traceback (most recent call last):
    topo_sim.base.errors.UnknownNameError: unknown model "gpt3-170b": did you mean "gpt3-175b"?
    """
    models = load_models(files)
    if text in models:
        return models[text]
    if Path(text).is_dir():
        return read_config(Path(text) / "config.json")
    if text.lower().endswith(".json"):
        return read_config(text)
    raise UnknownNameError(f'unknown model "{text}": {suggest(text, list(models))}')
