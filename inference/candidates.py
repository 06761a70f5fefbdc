"""The layouts that are worth a try: every way to spread a model that its sizes allow."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Literal

from topo_sim.inference.models import LanguageModel
from topo_sim.inference.operators.layers import Phase
from topo_sim.inference.parallelism import Layout

__all__ = ["divisors", "layouts"]

_STAGES = (1, 2, 3, 4, 6, 8, 12, 16)
_CONTEXT_PARTS = (1, 2, 4, 8)


def divisors(number: int, most: int) -> list[int]:
    """List the divisors of a number up to a limit.

    Parameters
    ----------
    number, most : int

    Returns
    -------
    list of int

    Examples
    --------
    >>> divisors(96, 16)
    [1, 2, 3, 4, 6, 8, 12, 16]
    """
    return [each for each in range(1, min(number, most) + 1) if number % each == 0]


def layouts(
    model: LanguageModel,
    phase: Phase,
    most: int,
    *,
    tp: Sequence[int] = (),
    pp: Sequence[int] = (),
    ep: Sequence[int] = (),
    cp: Sequence[int] = (),
    placements: Sequence[str] = ("packed",),
) -> Iterator[Layout]:
    """List layouts of a model.

    Parameters
    ----------
    model : LanguageModel
    phase : {"prefill", "decode"}
    most : int
        GPUs of one instance, at most.
    tp, pp, ep, cp : sequence of int
        Only these. Default: TP and EP all divisors of heads and experts, PP and CP some up to 16 and 8.
    placements : sequence of str

    Yields
    ------
    Layout

    Examples
    --------
    >>> from topo_sim.inference.models import find_model
    >>> [each.label for each in layouts(find_model("llama3-8b"), "decode", 2, pp=[1])]
    ['TP 1', 'TP 2', 'TP 2, SP']
    """
    tensor = tp or divisors(model.heads, most)
    stages = pp or [each for each in _STAGES if each <= model.layers]
    experts = ep or (divisors(model.experts, most) if model.experts else [1])
    parts = cp or (_CONTEXT_PARTS if phase == "prefill" and not model.latent else (1,))
    for t, e, c, p in product(tensor, experts, parts, stages):
        if max(t, e) * c * p > most or (t % e and e % t):
            continue
        cut = t > model.kv_heads and not model.latent and t % model.kv_heads == 0
        heads: tuple[Literal["replicate", "shard"], ...] = ("replicate", "shard") if cut else ("replicate",)
        for kv, spread, place in product(heads, (False, True) if t > 1 else (False,), placements):
            found = Layout(t, p, e, c, kv, spread, "strided" if place == "strided" else "packed")
            if place == "packed" or max(t, e) > 1 or c > 1:  # stages alone are neighbours either way
                yield found
