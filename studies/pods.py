"""A pod of cubes and circuit switches: what slices fit, what failures take, what circuits save."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from topo_sim.base import UsageError
from topo_sim.optics.pods import (
    Placement,
    Pod,
    Slice,
    SliceDamage,
    Swap,
    blocks,
    goodput,
    most_blocks,
    place,
    read_slice,
    shapes,
    swap_cube,
    switch_damage,
)
from topo_sim.optics.pods.fragments import check_share
from topo_sim.topo.distances import hops
from topo_sim.topo.throughput import max_concurrent_flow

__all__ = ["Goodput", "PodStudy", "ShapeFacts", "pod_goodput", "study_pod"]

Progress = Callable[[int, int, str], None]
MOST_CUBES_PACKED = 64


@dataclass(frozen=True)
class ShapeFacts:
    """A slice that a pod can make.

    Parameters
    ----------
    name : str
    chips, cubes, diameter : int
    mean_hops : float
    bisection : float or None, B/s
        One way; None where no closed form is known.
    theta : float, B/s
        All-to-all throughput of each chip under the best routing, exact.
    """

    name: str
    chips: int
    cubes: int
    diameter: int
    mean_hops: float
    bisection: float | None
    theta: float

    def to_dict(self) -> dict[str, Any]:
        """Flat row with units in the keys."""
        return {
            "slice": self.name,
            "chips": self.chips,
            "cubes": self.cubes,
            "diameter": self.diameter,
            "mean_hops": self.mean_hops,
            "bisection_B_per_s": self.bisection,
            "all_to_all_theta_B_per_s": self.theta,
        }


@dataclass(frozen=True)
class Goodput:
    """Share of a pod that runs in slices of one size.

    Parameters
    ----------
    cubes : int
        Of one slice.
    availability : float
        Of one host.
    circuits : float
        With circuit switches: any cubes make a slice. Exact mean.
    fixed : float or None
        With fixed cables: contiguous blocks, packed as well as can be; mean over the draws, None without any.
    fixed_error : float or None
        Standard error of that mean.
    """

    cubes: int
    availability: float
    circuits: float
    fixed: float | None
    fixed_error: float | None

    def to_dict(self) -> dict[str, Any]:
        """Flat row."""
        return {
            "slice_cubes": self.cubes,
            "host_availability": self.availability,
            "goodput_circuits": self.circuits,
            "goodput_fixed": self.fixed,
            "goodput_fixed_error": self.fixed_error,
        }


@dataclass(frozen=True)
class PodStudy:
    """What is known of a pod.

    Parameters
    ----------
    pod : Pod
    placement : Placement
        After the failures.
    swaps : tuple of Swap
        What was done about each failed cube.
    damage : tuple of SliceDamage
        What failed switches take from each slice.
    counts : dict from int to tuple of str
        Slices of each number of chips that is a power of two of cubes.
    shapes : tuple of ShapeFacts
        Of the number of chips asked for, and of the slices placed.
    goodput : tuple of Goodput
    draws : int
        Behind each mean of `goodput`.
    """

    pod: Pod
    placement: Placement
    swaps: tuple[Swap, ...]
    damage: tuple[SliceDamage, ...]
    counts: dict[int, tuple[str, ...]]
    shapes: tuple[ShapeFacts, ...]
    goodput: tuple[Goodput, ...]
    draws: int

    def facts(self) -> dict[str, Any]:
        """Tell what the pod is, with units in the keys.

        Returns
        -------
        dict
        """
        pod = self.pod
        largest = [one for one in shapes(pod, pod.chips) if not one.twisted][-1]
        return {
            "chips": pod.chips,
            "cubes": pod.cubes,
            "circuit_switches": pod.switches,
            "radix": pod.radix,
            "ports_used": pod.ports,
            "ports_spare": pod.radix - pod.ports,
            "optical_links": pod.optical_links,
            "optical_links_per_cube": pod.optical_links // pod.cubes,
            "link_B_per_s": pod.rate,
            "largest_slice": largest.name,
            "bisection_B_per_s": largest.bisection(pod.rate),
        }

    def placed(self) -> list[dict[str, Any]]:
        """One row per slice that was asked for.

        Returns
        -------
        list of dict
        """
        rows = [
            {"slice": one.slice.name, "chips": one.slice.chips, "cubes": " ".join(map(str, one.cubes))}
            for one in self.placement.placed
        ]
        return rows + [
            {"slice": one.name, "chips": one.chips, "cubes": None} for one in self.placement.refused
        ]

    def to_dict(self) -> dict[str, Any]:
        """Nested dictionary with units in the keys.

        Returns
        -------
        dict
        """
        return {
            "pod": self.facts(),
            "slices_by_chips": {str(chips): list(names) for chips, names in self.counts.items()},
            "shapes": [one.to_dict() for one in self.shapes],
            "placed": self.placed(),
            "free_cubes": list(self.placement.free),
            "swaps": [
                {
                    "cube": s.cube,
                    "slice": s.slice.name if s.slice else None,
                    "by": s.by,
                    "circuits": s.circuits,
                }
                for s in self.swaps
            ],
            "failed_switches": [one.to_dict() for one in self.damage],
            "draws": self.draws,
            "goodput": [one.to_dict() for one in self.goodput],
        }

    def rows(self) -> list[dict[str, Any]]:
        """Flat rows: goodput if it was asked for, else slices placed, else shapes, else counts of them.

        Returns
        -------
        list of dict
        """
        if self.goodput:
            return [one.to_dict() for one in self.goodput]
        if self.placed():
            return self.placed()
        if self.shapes:
            return [one.to_dict() for one in self.shapes]
        return [{"chips": chips, "slices": " ".join(names)} for chips, names in self.counts.items()]


def _facts(one: Slice, rate: float) -> ShapeFacts:
    fabric = one.fabric(rate)
    found = hops(fabric)
    return ShapeFacts(
        name=one.name,
        chips=one.chips,
        cubes=one.cubes,
        diameter=found.diameter,
        mean_hops=found.mean,
        bisection=one.bisection(rate),
        theta=max_concurrent_flow(fabric).theta,
    )


def pod_goodput(
    pod: Pod,
    availability: float,
    *,
    hosts: int = 16,
    draws: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Goodput, ...]:
    """Compare what runs of a pod when hosts fail, with circuit switches and with fixed cables.

    Parameters
    ----------
    pod : Pod
        Of up to 64 cubes where `draws` is above 0.
    availability : float
        Of one host, from 0 to 1.
    hosts : int
        Of one cube.
    draws : int
        Of working cubes, packed with blocks; 0 leaves fixed cables out.
    seed : int
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    tuple of Goodput
        For slices of 1, 2, 4, ... cubes.

    Raises
    ------
    UsageError
        If a number is out of range.

    Notes
    -----
    Fixed cables are given the benefit of every doubt: blocks of any shape, turned any way, over the wrap of
    the pod, packed exactly, and moved for free.

    Examples
    --------
    >>> pod_goodput(Pod(cubes=2), 1.0, draws=1)[1]
    Goodput(cubes=2, availability=1.0, circuits=1.0, fixed=1.0, fixed_error=0.0)
    """
    share = check_share("availability", availability)
    if draws and pod.cubes > MOST_CUBES_PACKED:
        raise UsageError(
            f"cubes: found {pod.cubes}, expected at most {MOST_CUBES_PACKED} to pack blocks; 0 draws leave "
            "fixed cables out"
        )
    sizes = [2**i for i in range(pod.cubes.bit_length())]
    exact = [goodput(pod, size, share, hosts) for size in sizes]
    works = np.random.default_rng(seed).random((draws, pod.cubes)) < share**hosts
    found = []
    for i, size in enumerate(sizes):
        fixed = error = None
        if draws:
            options = blocks(pod, size)
            run = np.array([most_blocks(options, row) for row in works]) * size / pod.cubes
            fixed, error = float(run.mean()), float(run.std(ddof=1) / np.sqrt(draws)) if draws > 1 else 0.0
        found.append(Goodput(size, share, exact[i], fixed, error))
        if progress is not None:
            progress(i + 1, len(sizes), f"packing at {share:g}")
    return tuple(found)


def study_pod(
    pod: Pod,
    slices: Sequence[str] = (),
    *,
    chips: int | None = None,
    failed_cubes: Sequence[int] = (),
    failed_switches: Sequence[int | str] = (),
    availability: Sequence[float] = (),
    draws: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> PodStudy:
    """Place slices in a pod, let cubes and switches fail, and list what the wiring allows.

    Parameters
    ----------
    pod : Pod
    slices : sequence of str
        Such as "8x8x16" or "4x4x8_twisted"; placed in this order.
    chips : int, optional
        List the slices of so many chips, with their distances and throughputs.
    failed_cubes : sequence of int
        That fail, one after the other, once all slices are placed.
    failed_switches : sequence of int or str
        That fail: "x0", "y3", ...
    availability : sequence of float
        Of hosts, for `pod_goodput`.
    draws, seed
        As in `pod_goodput`.
    progress : callable, optional

    Returns
    -------
    PodStudy

    Raises
    ------
    UsageError
        If a slice does not fit the wiring, there is no such cube or switch, or switches fail without a slice.

    Examples
    --------
    >>> found = study_pod(Pod(), ["4x4x8_twisted"], failed_cubes=[1])
    >>> found.facts()["bisection_B_per_s"], found.swaps[0].by, found.placement.placed[0].cubes
    (25600000000000.0, 2, (0, 2))
    """
    asked = [read_slice(name, pod) for name in slices]
    placement = place(pod, asked, failed_switches=failed_switches)
    if failed_switches and not asked:
        raise UsageError(
            f"switch: found {failed_switches[0]} failed and no slice, expected a slice that loses circuits"
        )
    swaps = []
    for cube in dict.fromkeys(failed_cubes):
        placement, swap = swap_cube(placement, cube)
        swaps.append(swap)
    detailed = list(dict.fromkeys([*(shapes(pod, chips) if chips is not None else []), *asked]))
    facts = []
    for i, one in enumerate(detailed):
        facts.append(_facts(one, pod.rate))
        if progress is not None:
            progress(i + 1, len(detailed), one.name)
    damage = tuple(switch_damage(placement))
    found = tuple(
        row
        for share in dict.fromkeys(availability)
        for row in pod_goodput(pod, share, draws=draws, seed=seed, progress=progress)
    )
    sizes = [2**i * pod.side**3 for i in range(pod.cubes.bit_length())]
    counts = {size: tuple(one.name for one in shapes(pod, size)) for size in sizes}
    return PodStudy(pod, placement, tuple(swaps), damage, counts, tuple(facts), found, draws)
