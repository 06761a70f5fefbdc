"""Yield models: the reference values, salvage against exact arithmetic, inverses, what is refused."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from topo_sim.base import UnknownNameError, UsageError
from topo_sim.gpus.harvest import Salvage, densities, density_for_gain, die_yield
from topo_sim.gpus.yields import DEFAULT_MODELS, YIELDS, yield_model

BIG, SMALL = 814e-6, 203.5e-6
REFERENCE = {  # yields of 814 and 203.5 mm2 and their ratio, by model and defects per cm2
    ("poisson", 0.05): (0.666, 0.903, 1.36),
    ("murphy", 0.05): (0.675, 0.904, 1.34),
    ("negative_binomial@a=3", 0.05): (0.683, 0.905, 1.33),
    ("negative_binomial@a=10", 0.05): (0.671, 0.904, 1.35),
    ("poisson", 0.10): (0.443, 0.816, 1.84),
    ("murphy", 0.10): (0.468, 0.819, 1.75),
    ("negative_binomial@a=3", 0.10): (0.487, 0.821, 1.69),
    ("negative_binomial@a=10", 0.10): (0.457, 0.818, 1.79),
    ("seeds", 0.10): (0.551, 0.831, 1.51),
    ("rectangular", 0.10): (0.494, 0.822, 1.66),
    ("moore", 0.10): (0.406, 0.637, 1.57),
    ("poisson", 0.20): (0.196, 0.666, 3.39),
    ("murphy", 0.20): (0.244, 0.675, 2.77),
    ("negative_binomial@a=3", 0.20): (0.272, 0.683, 2.51),
    ("negative_binomial@a=10", 0.20): (0.221, 0.671, 3.03),
}
WITH_CLUSTERS = (*DEFAULT_MODELS, "negative_binomial@a=0.5", "bose_einstein@layers=5,per_layer=1")


@pytest.mark.parametrize(("model", "density"), REFERENCE)
def test_reference_values(model, density):
    big, small = (die_yield(yield_model(model), area, density * 1e4) for area in (BIG, SMALL))
    assert (round(big, 3), round(small, 3), round(small / big, 2)) == REFERENCE[model, density]


@pytest.mark.parametrize(
    ("model", "density"),
    [
        ("poisson", 0.0963),
        ("murphy", 0.1057),
        ("negative_binomial@a=3", 0.1146),
        ("negative_binomial@a=10", 0.1012),
    ],
)
def test_the_density_that_gives_exactly_1_8(model, density):
    found = density_for_gain(yield_model(model), 1.8, SMALL, BIG)
    assert round(found / 1e4, 4) == density
    big, small = (die_yield(yield_model(model), area, found) for area in (BIG, SMALL))
    assert small / big == pytest.approx(1.8, rel=1e-11)


def test_seeds_needs_0_179():
    assert round(density_for_gain(yield_model("seeds"), 1.8, SMALL, BIG) / 1e4, 3) == 0.179


@pytest.mark.parametrize(
    ("share", "big", "small", "gain"),
    [(0.5, 0.666, 0.903, 1.36), (0.6, 0.722, 0.922, 1.28), (0.7, 0.783, 0.941, 1.20)],
)
def test_reference_values_of_salvage(share, big, small, gain):
    poisson = yield_model("poisson")
    found = die_yield(poisson, BIG, 1e3, Salvage(share, 144, 132))
    lite = die_yield(poisson, SMALL, 1e3, Salvage(share, 36, 33))
    assert (round(found, 3), round(lite, 3), round(lite / found, 2)) == (big, small, gain)


def transform(model, x):
    """Yield in exact arithmetic: the Laplace transform that the model is."""
    one, settings = Decimal(1), model.settings
    if model.name == "poisson":
        return (-x).exp()
    if model.name == "murphy":
        return ((one - (-x).exp()) / x) ** 2
    if model.name == "rectangular":
        return (one - (-2 * x).exp()) / (2 * x)
    if model.name == "moore":
        return (-x.sqrt()).exp()
    if model.name == "seeds":
        return one / (one + x)
    if model.name == "negative_binomial":
        a = Decimal(settings["a"])
        return (-a * (one + x / a).ln()).exp()
    layers = Decimal(settings["layers"])
    return (one + (x if settings["per_layer"] else x / layers)) ** -layers


def exact(model, x, share, made, needed):
    """Inclusion and exclusion over which units work: terms of 1e20 that cancel, so 90 digits."""
    with localcontext() as context:
        context.prec = 90
        x, share = Decimal(x), Decimal(share)
        total = Decimal(0)
        for j in range(needed, made + 1):
            sign = (-1) ** (j - needed) * math.comb(j - 1, needed - 1) * math.comb(made, j)
            total += sign * transform(model, x * (1 - share) + x * share * j / made)
        return float(total)


@pytest.mark.parametrize("text", WITH_CLUSTERS)
@pytest.mark.parametrize("x", [0.05, 0.814, 6.0])
def test_salvage_agrees_with_exact_arithmetic(text, x):
    model = yield_model(text)
    for share, made, needed in ((0.5, 144, 132), (1.0, 36, 33), (0.25, 8, 1), (0.75, 40, 40)):
        found = die_yield(model, 1e-4, x * 1e4, Salvage(share, made, needed))
        assert found == pytest.approx(exact(model, x, share, made, needed), rel=2e-6, abs=1e-12), share


@pytest.mark.parametrize("text", WITH_CLUSTERS)
def test_salvage_of_nothing_is_the_formula(text):
    model = yield_model(text)
    density = np.array([0.0, 10.0, 1e3, 1e4, 1e5])
    plain = die_yield(model, BIG, density)
    for salvage in (Salvage(0.0, 10, 1), Salvage(0.7, 12, 12)):
        np.testing.assert_allclose(die_yield(model, BIG, density, salvage), plain, rtol=0, atol=1e-6)
    assert plain[0] == 1.0
    assert (np.diff(plain) < 0).all()
    helped = die_yield(model, BIG, density, Salvage(0.6, 144, 132))
    assert (helped[1:] > plain[1:]).all()
    assert (helped <= 1 + 1e-12).all()


@pytest.mark.parametrize("text", DEFAULT_MODELS)
def test_drawn_densities_follow_the_law(text):
    model = yield_model(text)
    u = (np.arange(200_000) + 0.5) / 200_000
    drawn = densities(model, u)
    assert (np.diff(drawn) >= 0).all()
    for x in (0.1, 0.8, 3.0):
        assert np.exp(-x * drawn).mean() == pytest.approx(float(model(x)), abs=1e-4)


def test_clustering_helps_large_dies():
    yields = [die_yield(yield_model(f"negative_binomial@a={a}"), BIG, 1e3) for a in (1, 3, 10, 1e5)]
    assert yields == sorted(yields, reverse=True)
    assert yields[0] == pytest.approx(die_yield(yield_model("seeds"), BIG, 1e3))
    assert yields[-1] == pytest.approx(die_yield(yield_model("poisson"), BIG, 1e3), rel=1e-5)


def test_bose_einstein_both_ways():
    each = yield_model("bose_einstein@layers=4,per_layer=1")
    assert float(each(0.5)) == pytest.approx(1.5**-4)
    assert float(yield_model("bose_einstein@layers=4")(0.5)) == pytest.approx(1.125**-4)
    assert float(yield_model("negative_binomial@a=4")(0.5)) == pytest.approx(1.125**-4)


def test_labels_read_back():
    for text in WITH_CLUSTERS:
        assert yield_model(yield_model(text).label) == yield_model(text)
        assert yield_model(text).formula
    assert set(YIELDS) == {yield_model(text).name for text in DEFAULT_MODELS}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("poison", 'did you mean "poisson"'),
        ("", "choose from"),
        ("negative_binomial@b=3", 'no setting "b"'),
        ("negative_binomial@a=0", "above 0"),
        ("negative_binomial@a=nan", "above 0"),
        ("negative_binomial@a", "found a=nothing"),
        ("bose_einstein@layers=2.5", "whole number"),
        ("bose_einstein@per_layer=2", "expected 0 or 1"),
        ("poisson@a=3", 'no setting "a"'),
    ],
)
def test_what_is_no_model_is_refused(text, message):
    with pytest.raises((UnknownNameError, UsageError)) as error:
        yield_model(text)
    assert message in str(error.value)


@pytest.mark.parametrize("area", [0, -1e-6, math.nan, math.inf])
def test_areas_that_are_none_are_refused(area):
    with pytest.raises(UsageError, match="expected an area above 0"):
        die_yield(yield_model("poisson"), area, 1e3)


@pytest.mark.parametrize("density", [-1.0, math.nan, math.inf, np.array([1.0, math.nan])])
def test_densities_that_are_none_are_refused(density):
    with pytest.raises(UsageError, match="defect density"):
        die_yield(yield_model("poisson"), BIG, density)


@pytest.mark.parametrize("salvage", [(1.1, 4, 2), (-0.1, 4, 2), (math.nan, 4, 2), (0.5, 4, 5), (0.5, 0, 0)])
def test_salvage_that_cannot_be_is_refused(salvage):
    with pytest.raises(UsageError, match="salvage: found"):
        Salvage(*salvage)


@pytest.mark.parametrize("gain", [1.0, 0.5, math.nan, math.inf])
def test_gains_that_are_none_are_refused(gain):
    with pytest.raises(UsageError, match="above 1"):
        density_for_gain(yield_model("poisson"), gain, SMALL, BIG)


def test_gains_of_extreme_models():
    many = yield_model("bose_einstein@layers=1000000,per_layer=1")
    plain = density_for_gain(yield_model("poisson"), 1.8, SMALL, BIG)
    assert density_for_gain(many, 1.8, SMALL, BIG) == pytest.approx(plain / 1e6, rel=1e-5)
    assert density_for_gain(yield_model("negative_binomial@a=0.01"), 1.8, SMALL, BIG) is None


def test_a_gain_out_of_reach_is_none():
    assert density_for_gain(yield_model("rectangular"), 4.01, SMALL, BIG) is None
    assert density_for_gain(yield_model("poisson"), 1.8, BIG, SMALL) is None
    assert density_for_gain(yield_model("rectangular"), 3.9, SMALL, BIG) is not None
