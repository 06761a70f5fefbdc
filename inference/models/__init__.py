"""Shapes of language models: dense, grouped-query, mixtures of experts, latent attention."""

from topo_sim.inference.models.catalogue import find_model, load_models
from topo_sim.inference.models.huggingface import read_config
from topo_sim.inference.models.language_model import LanguageModel

__all__ = ["LanguageModel", "find_model", "load_models", "read_config"]
