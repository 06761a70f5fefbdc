"""The collectives of a pass: which, among which GPUs, of how many bytes, how often."""

from dataclasses import dataclass

from topo_sim.inference.models import LanguageModel
from topo_sim.inference.network import Network
from topo_sim.inference.operators import Precision, Work
from topo_sim.inference.operators.operator import Array
from topo_sim.inference.operators.precision import value_bytes
from topo_sim.inference.parallelism import Layout, Strides

__all__ = ["Exchange", "pass_exchanges"]


@dataclass(frozen=True)
class Exchange:
    """One collective of a pass.

    Parameters
    ----------
    name : str
    collective : str
    group, stride : int
        Ranks of a group, and from one to the next.
    size : ndarray of float64, B
        As nccl-tests counts it.
    repeat : float
        How often in a pass, over all stages.
    """

    name: str
    collective: str
    group: int
    stride: int
    size: Array
    repeat: float

    def time(self, network: Network) -> Array:
        """Tell what all repeats take, one after another, s."""
        return self.repeat * network.curve(self.collective, self.group, self.stride).time(self.size)

    def floor(self, network: Network) -> Array:
        """Bound what all repeats take, without solving anything, s."""
        return self.repeat * network.pace(self.collective, self.group) * self.size

    def latency(self, network: Network) -> float:
        """Tell what all repeats would take without any bytes, s."""
        return self.repeat * float(network.curve(self.collective, self.group, self.stride).time(0.0))


def pass_exchanges(
    model: LanguageModel, layout: Layout, work: Work, precision: Precision, ranks: int
) -> list[Exchange]:
    """List the collectives of one pass through all layers.

    Parameters
    ----------
    model : LanguageModel
    layout : Layout
    work : Work
        Of one TP group, or of all `cp` groups that share its prompts.
    precision : Precision
        Values travel in the format of the outputs; keys and values in that of the cache.
    ranks : int
        Of the network.

    Returns
    -------
    list of Exchange

    Notes
    -----
    - Tensor parallelism: two all-reduces of tokens x hidden per layer, or as many pairs of reduce-scatter and
      all-gather with sequence parallelism.
    - Experts on more GPUs than share their matrices (EP > TP): every GPU sends its part of the tokens to
      their experts and gets them back, two all-to-alls of tokens/TP x experts per token x hidden; then the
      TP group gathers, or sums up where there are shared experts.
    - Key-value heads that are cut among c GPUs: keys and values gathered while prefilling, queries gathered
      and partial outputs summed while decoding.
    - Context parallelism: keys and values of all parts of the prompt gathered, once per layer.
    - Pipeline: activations to the next stage, every GPU to its counterpart.

    Left out: the sum behind a cut input table, and gathering of logits (one of 2L + 1 each).

    References
    ----------
    Shoeybi and others, Megatron-LM, 2019; Korthikanti and others, Reducing Activation Recomputation, 2022
    (sequence parallelism).

    Examples
    --------
    >>> from topo_sim.inference.models import find_model
    >>> from topo_sim.inference.operators import find_precision
    >>> found = pass_exchanges(
    ...     find_model("llama3-405b"), Layout(tp=32), Work("decode", 8, 1500), find_precision("fp8-all"), 32
    ... )
    >>> [(each.collective, each.group, float(each.size), each.repeat) for each in found][0]
    ('all_reduce', 32, 131072.0, 252.0)
    """
    strides, tp = layout.strides(ranks), layout.tp
    tokens = work.tokens / layout.cp
    wide = tokens * model.hidden * value_bytes(precision.outputs)
    found: list[Exchange] = []
    apart = model.expert_layers if layout.ep > tp else 0
    together = 2 * model.layers - apart
    if tp > 1:
        found += _tensor(wide, layout, strides, together, apart, bool(model.shared_experts))
    if apart:
        part = wide / tp * model.experts_per_token
        found.append(Exchange("experts", "all_to_all", layout.ep, strides.expert, part, 2.0 * apart))
    if layout.kv == "shard" and tp > model.kv_heads and not model.latent:
        found += _cut_heads(model, layout, work, precision, strides, tokens)
    if layout.cp > 1:
        held = max(model.kv_heads / tp, 1.0)
        whole = work.tokens * 2 * held * model.head_dim * value_bytes(precision.kv)
        found.append(
            Exchange("context", "all_gather", layout.cp, strides.context, whole, float(model.layers))
        )
    if layout.pp > 1:
        size = wide / tp if layout.sequence_parallel else wide
        found.append(Exchange("stages", "send_recv", 2, strides.pipeline, size, layout.pp - 1.0))
    return found


def _tensor(
    wide: Array, layout: Layout, strides: Strides, together: int, apart: int, shared: bool
) -> list[Exchange]:
    """List the sums of a TP group: `together` full ones, and those where the experts lie elsewhere."""
    tp, step = layout.tp, strides.tensor
    found: list[Exchange] = []
    if layout.sequence_parallel:
        scatter = together + (apart if shared else 0)
        found.append(Exchange("tensor", "reduce_scatter", tp, step, wide, float(scatter)))
        found.append(Exchange("tensor", "all_gather", tp, step, wide, float(together + apart)))
        return found
    sums = together + (apart if shared else 0)
    found.append(Exchange("tensor", "all_reduce", tp, step, wide, float(sums)))
    if apart and not shared:
        found.append(Exchange("tensor", "all_gather", tp, step, wide, float(apart)))
    return found


def _cut_heads(
    model: LanguageModel, layout: Layout, work: Work, precision: Precision, strides: Strides, tokens: Array
) -> list[Exchange]:
    """List what GPUs tell each other that share one key-value head."""
    copies, layers = layout.tp // model.kv_heads, float(model.layers)
    if copies < 2:
        return []
    if work.phase == "prefill":
        size = tokens * 2 * model.head_dim * value_bytes(precision.kv)
        return [Exchange("heads", "all_gather", copies, strides.tensor, size, layers)]
    values = tokens * (model.heads / model.kv_heads) * model.head_dim
    queries, partial = values * value_bytes(precision.outputs), values * value_bytes(precision.accumulation)
    return [
        Exchange("heads", "all_gather", copies, strides.tensor, queries, layers),
        Exchange("heads", "reduce_scatter", copies, strides.tensor, partial, layers),
    ]
