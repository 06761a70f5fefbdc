"""Chakra traces and GOAL: golden bytes and text, what they say of every algorithm, malformed traces."""

import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import CollectiveError, FaultsError, UnknownNameError
from topo_sim.base.files.faults import Faults
from topo_sim.collectives import ALGORITHMS, build_schedule
from topo_sim.collectives.formats import FORMATS, export_schedule, read_trace
from topo_sim.collectives.formats.chakra import RECEIVE, SEND, chakra_traces, parse_trace
from topo_sim.collectives.formats.goal import goal_text
from topo_sim.collectives.formats.messages import events, list_messages
from topo_sim.collectives.formats.wire import fields, integers, number_field, packed_field, text_field, varint

GOLDEN = Path(__file__).parent / "golden"
# Traces are of messages between ranks, of equal chunks that have bytes.
ALL = [
    (collective, name)
    for collective, names in ALGORITHMS.items()
    for name, entry in names.items()
    if not entry.switches and collective not in ("all_to_all_v", "barrier")
]
every = pytest.mark.parametrize(("collective", "name"), ALL)


def made(collective, name, p):
    try:
        entry = build_schedule(collective, name, p, 0)
    except CollectiveError:
        return None
    return build_schedule(collective, name, p, 8 * entry.chunks // entry.collective.volume(p))


@pytest.mark.parametrize(
    ("collective", "name"), [("all_reduce", "nvls"), ("all_to_all_v", "direct"), ("barrier", "dissemination")]
)
def test_what_has_no_equal_messages_between_ranks_is_refused(collective, name):
    with pytest.raises(CollectiveError, match=r"expected (messages between ranks only|equal chunks)"):
        list_messages(build_schedule(collective, name, 4, 64))


def expected(schedule):
    """Messages by step, counted one by one."""
    found = Counter()
    number = 0
    for step in schedule.steps:
        for _ in range(step.repeat):
            for s, t, f in zip(step.source, step.target, step.fraction, strict=True):
                found[number, int(s), int(t), round(float(f) * schedule.size)] += 1
            number += 1
    return found


# One send of 300 bytes from rank 0 to rank 1, written by hand after et_def.proto.
ATTRIBUTES = [
    ("is_cpu_op", b"\xd8\x01\x00"),  # bool_val = 27
    ("comm_size", b"\x48\xac\x02"),  # int64_val = 9
    ("comm_src", b"\x38\x00"),  # int32_val = 7
    ("comm_dst", b"\x38\x01"),
    ("comm_tag", b"\x38\x00"),
]
NAME = b"COMM_SEND_NODE_0_1_0"
NODE = b"\x12" + bytes([len(NAME)]) + NAME + b"\x18\x05"
for _name, _value in ATTRIBUTES:
    _inner = b"\x0a" + bytes([len(_name)]) + _name.encode() + _value
    NODE += b"\x52" + bytes([len(_inner)]) + _inner
BYTES = b"\x07\x0a\x050.0.4" + bytes([len(NODE)]) + NODE


def test_golden_bytes():
    assert len(NODE) < 128  # so that its length is one byte
    schedule = build_schedule("broadcast", "binomial_tree", 2, 300)
    assert next(chakra_traces(schedule)) == BYTES


def test_golden_goal(tmp_path):
    file = "broadcast_binomial_tree_4.goal"
    export_schedule(build_schedule("broadcast", "binomial_tree", 4, 8), tmp_path / file, "goal")
    assert (tmp_path / file).read_bytes() == (GOLDEN / file).read_bytes()


@every
@pytest.mark.parametrize("p", [1, 2, 3, 5, 8])
def test_messages_are_those_of_the_schedule(collective, name, p):
    schedule = made(collective, name, p)
    if schedule is None:
        return
    found = list_messages(schedule)
    columns = (found.step, found.source, found.target, found.size)
    assert Counter(zip(*(c.tolist() for c in columns), strict=True)) == expected(schedule)
    seen = Counter()
    for s, t, tag in zip(found.source.tolist(), found.target.tolist(), found.tag.tolist(), strict=True):
        assert tag == seen[s, t]
        seen[s, t] += 1


@every
@pytest.mark.parametrize("p", [1, 2, 5, 8])
def test_traces_say_it_all(tmp_path, collective, name, p):
    schedule = made(collective, name, p)
    if schedule is None:
        return
    files = export_schedule(schedule, tmp_path / "t", "chakra")
    assert [file.name for file in files] == [f"t.{rank}.et" for rank in range(p)]
    sent, received = Counter(), Counter()
    for rank, file in enumerate(files):
        trace = read_trace(file)
        assert trace.version == "0.0.4"
        assert [node.id for node in trace.nodes] == list(range(len(trace.nodes)))
        for node in trace.nodes:
            about = node.attributes
            assert about["is_cpu_op"] is False
            assert about["comm_src" if node.type == SEND else "comm_dst"] == rank
            assert all(earlier < node.id for earlier in node.after)
            key = tuple(about[f"comm_{what}"] for what in ("src", "dst", "tag", "size"))
            {SEND: sent, RECEIVE: received}[node.type][key] += 1
    assert sent == received
    assert set(sent.values()) <= {1}
    assert len(sent) == schedule.message_count


@every
def test_a_step_waits_for_the_one_before(collective, name):
    schedule = made(collective, name, 8)
    for found in events(list_messages(schedule), 8):
        steps = [event.step for event in found]
        assert steps == sorted(steps)
        for event in found:
            earlier = [n for n, other in enumerate(found) if other.step < event.step]
            last = max((found[n].step for n in earlier), default=None)
            assert list(event.after) == [n for n in earlier if found[n].step == last]


@every
def test_goal_has_every_message_twice(collective, name):
    schedule = made(collective, name, 4)
    text = goal_text(schedule)
    assert text.startswith("num_ranks 4\n")
    assert text.count(": send ") == text.count(": recv ") == schedule.message_count
    assert text.count("{") == text.count("}") == 4


@pytest.mark.parametrize("to", ["chakra", "goal"])
def test_what_cannot_be_written(tmp_path, to):
    for size in (0, 10, 0.5, 4.000001):
        with pytest.raises(CollectiveError, match="expected a multiple of 4 B above 0"):
            export_schedule(build_schedule("all_reduce", "ring", 4, size), tmp_path / "a", to)
    with pytest.raises(CollectiveError, match="expected 4000000 at most"):
        export_schedule(build_schedule("all_reduce", "ring", 10_000, 10_000), tmp_path / "a", to)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnknownNameError, match='did you mean "goal"'):
        export_schedule(build_schedule("all_reduce", "ring", 4, 4), tmp_path / "a", "gaol")
    assert sorted(FORMATS) == ["chakra", "goal", "msccl"]


def faults_of(data):
    try:
        parse_trace(data, Faults("a.et"))
    except FaultsError as error:
        return error.faults
    return ()


class TestWire:
    @given(st.integers(-(2**63), 2**64 - 1))
    def test_varints(self, value):
        data = number_field(5, value)
        ((field, back),) = fields(data, Faults("a"))
        assert (field, back) == (5, value % 2**64)
        assert len(varint(value)) <= 10

    @given(st.lists(st.integers(0, 2**64 - 1)))
    def test_packed_lists(self, values):
        packed = fields(packed_field(5, values), Faults("a"))
        assert [v for _, each in packed for v in integers(each, Faults("a"))] == values
        loose = b"".join(number_field(5, v) for v in values)
        assert [v for _, each in fields(loose, Faults("a")) for v in integers(each, Faults("a"))] == values

    @given(st.binary(max_size=60))
    def test_any_bytes_are_read_or_refused(self, data):
        assert all(line.startswith("a.et: ") for line in faults_of(data))

    @given(st.integers(0, len(BYTES) - 1), st.integers(0, 255))
    def test_a_damaged_trace_is_read_or_refused(self, at, byte):
        damaged = BYTES[:at] + bytes([byte]) + BYTES[at + 1 :]
        assert all(line.startswith("a.et: ") for line in faults_of(damaged))

    def test_other_kinds_of_fields_are_passed_over(self):
        inner = text_field(1, "x") + b"\x19" + struct.pack("<d", 1.5) + b"\x2d" + struct.pack("<f", 1.0)
        node = number_field(1, 3) + text_field(10, inner) + b"\x81\x08" + bytes(8)
        trace = parse_trace(b"\x00" + varint(len(node)) + node, Faults("a.et"))
        assert (trace.nodes[0].id, trace.nodes[0].attributes) == (3, {})

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "byte 0: found nothing, expected a trace"),
            (b"\x05\x0a", "byte 0: found a message of 5 bytes, expected at most the 1 left"),
            (b"\xff" * 12, "byte 0: found an integer that does not end"),
            (BYTES[:-1], "byte 8: found a message of"),
            (b"\x00\x02\x0a\x09", "byte 2: found a field of 9 bytes that its message cuts short"),
            (b"\x00\x01\x0b", "byte 2: found field 1 of wire type 3, expected type 0, 1, 2 or 5"),
            (b"\x02\x08\x01", "found a field of another kind, expected UTF-8 text"),
            (b"\x03\x0a\x01\xff", "expected UTF-8 text"),
            (b"\x00\x03\x0a\x01a", "found field 1 as text, expected a number"),
            (b"\x00\x02\x50\x01", "found a number, expected a message"),
            (b"\x00\x02\x28\x07", "node 0: found a need of node 7, expected one of the file"),
            (b"\x00\x02\x08\x01\x02\x08\x01", "found two nodes of one id"),
        ],
    )
    def test_malformed(self, data, message):
        with pytest.raises(FaultsError, match=f"^a.et: .*{message}"):
            parse_trace(data, Faults("a.et"))
