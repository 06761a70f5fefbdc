"""The error tree: one root, builtins beside it, and faults that survive a trip between processes."""

import pickle

import pytest

from topo_sim import base

LEAVES = [getattr(base, name) for name in base.__all__ if name.endswith("Error") and name != "TopoSimError"]


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_is_caught_by_the_root_and_by_a_builtin(leaf):
    assert issubclass(leaf, base.TopoSimError)
    assert issubclass(leaf, KeyError if leaf is base.UnknownNameError else ValueError)


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf is not base.FaultsError])
def test_text_and_pickle(leaf):
    error = leaf("what went wrong")
    assert str(error) == "what went wrong"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (leaf, "what went wrong")


def test_an_unknown_name_without_text():
    assert str(base.UnknownNameError()) == ""


def test_faults():
    error = base.FaultsError(fault for fault in ("a: one", "b: two"))
    assert isinstance(error, base.TopologyError)
    assert error.faults == ("a: one", "b: two")
    assert str(error) == "a: one\nb: two"
    assert pickle.loads(pickle.dumps(error)).faults == error.faults
