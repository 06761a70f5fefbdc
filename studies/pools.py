"""How many GPUs prefill and how many decode, and what the cache between them asks of the network."""

from dataclasses import dataclass
from typing import Any

from topo_sim.base import UsageError
from topo_sim.inference.deployment import Deployment
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.operators import Precision
from topo_sim.inference.operators.precision import value_bytes

__all__ = ["Pools", "split_pools"]


@dataclass(frozen=True)
class Pools:
    """Two pools of GPUs that keep up with each other.

    Parameters
    ----------
    gpus : int
        Of both.
    prompt, answer : int
        Tokens of each request.
    prefill_share : float
        Of the GPUs, that prefill.
    requests : float, 1/s
        Of both pools.
    cache : float, B
        Moved from one pool to the other for each request.
    port_share : float
        Of the port of a GPU that prefills, that sending caches takes.
    """

    gpus: int
    prompt: int
    answer: int
    prefill_share: float
    requests: float
    cache: float
    port_share: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, units in the keys."""
        return {
            "gpus": self.gpus,
            "prompt_tokens": self.prompt,
            "answer_tokens": self.answer,
            "prefill_share": self.prefill_share,
            "requests_per_s": self.requests,
            "cache_B_per_request": self.cache,
            "prefill_port_share": self.port_share,
        }


def split_pools(
    model: LanguageModel,
    prefill: Deployment,
    decode: Deployment,
    gpus: int,
    prompt: int,
    answer: int,
    precision: Precision,
) -> Pools:
    """Divide GPUs among prefill and decode so that neither waits for the other.

    Parameters
    ----------
    model : LanguageModel
    prefill, decode : Deployment
    gpus : int
    prompt, answer : int
        Tokens of each request.
    precision : Precision
        Of the cache.

    Returns
    -------
    Pools

    Raises
    ------
    UsageError
        If an answer has no token.

    Notes
    -----
    Steady state, in parts of GPUs: whole instances and waiting are for a serving run.
    """
    if answer < 1:
        raise UsageError(f"found answers of {answer} tokens, expected at least 1")
    first, then = prefill.per_gpu / prompt, decode.per_gpu / answer
    share = then / (first + then)
    cache = prompt * model.kv_bytes_per_token(value_bytes(precision.kv))
    port = first * cache / prefill.gpu.network_bandwidth.typical
    return Pools(gpus, prompt, answer, share, share * gpus * first, cache, port)
