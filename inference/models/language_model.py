"""The shape of a language model: what its weights and its KV cache take."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from topo_sim.base import UsageError
from topo_sim.base.files import Record

__all__ = ["LanguageModel"]

Count = Annotated[int, Field(strict=True, ge=1, le=10**9)]
CountOrNone = Annotated[int, Field(strict=True, ge=0, le=10**9)]
Flag = Annotated[bool, Field(strict=True)]


class LanguageModel(Record):
    """A decoder-only transformer: sizes of its layers, its attention, its experts and its vocabulary.

    Multi-head, grouped-query and multi-query attention differ in `kv_heads` alone; latent attention
    has a `kv_rank`; a mixture of experts has `experts`.

    Parameters
    ----------
    name, about, source : str
        As every record.
    layers, hidden : int
        Number of layers; width of the activations between them.
    heads, kv_heads, head_dim : int
        Query heads, heads of keys and values (0: as many as heads), and the width of one (0: hidden /
        heads). With latent attention `head_dim` is the width without the rotary part.
    ff : int
        Inner width of the MLP of dense layers.
    vocabulary : int
        Number of tokens.
    mlp_matrices : {2, 3}
        2: up and down; 3: gate, up and down.
    experts, experts_per_token, shared_experts, first_dense_layers, expert_ff : int
        Routed experts of a layer (0: the model is dense), how many a token visits, experts that every
        token visits, layers at the start without experts, and inner width of an expert (0: ff).
    q_rank, kv_rank, rope_dim, value_dim : int
        Latent attention: width of the compressed query (0: not compressed) and of the compressed keys
        and values (0: no latent attention), of the rotary part, and of one head's value.
    tied_embeddings : bool
        Whether the input table serves as output head too.
    positions : int
        Rows of a learned table of positions.
    biases : {"none", "qkv", "attention", "all"}
        Which products add a bias: queries, keys and values; those and the output; the MLP's too.
    norm : {"rms", "layer"}
        A layer norm has a bias beside its scale.
    head_norms : bool
        Whether queries and keys are normed per head.

    Raises
    ------
    pydantic.ValidationError
        Where a field is missing or unknown, or the sizes contradict each other; files raise
        `FaultsError` in its place.

    Examples
    --------
    >>> tiny = LanguageModel(name="tiny", layers=2, hidden=8, heads=4, kv_heads=2, ff=32, vocabulary=10)
    >>> tiny.attention_weights()  # queries and output 8 x 8 each, keys and values 8 x 4 each
    192
    >>> tiny.weights(), tiny.embeddings(), tiny.kv_bytes_per_token(1.0)
    (1920, 160, 16.0)
    """

    layers: Count
    hidden: Count
    heads: Count
    kv_heads: CountOrNone = 0
    head_dim: CountOrNone = 0
    ff: Count
    vocabulary: Count
    mlp_matrices: Literal[2, 3] = 3
    experts: CountOrNone = 0
    experts_per_token: CountOrNone = 0
    shared_experts: CountOrNone = 0
    first_dense_layers: CountOrNone = 0
    expert_ff: CountOrNone = 0
    q_rank: CountOrNone = 0
    kv_rank: CountOrNone = 0
    rope_dim: CountOrNone = 0
    value_dim: CountOrNone = 0
    tied_embeddings: Flag = False
    positions: CountOrNone = 0
    biases: Literal["none", "qkv", "attention", "all"] = "none"
    norm: Literal["rms", "layer"] = "rms"
    head_norms: Flag = False

    @model_validator(mode="after")
    def _fill_and_check(self) -> "LanguageModel":
        """Fill in what follows from other fields, and refuse sizes that contradict each other."""
        put = object.__setattr__
        if not self.kv_heads:
            put(self, "kv_heads", self.heads)
        if self.heads % self.kv_heads:
            raise ValueError(f"found kv_heads {self.kv_heads}, expected a divisor of heads {self.heads}")
        if not self.head_dim:
            if self.hidden % self.heads:
                raise ValueError(
                    f"found hidden {self.hidden} and heads {self.heads}, expected hidden to be a multiple of "
                    f"heads, or head_dim given"
                )
            put(self, "head_dim", self.hidden // self.heads)
        self._check_experts()
        if self.kv_rank:
            put(self, "value_dim", self.value_dim or self.head_dim)
        elif self.q_rank or self.rope_dim or self.value_dim:
            raise ValueError("found q_rank, rope_dim or value_dim alone, expected kv_rank with them")
        return self

    def _check_experts(self) -> None:
        if not self.experts:
            given = ("experts_per_token", "shared_experts", "first_dense_layers", "expert_ff")
            wrong = [name for name in given if getattr(self, name)]
            if wrong:
                raise ValueError(f"found {wrong[0]} without experts, expected experts of at least 1")
            return
        if not 1 <= self.experts_per_token <= self.experts:
            raise ValueError(
                f"found experts_per_token {self.experts_per_token}, expected 1 to experts = {self.experts}"
            )
        if self.first_dense_layers >= self.layers:
            raise ValueError(
                f"found first_dense_layers {self.first_dense_layers}, expected fewer than "
                f"layers {self.layers}"
            )
        if not self.expert_ff:
            object.__setattr__(self, "expert_ff", self.ff)

    @property
    def latent(self) -> bool:
        """Whether attention is multi-head latent attention."""
        return self.kv_rank > 0

    @property
    def expert_layers(self) -> int:
        """Number of layers with experts."""
        return self.layers - self.first_dense_layers if self.experts else 0

    def attention_weights(self) -> int:
        """Count the weights of the attention of one layer.

        Returns
        -------
        int
            Entries of its matrices: queries, keys, values (or their compressions) and output.
        """
        d, h = self.hidden, self.heads
        if not self.latent:
            return 2 * d * (h + self.kv_heads) * self.head_dim
        query = h * (self.head_dim + self.rope_dim)
        queries = self.q_rank * (d + query) if self.q_rank else d * query
        keys = d * (self.kv_rank + self.rope_dim) + self.kv_rank * h * (self.head_dim + self.value_dim)
        return queries + keys + h * self.value_dim * d

    def expert_weights(self) -> int:
        """Count the weights of one expert: 0 for a dense model."""
        return self.mlp_matrices * self.hidden * self.expert_ff

    def mlp_weights(self, expert_layer: bool = False, routed: int | None = None) -> int:
        """Count the weights of the MLP of one layer.

        Parameters
        ----------
        expert_layer : bool
            Of a layer with experts: its router, its shared experts and its routed ones.
        routed : int, optional
            How many of the routed experts to count. Default: all.

        Returns
        -------
        int
        """
        if not expert_layer:
            return self.mlp_matrices * self.hidden * self.ff
        count = self.shared_experts + (self.experts if routed is None else routed)
        return self.hidden * self.experts + count * self.expert_weights()

    def _matrices(self, routed: int | None) -> int:
        dense, sparse = self.layers - self.expert_layers, self.expert_layers
        total = self.layers * self.attention_weights() + dense * self.mlp_weights()
        return total + (sparse * self.mlp_weights(True, routed) if sparse else 0)

    def weights(self) -> int:
        """Count the weights of the matrices of all layers, without embeddings, norms and biases.

        Returns
        -------
        int
        """
        return self._matrices(None)

    def active_weights(self) -> int:
        """Count those of `weights` that one token meets: all of a dense model.

        Returns
        -------
        int
        """
        return self._matrices(self.experts_per_token)

    def embeddings(self) -> int:
        """Count the entries of the input table and of the output head.

        Returns
        -------
        int
            Both in full, also where they are tied: devices that hold the first and the last layer
            each hold the table.
        """
        return 2 * self.vocabulary * self.hidden

    def _small(self) -> int:
        """Count norms, biases and learned positions."""
        scale = 2 if self.norm == "layer" else 1
        norms = 2 * self.hidden + (2 * self.head_dim if self.head_norms else 0)
        if self.latent:
            norms += self.q_rank + self.kv_rank
        queries = self.heads * self.head_dim
        bias = queries + 2 * self.kv_heads * self.head_dim if self.biases != "none" else 0
        total = self.layers * (scale * norms + bias) + scale * self.hidden + self.positions * self.hidden
        if self.biases in ("attention", "all"):
            total += self.layers * self.hidden
        if self.biases == "all":
            dense = self.layers - self.expert_layers
            inner = self.ff * (self.mlp_matrices - 1)
            total += dense * (inner + self.hidden)
        return total

    def parameters(self) -> int:
        """Count all parameters, a tied table once.

        Returns
        -------
        int
            What is published as the size of a model.
        """
        tables = (1 if self.tied_embeddings else 2) * self.vocabulary * self.hidden
        return self.weights() + tables + self._small()

    def active_parameters(self) -> int:
        """Count the parameters that one token meets: all but the experts that it does not visit.

        Returns
        -------
        int
        """
        return self.parameters() - self.weights() + self.active_weights()

    def kv_values_per_token(self) -> int:
        """Count the values that one token leaves in the cache, over all layers.

        Returns
        -------
        int
            Keys and values of every key-value head, or the latent vector and its rotary part.
        """
        per_layer = self.kv_rank + self.rope_dim if self.latent else 2 * self.kv_heads * self.head_dim
        return self.layers * per_layer

    def kv_bytes_per_token(self, bytes_per_value: float = 2.0) -> float:
        """Tell the size of what one token leaves in the cache, over all layers.

        Parameters
        ----------
        bytes_per_value : float, B

        Returns
        -------
        float, B

        Raises
        ------
        UsageError
            If the bytes per value are not above 0.
        """
        if not 0 < bytes_per_value < float("inf"):
            raise UsageError(f"found {bytes_per_value} bytes per value, expected a number above 0")
        return self.kv_values_per_token() * float(bytes_per_value)

    def to_dict(self) -> dict[str, Any]:
        """Return sizes and counts as plain data, units in the keys.

        Returns
        -------
        dict
            Flat; the cache for values of 2 B.
        """
        return {
            **self.model_dump(),
            "weights": self.weights(),
            "embeddings": self.embeddings(),
            "parameters": self.parameters(),
            "active_parameters": self.active_parameters(),
            "kv_bytes_per_token": self.kv_bytes_per_token(2.0),
        }
