"""One wafer as it may turn out: where defects fall, and which dies survive them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topo_sim.gpus.harvest import Salvage, densities
from topo_sim.gpus.wafer import Placement
from topo_sim.gpus.yields import YieldModel, check_density

__all__ = ["LOST", "SALVAGED", "WHOLE", "WaferMap", "draw_wafer"]

WHOLE, SALVAGED, LOST = 0, 1, 2


@dataclass(frozen=True, eq=False)
class WaferMap:
    """A wafer with its defects.

    Parameters
    ----------
    placement : Placement
    state : array of int, shape (dies,)
        `WHOLE`, `SALVAGED` or `LOST`.
    defects : array of float, shape (defects, 2), m
        From the middle of the wafer; those on dies only.
    """

    placement: Placement
    state: NDArray[np.int64]
    defects: NDArray[np.float64]

    def count(self, state: int) -> int:
        """How many dies are in a state."""
        return int((self.state == state).sum())


def draw_wafer(
    placement: Placement, model: YieldModel, density: float, salvage: Salvage | None = None, seed: int = 0
) -> WaferMap:
    """Draw the defects of one wafer.

    Parameters
    ----------
    placement : Placement
    model : YieldModel
    density : float, 1/m2
        Mean density of defects.
    salvage : Salvage, optional
        Default: every defect loses its die.
    seed : int

    Returns
    -------
    WaferMap

    Notes
    -----
    Each die draws its density from the law of the model, then a Poisson number of defects, each anywhere on
    it. A defect hits an SM with the probability of their share of the area, any SM alike; elsewhere it loses
    the die. So the mean share of good dies over many wafers is `die_yield`.

    Examples
    --------
    >>> from topo_sim.gpus.wafer import place_dies
    >>> from topo_sim.gpus.yields import yield_model
    >>> drawn = draw_wafer(place_dies(26e-3, 31.3e-3), yield_model("poisson"), 0.0)
    >>> drawn.count(WHOLE), len(drawn.defects)
    (67, 0)
    """
    check_density(density)
    rng = np.random.default_rng(seed)
    dies = placement.dies
    area = placement.width * placement.height
    mean = density * area * densities(model, np.maximum(rng.random(dies), 1e-12))
    count = rng.poisson(np.minimum(mean, 1e4))
    owner = np.repeat(np.arange(dies), count)
    spot = (rng.random((owner.size, 2)) - 0.5) * (placement.width, placement.height)
    state = np.full(dies, WHOLE)
    if salvage is None:
        state[count > 0] = LOST
    else:
        on_sm = rng.random(owner.size) < salvage.share
        sm = rng.integers(0, salvage.made, owner.size)
        hit = np.unique(owner[on_sm] * salvage.made + sm[on_sm])
        broken = np.bincount(hit // salvage.made, minlength=dies)
        state[broken > 0] = SALVAGED
        state[broken > salvage.made - salvage.needed] = LOST
        state[owner[~on_sm]] = LOST
    return WaferMap(placement, state, placement.centres[owner] + spot)
