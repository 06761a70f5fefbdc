"""Explanations and syntheses: what they say fits the fabric, and their tables and documents hold it."""

import json
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest

from topo_sim.base import RoutingError, UnknownNameError, UsageError
from topo_sim.collectives import COLLECTIVES, Schedule, Step, replay
from topo_sim.collectives.optimum.front import KNOWN
from topo_sim.report import explanation_table, schedule_document, synthesis_table, to_json, to_text
from topo_sim.report.optimum_tables import optimum_text
from topo_sim.studies import cost_table, explain, synthesize_schedule
from topo_sim.topo import Fabric, fat_tree, load_fabric, single_switch, torus

GIB = 2.0**30


class TestExplain:
    def test_names_the_cut_of_two_servers(self):
        found = explain(load_fabric("polaris-8"), "all_gather", [2**20, GIB])
        (cut,) = found.cuts
        assert found.optimum.algbw == 100 * 10**9
        assert (cut.direction, cut.links) == ("out of", ("2 of 25 GB/s",))
        assert cut.side == "gpu4, gpu5, gpu6, gpu7 with 2 switches"
        assert set(cut.examples) == {"nic2->slingshot", "nic3->slingshot"}

    def test_directions(self):
        """The thin end of a line holds both back: all-gather into it, reduce-scatter out of it."""
        graph = nx.complete_graph(4)
        nx.set_edge_attributes(graph, 8e9, "bandwidth")
        graph.add_edge(3, 4, bandwidth=1e9)
        fabric = Fabric.from_graph(graph)
        for name, way in (("all_gather", "into"), ("reduce_scatter", "out of")):
            (cut,) = explain(fabric, name, [GIB]).cuts
            assert (cut.direction, cut.side, cut.links) == (way, "4", ("1 of 1 GB/s",))
        found = explain(fabric, "all_reduce", [GIB])
        assert [cut.collective for cut in found.cuts] == ["reduce_scatter", "all_gather"]
        # All-reduce may send and receive at the thin end at once: no claim beyond what it assumes.
        assert "may be faster" in found.optimum.assumes

    def test_best_is_the_best_of_all(self):
        fabric = load_fabric("polaris-8")
        for name in KNOWN:
            found = explain(fabric, name, [2**16, GIB])
            for cost in found.best:
                times = [one.time for one in cost_table(fabric, name, [cost.size]).costs]
                assert cost.time == min(times)
                assert cost.lower_bound <= cost.time * (1 + 1e-12)
                if name != "all_reduce":
                    assert found.share(cost) <= 1 + 1e-6

    def test_tables_and_documents(self):
        for fabric, name in (
            (load_fabric("polaris-8"), "all_gather"),
            (torus((4, 4)), "all_reduce"),
            (torus((4, 4)), "all_to_all"),
            (load_fabric("polaris-8"), "all_to_all"),
            (fat_tree(4), "broadcast"),
        ):
            found = explain(fabric, name, [0, GIB])
            text = to_text(explanation_table(found), width=200)
            assert "what holds it back" in text
            assert fabric.name in text
            document = json.loads(to_json("explain", {}, found.to_dict()))["results"]
            assert document["optimum"]["exact"] == found.optimum.exact
            assert len(document["best"]) == 2
            rows = found.rows()
            assert len(rows) == 2
            assert set(rows[0]) == set(rows[1])

    def test_exact_fraction_is_shown(self):
        found = explain(single_switch(4, bandwidth=25e9), "all_gather", [GIB])
        assert "33.3333 GB/s = 100/3 GB/s" in to_text(explanation_table(found), width=200)
        assert found.to_dict()["optimum"]["algbw_fraction_B_per_s"] == "100000000000/3"
        assert Fraction(found.to_dict()["optimum"]["algbw_fraction_B_per_s"]) == found.optimum.algbw

    def test_intervals_are_shown_as_such(self):
        graph = nx.random_regular_graph(3, 40, seed=1)
        found = explain(Fabric.from_graph(graph, bandwidth=1e9), "all_to_all", [GIB])
        assert not found.optimum.exact
        assert "rounding" in optimum_text(found.optimum) or ".." in optimum_text(found.optimum)

    def test_sums_in_switches_are_noted(self):
        found = explain(load_fabric("dgx-h100"), "all_reduce", [GIB])
        assert found.share(found.best[0]) > 1
        assert "nvls: sums in switches lie outside this optimum" in to_text(
            explanation_table(found), width=200
        )
        assert found.to_dict()["note"] == found.note == found.rows()[0]["note"]
        assert explain(load_fabric("dgx-h100"), "all_gather", [GIB]).note is None

    def test_bad_input(self):
        with pytest.raises(UsageError, match="one rank sends nothing"):
            explain(single_switch(4), "all_gather", [GIB], ranks=1)
        with pytest.raises(UsageError):
            explain(single_switch(4), "all_gather", [GIB], ranks=5)
        with pytest.raises(UsageError):
            explain(single_switch(4), "all_gather", [])
        with pytest.raises(UnknownNameError):
            explain(single_switch(4), "all_gahter", [GIB])
        with pytest.raises(RoutingError):
            explain(Fabric.from_graph(nx.DiGraph([(0, 1), (1, 2)])), "all_gather", [GIB])


def read_back(document):
    """A schedule from its JSON document."""

    def step(one):
        source, target, reduce, shift, chunks = zip(*one["transfers"], strict=True)
        indptr = np.cumsum([0, *(len(ids) for ids in chunks)])
        ids = np.array([chunk for row in chunks for chunk in row])
        share = np.diff(indptr) * (COLLECTIVES[document["collective"]].volume(document["ranks"]))
        return Step(
            source,
            target,
            share / document["chunks"],
            reduce,
            lambda: (indptr, ids),
            one["repeat"],
            shift,
            one["cycle"],
        )

    steps = tuple(step(one) for one in document["steps"])
    keys = ("algorithm", "ranks")
    return Schedule(
        COLLECTIVES[document["collective"]],
        *(document[key] for key in keys),
        document["size_B"],
        document["chunks"],
        steps,
        document["options"],
    )


class TestSynthesis:
    @pytest.mark.parametrize("method", ["greedy", "trees"])
    def test_document_holds_the_whole_schedule(self, method):
        for name in ("all_gather", "all_reduce"):
            made = synthesize_schedule(load_fabric("polaris-8"), name, method=method, chunks=6)
            document = json.loads(json.dumps(schedule_document(made.schedule)))
            again = read_back(document)
            replay(again)
            assert again.step_count == made.schedule.step_count
            assert again.bytes_sent == pytest.approx(made.schedule.bytes_sent)

    def test_results(self):
        made = synthesize_schedule(torus((4, 4)), "all_gather")
        assert made.share_of_optimum == pytest.approx(made.cost.algbw / float(made.optimum.algbw))
        assert 0.9 < made.share_of_optimum <= 1
        text = to_text(synthesis_table(made), width=200)
        assert "of optimum" in text
        assert made.rows()[0]["steps"] == made.schedule.step_count
        assert json.loads(to_json("synthesize", {}, made.to_dict()))["results"]["optimum"]["exact"]

    def test_one_rank_and_no_bytes(self):
        alone = synthesize_schedule(single_switch(1), "all_reduce")
        assert (alone.optimum, alone.share_of_optimum, alone.cost.time) == (None, None, 0.0)
        to_text(synthesis_table(alone), width=200)
        nothing = synthesize_schedule(single_switch(4), "all_reduce", size=0)
        assert nothing.share_of_optimum is None
        to_text(synthesis_table(nothing), width=200)


class TestRoutingAndHint:
    def graph(self):
        graph = nx.MultiGraph()
        graph.add_edge(0, 1, bandwidth=5e9, latency=0)
        graph.add_edge(0, 1, bandwidth=1e9, latency=0)
        return Fabric.from_graph(graph)

    def test_the_chosen_routing_is_shown(self):
        result = synthesize_schedule(self.graph(), "all_gather", size=GIB)
        assert result.cost.routing == result.schedule.options["routing"] == "wcmp_split"
        assert result.share_of_optimum == pytest.approx(1)
        assert result.hint is None
        assert result.to_dict()["routing"] == result.to_dict()["options"]["routing"] == "wcmp_split"
        assert "2, wcmp_split" in to_text(synthesis_table(result), width=120)

    def test_a_hint_below_80_percent(self):
        result = synthesize_schedule(
            self.graph(), "all_gather", size=GIB, routing="ecmp_split", method="greedy"
        )
        assert result.share_of_optimum == pytest.approx(1 / 3)
        assert result.hint == "far from the optimum: try without --method, --routing"
        assert result.rows()[0]["hint"] == result.to_dict()["hint"] == result.hint
        assert "try without --method, --routing" in to_text(synthesis_table(result), width=120)
        small = synthesize_schedule(single_switch(4), "all_gather", size=1)
        assert "latency" in small.hint
        assert synthesize_schedule(single_switch(1), "all_gather").hint is None
