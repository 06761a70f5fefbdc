"""How a model is cut over GPUs, and what of it one GPU holds."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from topo_sim.base import UsageError
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.operators.operator import Array

__all__ = ["Shard"]

_MOST = 12  # divisors that a message lists


@dataclass(frozen=True)
class Shard:
    """The part of a model that one GPU computes, for one or many ways to cut it.

    Parameters
    ----------
    model : LanguageModel
    tp : array_like of int
        GPUs that share every matrix (tensor parallelism).
    ep : array_like of int
        GPUs that the routed experts are dealt to. Up to `tp`, each group of tp/ep GPUs shares the matrices
        of its experts; beyond, ep/tp groups with batches of their own share one set of experts.
    kv : {"replicate", "shard"}
        Where TP exceeds the key-value heads: each GPU holds a whole head, or a head's cache is cut along
        its positions.
    sequence_parallel : bool
        Whether norms and additions are spread over the GPUs by tokens; otherwise every GPU does all.

    Raises
    ------
    UsageError
        If TP does not divide the heads, EP not the experts, or neither of TP and EP the other.

    Examples
    --------
    >>> from topo_sim.inference.models import find_model
    >>> shard = Shard(find_model("llama3-70b"), [1, 8, 32])
    >>> shard.heads.tolist(), shard.kv_heads.tolist()
    ([64.0, 8.0, 2.0], [8.0, 1.0, 1.0])
    """

    model: LanguageModel
    tp: ArrayLike = 1
    ep: ArrayLike = 1
    kv: Literal["replicate", "shard"] = "replicate"
    sequence_parallel: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "tp", self._counts(self.tp, "TP"))
        object.__setattr__(self, "ep", self._counts(self.ep, "EP"))
        if self.kv not in ("replicate", "shard"):
            raise UsageError(f'found kv "{self.kv}", expected replicate or shard')
        self._divides(self._tp, self.model.heads, "TP", "heads")
        if self.model.experts:
            self._divides(self._ep, self.model.experts, "EP", "experts")
        elif np.any(self._ep > 1):
            raise UsageError(
                f"{self.model.name}: found EP {self._ep.max():g}, expected 1: there are no experts"
            )
        wrong = (self._tp % self._ep != 0) & (self._ep % self._tp != 0)
        if np.any(wrong):
            raise UsageError(f"{self.model.name}: found TP and EP of which neither divides the other")

    @staticmethod
    def _counts(value: ArrayLike, what: str) -> Array:
        try:
            found = np.array(value, dtype=np.float64)
        except (TypeError, ValueError):
            raise UsageError(f"found {what} {value!r}, expected whole numbers from 1 on") from None
        bad = ~(np.isfinite(found) & (found >= 1) & (found == np.floor(found)))
        if found.size == 0 or bad.any():
            raise UsageError(f"found {what} {value!r}, expected whole numbers from 1 on")
        return found

    def _divides(self, parts: Array, whole: int, what: str, of: str) -> None:
        wrong = whole % parts != 0
        if np.any(wrong):
            small = [each for each in range(1, math.isqrt(whole) + 1) if whole % each == 0]
            fit = sorted({*small, *(whole // each for each in small)})
            near = fit if len(fit) <= _MOST else [*fit[:_MOST], "..."]
            raise UsageError(
                f"{self.model.name}: found {what} {parts[wrong].flat[0]:g}, expected a divisor of {whole} "
                f"{of}: {', '.join(map(str, near))}"
            )

    @property
    def _tp(self) -> Array:
        return np.asarray(self.tp, dtype=np.float64)

    @property
    def _ep(self) -> Array:
        return np.asarray(self.ep, dtype=np.float64)

    @property
    def heads(self) -> Array:
        """Query heads of one GPU."""
        return self.model.heads / self._tp

    @property
    def kv_heads(self) -> Array:
        """Key-value heads that one GPU holds; less than one where a head's cache is cut."""
        share = self.model.kv_heads / self._tp
        return np.maximum(share, 1.0) if self.kv == "replicate" else share

    @property
    def cache_share(self) -> Array:
        """Share of the positions of its key-value heads that one GPU holds."""
        if self.kv == "replicate" or self.model.latent:
            return np.ones_like(self._tp)
        return np.minimum(self.model.kv_heads / self._tp, 1.0)

    def own_tokens(self, tokens: Array) -> Array:
        """Tokens whose norms one GPU computes."""
        found: Array = np.ceil(tokens / self._tp) if self.sequence_parallel else tokens + 0 * self._tp
        return found

    @property
    def ff(self) -> Array:
        """Inner width of the MLP on one GPU."""
        return np.ceil(self.model.ff / self._tp)

    @property
    def shared_ff(self) -> Array:
        """Inner width of all shared experts on one GPU."""
        return np.ceil(self.model.shared_experts * self.model.expert_ff / self._tp)

    @property
    def expert_ff(self) -> Array:
        """Inner width of one routed expert on one GPU."""
        return np.ceil(self.model.expert_ff / np.maximum(self._tp / self._ep, 1.0))

    @property
    def vocabulary(self) -> Array:
        """Tokens whose logits one GPU computes."""
        return np.ceil(self.model.vocabulary / self._tp)

    def expert_load(self, tokens: Array) -> tuple[Array, Array]:
        """Spread tokens over experts.

        Parameters
        ----------
        tokens : ndarray of float64
            Of one group of TP GPUs.

        Returns
        -------
        met, rows : ndarray of float64
            Experts on one GPU that any token meets, on average, and rows of each of them.

        Notes
        -----
        Every token picks its experts evenly and on its own: an expert is met by none of T tokens with
        probability (1 - k/E)^T. Real routers are less even, so the busiest GPU has more to do.
        """
        model, ep = self.model, self._ep
        groups = np.maximum(ep / self._tp, 1.0)
        all_tokens = tokens * groups
        local = model.experts / ep
        share = model.experts_per_token / model.experts
        met = local * (1 - (1 - share) ** all_tokens)
        return met, all_tokens * model.experts_per_token / ep / met

    def weight_bytes(self, weight: float, table: float) -> Array:
        """Tell what the weights take on one GPU.

        Parameters
        ----------
        weight, table : float, B
            Of one weight, and of one entry of input table and output head.

        Returns
        -------
        ndarray of float64, B
            Key-value projections that are held more than once count so.
        """
        model, tp, ep = self.model, self._tp, self._ep
        routed = model.expert_layers * model.experts * model.expert_weights()
        rest = (model.weights() - routed) / tp
        if not model.latent:
            extra = 2 * model.hidden * model.head_dim * (self.kv_heads - model.kv_heads / tp)
            rest = rest + model.layers * extra
        found: Array = weight * (rest + routed / np.maximum(tp, ep)) + table * model.embeddings() / tp
        return found

    def cache_bytes_per_token(self, value: float) -> Array:
        """Tell what one token leaves in the cache of one GPU.

        Parameters
        ----------
        value : float, B
            Of one value.

        Returns
        -------
        ndarray of float64, B
            The latent vector of latent attention lies on every GPU whole.
        """
        if self.model.latent:
            return np.full_like(self._tp, self.model.kv_bytes_per_token(value))
        return 2 * self.model.layers * self.kv_heads * self.model.head_dim * value
