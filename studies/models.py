"""Cost models by name and settings, and what they say of schedules beside the bound."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.collectives import CollectiveCost, LowerBound, Schedule
from topo_sim.collectives.models import COST_MODELS, CostModel
from topo_sim.topo import Fabric

__all__ = ["AskedModel", "model_costs", "read_models"]

_SETTING = re.compile(r"\s*([A-Za-z_]\w*)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True)
class AskedModel:
    """A cost model with settings.

    Parameters
    ----------
    label : str
        As it was asked for.
    model : CostModel
    settings : dict
        All that differ from its defaults.
    own : bool
        Whether any was asked for by name.
    """

    label: str
    model: CostModel
    settings: dict[str, Any]
    own: bool


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _read(text: str) -> tuple[CostModel, dict[str, Any]]:
    name, at, rest = text.partition("@")
    model = COST_MODELS[name.strip()]
    given: dict[str, Any] = {}
    for part in rest.split(",") if at else ():
        match = _SETTING.match(part)
        if match is None:
            raise UsageError(f'cost model "{text}": found "{part}", expected NAME@SETTING=VALUE,...')
        if match[1] in given:
            raise UsageError(f'cost model "{text}": setting "{match[1]}" is given twice, expected once')
        given[match[1]] = _value(match[2].strip())
    model.complete(given)
    return model, given


def read_models(
    texts: Sequence[str], *, routing: str | None = None, overhead: float = 0.0, seed: int = 0
) -> list[AskedModel]:
    """Read cost models as users write them: ``NAME`` or ``NAME@SETTING=VALUE,...``.

    Parameters
    ----------
    texts : sequence of str
        Each once.
    routing, overhead, seed
        For every model that has such a setting and is not given one of its own.

    Returns
    -------
    list of AskedModel

    Raises
    ------
    UnknownNameError
        If there is no such model.
    UsageError
        If it has no such setting, a model is asked for twice, or one takes neither the routing nor the
        overhead that are asked for.

    Examples
    --------
    >>> [(m.label, m.settings) for m in read_models(["step", "loggp@o=1 us"], overhead=1e-6)]
    [('step', {'overhead': 1e-06, 'seed': 0}), ('loggp@o=1 us', {'overhead': 1e-06, 'seed': 0, 'o': '1 us'})]
    """
    if repeated := sorted({text for text in texts if list(texts).count(text) > 1}):
        raise UsageError(f"cost model {', '.join(repeated)} is asked for twice, expected once")
    shared = {"routing": routing, "overhead": overhead, "seed": seed}
    found = []
    for text in texts:
        model, given = _read(text)
        for name in ("routing", "overhead"):
            if shared[name] and name not in model.settings:
                raise UsageError(f"cost model {model.name} takes no {name}, expected none beside it")
        wanted = {k: v for k, v in shared.items() if k in model.settings and v is not None}
        if not overhead:
            wanted.pop("overhead", None)
        found.append(AskedModel(text, model, wanted | given, bool(given)))
    return found


def model_costs(
    asked: AskedModel,
    schedule: Schedule,
    fabric: Fabric,
    sizes: Sequence[float],
    bound: LowerBound,
    routing: str,
) -> list[CollectiveCost]:
    """Time a schedule by a model, at several sizes.

    Parameters
    ----------
    asked : AskedModel
    schedule : Schedule
    fabric : Fabric
    sizes : sequence of float, B
    bound : LowerBound
        Of the same collective, fabric and ranks.
    routing : str
        For the record.

    Returns
    -------
    list of CollectiveCost
        One per size, without step times and links; of a model that runs its own algorithm, by the name
        of that.

    Raises
    ------
    CollectiveError
        If the model does not cover the schedule or the fabric.

    Examples
    --------
    >>> from topo_sim.collectives import build_schedule, lower_bound
    >>> from topo_sim.topo import single_switch
    >>> fabric, model = single_switch(64), read_models(["astra-unaware"])[0]
    >>> ring = build_schedule("all_to_all", "pairwise", 64, 0)
    >>> cost = model_costs(model, ring, fabric, [2**30], lower_bound("all_to_all", fabric), "shortest")[0]
    >>> cost.algorithm, cost.below_bound
    ('direct', True)
    """
    model, collective, p = asked.model, schedule.collective, schedule.ranks
    times = model.times(schedule, fabric, sizes, **asked.settings)
    algorithm, repeats = schedule.algorithm, [step.repeat for step in schedule.steps]
    if model.chooses is not None:
        algorithm, repeats = model.chooses(schedule, fabric, **asked.settings), []
    costs = []
    for size, time in zip((float(n) for n in sizes), times.tolist(), strict=True):
        algbw = size / time if time > 0 else np.inf
        costs.append(
            CollectiveCost(
                collective=collective.name,
                algorithm=algorithm,
                fabric=fabric.name,
                routing=routing,
                ranks=p,
                size=size,
                time=time,
                step_times=np.zeros(0),
                step_repeats=np.array(repeats, dtype=np.int64),
                algbw=algbw,
                busbw=algbw * collective.busbw_factor(p) if p > 1 else 0.0,
                lower_bound=bound.time(size),
                bound=bound.tight(size),
                bottleneck=(),
                busiest_count=0,
                in_network=schedule.in_network and model.chooses is None,
                model=asked.label,
            )
        )
    return costs
