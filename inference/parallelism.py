"""How one instance of a model is spread over GPUs, and where its groups lie in the network."""

from dataclasses import dataclass
from typing import Literal

from topo_sim.base import UsageError
from topo_sim.inference.models import LanguageModel
from topo_sim.inference.operators import Shard

__all__ = ["PLACEMENTS", "Layout", "Strides"]

PLACEMENTS = ("packed", "strided")


@dataclass(frozen=True)
class Strides:
    """From one rank of a group to the next, for the groups of each kind.

    Parameters
    ----------
    tensor, expert, context, pipeline : int
    """

    tensor: int
    expert: int
    context: int
    pipeline: int


@dataclass(frozen=True)
class Layout:
    """Parallelism of one instance. Data parallelism is instances beside each other.

    Parameters
    ----------
    tp : int
        GPUs that share every matrix and every head (tensor parallelism).
    pp : int
        Stages that layers are dealt to (pipeline parallelism).
    ep : int
        GPUs that experts are dealt to. Beyond `tp`, ep/tp groups with batches of their own share them.
    cp : int
        Groups that share the tokens of each prompt (context parallelism); prefill only.
    kv : {"replicate", "shard"}
        Where TP exceeds the key-value heads: hold them several times, or cut their cache by positions.
    sequence_parallel : bool
        Norms spread over a TP group by tokens: reduce-scatter and all-gather in the place of all-reduce.
    placement : {"packed", "strided"}
        Packed: TP groups are consecutive ranks, then come EP, CP and PP. Strided: the other way round, so
        that stages are neighbours and TP groups reach over the whole network.

    Raises
    ------
    UsageError
        If a number is no whole number from 1 on, a name is unknown, or TP and EP do not divide.

    Examples
    --------
    >>> layout = Layout(tp=8, pp=2)
    >>> layout.gpus, layout.label, layout.strides(64)
    (16, 'TP 8, PP 2', Strides(tensor=1, expert=1, context=8, pipeline=8))
    >>> Layout(tp=8, pp=2, placement="strided").strides(64).tensor
    8
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    cp: int = 1
    kv: Literal["replicate", "shard"] = "replicate"
    sequence_parallel: bool = False
    placement: Literal["packed", "strided"] = "packed"

    def __post_init__(self) -> None:
        for name in ("tp", "pp", "ep", "cp"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise UsageError(f"found {name.upper()} {value!r}, expected a whole number from 1 on")
        if self.tp % self.ep and self.ep % self.tp:
            raise UsageError(f"found TP {self.tp} and EP {self.ep}, expected one to divide the other")
        if self.kv not in ("replicate", "shard"):
            raise UsageError(f'found kv "{self.kv}", expected replicate or shard')
        if self.placement not in PLACEMENTS:
            raise UsageError(f'found placement "{self.placement}", expected {" or ".join(PLACEMENTS)}')

    @property
    def width(self) -> int:
        """GPUs of one stage that share one set of experts."""
        return max(self.tp, self.ep)

    @property
    def gpus(self) -> int:
        """GPUs of one instance."""
        return self.width * self.cp * self.pp

    @property
    def batches(self) -> int:
        """TP groups of a stage that have batches of their own."""
        return self.width // self.tp

    @property
    def label(self) -> str:
        """Short text, for example 'TP 8, PP 2'."""
        parts = [f"TP {self.tp}"]
        parts += [f"{n.upper()} {getattr(self, n)}" for n in ("pp", "ep", "cp") if getattr(self, n) > 1]
        parts += ["KV cut"] if self.kv == "shard" else []
        parts += ["SP"] if self.sequence_parallel else []
        parts += [self.placement] if self.placement != "packed" else []
        return ", ".join(parts)

    def strides(self, ranks: int) -> Strides:
        """Tell where the groups of an instance lie, on a network that is full of instances.

        Parameters
        ----------
        ranks : int
            Of the network.

        Returns
        -------
        Strides
        """
        if self.placement == "packed":
            return Strides(1, 1, self.width, self.width * self.cp)
        step = max(ranks // self.width, 1)
        return Strides(step, step, self.pp, 1)

    def shard(self, model: LanguageModel) -> Shard:
        """Cut a model, all of its layers, over the GPUs of one stage.

        Parameters
        ----------
        model : LanguageModel

        Returns
        -------
        Shard

        Raises
        ------
        UsageError
            If TP does not divide the heads, or EP the experts.
        """
        return Shard(model, self.tp, self.ep, self.kv, self.sequence_parallel)

    def check(self, model: LanguageModel, ranks: int | None = None, phase: str | None = None) -> None:
        """Refuse what a model or a network has no room for.

        Parameters
        ----------
        model : LanguageModel
        ranks : int, optional
            GPUs that there are.
        phase : {"prefill", "decode"}, optional

        Raises
        ------
        UsageError
            If heads, experts or layers do not divide, there are too few GPUs, or context parallelism is
            asked for where it is not modelled.

        Examples
        --------
        >>> from topo_sim.inference.models import find_model
        >>> Layout(tp=7).check(find_model("gpt3-175b"))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        topo_sim.base.errors.UsageError: gpt3-175b: found TP 7, expected a divisor of 96 heads: 1, 2, 3, ...
        """
        self.shard(model)
        if self.pp > model.layers:
            raise UsageError(f"{model.name}: found PP {self.pp}, expected at most its {model.layers} layers")
        if ranks is not None and self.gpus > ranks:
            raise UsageError(
                f"{model.name}: found {self.gpus} GPUs ({self.label}), expected at most the network's {ranks}"
            )
        if self.cp > 1 and model.latent:
            raise UsageError(
                f"{model.name}: found CP {self.cp}, expected 1: not modelled for latent attention"
            )
        if self.cp > 1 and phase == "decode":
            raise UsageError(
                f"found CP {self.cp} while decoding, expected 1: cut the cache with kv shard in its place"
            )
