"""MSCCL XML: golden files, round trips of every algorithm, programs as others write them, every fault."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from topo_sim.base import CollectiveError, FaultsError
from topo_sim.base.files.faults import Faults
from topo_sim.collectives import ALGORITHMS, Schedule, build_schedule, cost, replay
from topo_sim.collectives.formats import export_schedule, load_schedule
from topo_sim.collectives.formats.msccl_read import schedule_of
from topo_sim.collectives.formats.msccl_write import program_of
from topo_sim.collectives.formats.msccl_xml import parse_program, program_text
from topo_sim.collectives.formats.program import MSCCL_NAMES
from topo_sim.topo import single_switch

GOLDEN = Path(__file__).parent / "golden"
ALL = [
    (c, name)
    for c, names in ALGORITHMS.items()
    for name in names
    if c in MSCCL_NAMES and not names[name].switches
]
every = pytest.mark.parametrize(("collective", "name"), ALL)


def made(collective, name, p, **options):
    try:
        return build_schedule(collective, name, p, 0, **options)
    except CollectiveError:
        return None


def read(text, file="a.xml"):
    faults = Faults(file)
    return schedule_of(parse_program(text.encode(), faults), faults)


def there_and_back(schedule, **options):
    return read(program_text(program_of(schedule, **options)))


def transfers(schedule):
    """How often each transfer happens, whatever the step."""
    found = Counter()
    for step in schedule.steps:
        for repetition in range(step.repeat):
            indptr, ids = step.carried(repetition, schedule.chunks)
            for i in range(len(step)):
                carried = tuple(ids[indptr[i] : indptr[i + 1]].tolist())
                ends = int(step.source[i]), int(step.target[i])
                found[(*ends, carried, bool(step.reduce[i]), round(float(step.fraction[i]), 12))] += 1
    return found


@pytest.mark.parametrize(
    ("collective", "name"),
    [("all_reduce", "ring"), ("all_to_all", "bruck"), ("all_reduce", "recursive_doubling")],
)
def test_golden(tmp_path, collective, name):
    file = f"{collective}_{name}_3.xml"
    schedule = build_schedule(collective, name, 3, 12)
    assert export_schedule(schedule, tmp_path / file, "msccl") == [tmp_path / file]
    assert (tmp_path / file).read_bytes() == (GOLDEN / file).read_bytes()
    back = load_schedule(GOLDEN / file)
    assert transfers(back) == transfers(schedule)
    assert back.step_count == schedule.step_count


@every
@pytest.mark.parametrize("in_place", [True, False])
def test_round_trip(collective, name, in_place):
    for p in (1, 2, 3, 4, 5, 8, 12):
        schedule = made(collective, name, p)
        if schedule is None:
            continue
        back = there_and_back(schedule, in_place=in_place)
        replay(back)
        assert (back.collective, back.ranks, back.chunks) == (schedule.collective, p, schedule.chunks)
        assert transfers(back) == transfers(schedule)
        assert back.step_count == schedule.step_count
        fabric = single_switch(max(p, 2))
        for size in (0.0, 1e6):
            ours = cost(Schedule(**{**vars(schedule), "size": size}), fabric).time
            assert cost(Schedule(**{**vars(back), "size": size}), fabric).time == pytest.approx(
                ours, rel=1e-9
            )


@pytest.mark.parametrize(
    ("collective", "name"),
    [
        *[("all_reduce", n) for n in ("ring", "bidirectional_ring", "halving_doubling")],
        *[("all_gather", n) for n in ("ring", "recursive_doubling")],
        *[("reduce_scatter", n) for n in ("ring", "recursive_halving")],
        *[("all_to_all", n) for n in ("direct", "pairwise", "bruck")],
        ("broadcast", "binomial_tree"),
    ],
)
def test_steps_survive_without_rounds_where_ranks_are_alike(collective, name):
    schedule = build_schedule(collective, name, 8, 0)
    text = re.sub(r' round="\d+"', "", program_text(program_of(schedule)))
    assert read(text).step_count == schedule.step_count
    later = re.sub(
        r'round="(\d+)"', lambda m: f'round="{5 * int(m[1]) + 2}"', program_text(program_of(schedule))
    )
    assert read(later).step_count == schedule.step_count


@every
def test_what_the_runtimes_ask_for(collective, name):
    schedule = made(collective, name, 4)
    root = ElementTree.fromstring(program_text(program_of(schedule)))
    assert {"name", "proto", "nchannels", "nchunksperloop", "ngpus", "coll"} < set(root.attrib)
    assert {"inplace", "outofplace", "minBytes", "maxBytes"} < set(root.attrib)
    for gpu in root:
        awaited, flagged, taken = set(), set(), set()
        for tb in gpu:
            steps = list(tb)
            assert [int(step.get("s")) for step in steps] == list(range(len(steps)))
            assert (tb.get("send") == "-1") or (tb.get("recv") == "-1")
            peer = (tb.get("send"), tb.get("recv"), tb.get("chan"))
            assert peer not in taken
            taken.add(peer)
            for step in steps:
                if step.get("depid") != "-1":
                    assert step.get("depid") != tb.get("id")
                    awaited.add((step.get("depid"), step.get("deps")))
                if step.get("hasdep") == "1":
                    flagged.add((tb.get("id"), step.get("s")))
        assert awaited == flagged


def step(s, kind, src="i", so=0, dst="i", do=0, cnt=1, depid=-1, deps=-1):
    return (
        f'<step s="{s}" type="{kind}" srcbuf="{src}" srcoff="{so}" dstbuf="{dst}" dstoff="{do}" cnt="{cnt}" '
        f'depid="{depid}" deps="{deps}" hasdep="0"/>'
    )


def algo(gpus, coll="allreduce", chunks=None, more='inplace="1"', scratch=0):
    inside = "\n".join(
        f'<gpu id="{i}" i_chunks="0" o_chunks="0" s_chunks="{scratch}">\n{blocks}\n</gpu>'
        for i, blocks in enumerate(gpus)
    )
    head = f'<algo name="test" proto="Simple" nchannels="1" nchunksperloop="{chunks or len(gpus)}"'
    return f'{head} ngpus="{len(gpus)}" coll="{coll}" {more}>\n{inside}\n</algo>\n'


def tb(number, send, recv, steps):
    return f'<tb id="{number}" send="{send}" recv="{recv}" chan="0">\n' + "\n".join(steps) + "\n</tb>"


def fused_ring(p):
    """The ring as msccl-tools writes it: receive, reduce, copy and send in one operation."""
    gpus = []
    for r in range(p):
        chunks = [(r - 1 - s) % p for s in range(2 * p - 2)]
        kinds = ["rrs"] * (p - 2) + ["rrcs"] + ["rcs"] * (p - 2) + ["r"]
        body = [step(0, "s", so=r, do=r)]
        body += [step(s + 1, kind, so=c, do=c) for s, (kind, c) in enumerate(zip(kinds, chunks, strict=True))]
        gpus.append(tb(0, (r + 1) % p, (r - 1) % p, body))
    return algo(gpus)


@pytest.mark.parametrize("p", [2, 3, 4, 7])
def test_fused_operations(p):
    back = read(fused_ring(p))
    assert transfers(back) == transfers(build_schedule("all_reduce", "ring", p, 0))
    assert back.step_count == 2 * (p - 1)


def all_pairs(p):
    """Every rank collects its chunk from all others in scratch, reduces it, and sends it to all."""
    gpus = []
    for r in range(p):
        peers = [q for q in range(p) if q != r]
        blocks, waits = [], []
        for n, q in enumerate(peers):
            steps = [step(0, "s", so=q, do=0), step(1, "r", dst="s", do=n)]
            steps.append(step(2, "re", "s", n, "i", r, 1, *(waits[-1] if waits else (-1, -1))))
            waits.append((n, 2))
            blocks.append(steps)
        for n, (q, steps) in enumerate(zip(peers, blocks, strict=True)):
            depend = waits[-1] if n < len(peers) - 1 else (-1, -1)
            steps += [step(3, "s", "i", r, "i", r, 1, *depend), step(4, "r", dst="o", do=q)]
            blocks[n] = tb(n, q, q, steps)
        gpus.append("\n".join(blocks))
    return algo(gpus, scratch=p - 1)


@pytest.mark.parametrize("p", [2, 3, 5])
def test_scratch_and_local_reductions(p):
    back = read(all_pairs(p))
    replay(back)
    assert back.step_count == 2
    assert [len(s) for s in back.steps] == [p * (p - 1)] * 2
    assert [s.reduce.all() for s in back.steps] == [True, False]


def test_out_of_place_all_gather_with_two_chunks_per_message():
    gpus = [
        tb(0, 1 - r, 1 - r, [step(0, "s", cnt=2), step(1, "r", dst="o", do=2 - 2 * r, cnt=2)])
        + tb(1, -1, -1, [step(0, "cpy", "i", 0, "o", 2 * r, 2)])
        for r in range(2)
    ]
    back = read(algo(gpus, "allgather", 4, 'inplace="0"'))
    assert (back.chunks, back.step_count, back.message_count) == (4, 1, 2)


def test_a_program_of_two_versions_at_once_is_refused():
    # Rank 0 sums in scratch and later sends its own, unreduced, chunk as well.
    gpus = [
        tb(0, 1, 1, [step(0, "r", dst="s"), step(1, "re", "i", 0, "s", 0), step(2, "s", "i", 0)])
        + tb(1, -1, -1, [step(0, "cpy", "s", 0, "i", 0, 1, 0, 2)]),
        tb(0, 0, 0, [step(0, "s"), step(1, "rrc")]),
    ]
    with pytest.raises(CollectiveError, match="one version per chunk and rank"):
        read(algo(gpus, chunks=1, scratch=1))


RING = fused_ring(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.xml:1: the file: found XML that cannot be read \(no element found\)"),
        ("<algo>", "cannot be read"),
        ("<algo/>\n<algo/>", "cannot be read"),
        ("\x00", "cannot be read"),
        ("<gpu/>", "found <gpu>, expected <algo>"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><algo/>', "document type"),
        ("<algo/>", "algo.coll: found nothing, expected allgather"),
        (RING.replace("allreduce", "alltonext"), 'algo.coll: found "alltonext"'),
        (RING.replace('ngpus="3"', 'ngpus="4"'), "found 4, expected the 3 <gpu>"),
        (RING.replace('ngpus="3"', 'ngpus="-3"'), 'found "-3", expected an integer from 1'),
        (RING.replace('ngpus="3"', 'ngpus="99999999999999"'), "expected an integer"),
        (RING.replace('nchunksperloop="3"', 'nchunksperloop="x"'), 'nchunksperloop: found "x"'),
        (RING.replace('nchunksperloop="3"', 'nchunksperloop="999999999"'), "at most 4,000,000 in all"),
        (RING.replace('nchunksperloop="3"', 'nchunksperloop="0"'), "nchunksperloop: found"),
        (RING.replace("allreduce", "allgather").replace('loop="3"', 'loop="4"'), "multiple of 3"),
        (RING.replace('<gpu id="1"', '<gpu id="2"'), "gpu.id: found 2, expected 1"),
        (RING.replace("gpu", "cpu").replace("ncpus", "ngpus"), "found <cpu>, expected <gpu>"),
        (RING.replace("step s", "op step"), "newer form"),
        (RING.replace('send="1"', 'send="0"'), "another than the block's own rank"),
        (RING.replace('send="1"', 'send="3"'), 'send: found "3", expected an integer from -1 to 2'),
        (RING.replace('type="rrs"', 'type="rss"'), 'found "rss", expected one of nop, s, r'),
        (RING.replace('send="1"', 'send="-1"'), 'found "s" in a thread block with send="-1"'),
        (RING.replace('srcbuf="i"', 'srcbuf="x"'), 'srcbuf: found "x", expected i, o or s'),
        (RING.replace('srcoff="0"', 'srcoff="3"'), "found chunks 3 to 3 of i, expected less than its 3"),
        (RING.replace('dstbuf="i"', 'dstbuf="s"'), "of s, expected less than its 0"),
        (RING.replace('cnt="1"', 'cnt="0"'), 'cnt: found "0", expected an integer at least 1'),
        (RING.replace('s="1"', 's="2"'), "found 2, expected 1"),
        (RING.replace('depid="-1"', 'depid="1"'), 'depid: found "1", expected an integer from -1 to 0'),
        (RING.replace('depid="-1" deps="-1"', 'depid="0" deps="4"'), "expected an earlier step"),
        (RING.replace(step(4, "r", so=0, do=0), ""), "found 4 sends and 3 receives from"),
        (RING.replace('cnt="1"', 'cnt="2"', 1), "expected as many|expected less"),
        (RING.replace("rrcs", "rcs"), "after the last step: found chunk"),
        (RING.replace("rrs", "rcs"), "found rank|after the last step"),
        (RING.replace("allreduce", "allgather"), "found chunks 1 to 1 of i, expected less than its 1"),
    ],
)
def test_malformed(text, message):
    with pytest.raises(FaultsError, match=message) as caught:
        read(text)
    for line in caught.value.faults:
        assert re.match(r"a\.xml(:\d+)?: [^:]+: ", line), line
        assert "\n" not in line


def test_faults_have_their_line():
    text = RING.replace('type="rrcs"', 'type="x"', 1)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if 'type="x"' in row)
    with pytest.raises(FaultsError, match=f"^a.xml:{line}: step.type: "):
        read(text)


@pytest.mark.parametrize(
    ("blocks", "coll", "message"),
    [
        ([tb(0, 1, 1, [step(0, "r"), step(1, "s")]), tb(0, 0, 0, [step(0, "r"), step(1, "s")])], "allreduce",
         "wait for each other"),
        ([tb(0, 1, -1, [step(0, "s", "o", 1)]), tb(0, -1, 0, [step(0, "r", dst="o")])], "allgather",
         "read before anything is there"),
        ([tb(0, 1, -1, [step(0, "s")]), tb(0, -1, 0, [step(0, "rrc", do=1)])], "allreduce",
         "found chunk 0 reduced into chunk 1"),
        ([tb(0, 1, -1, [step(0, "s"), step(1, "s")]), tb(0, -1, 0, [step(0, "rrc"), step(1, "rrc")])],
         "allreduce", "contribution to chunk 0 reduced twice"),
        ([tb(0, 1, -1, [step(0, "s")]), tb(0, -1, 0, [step(0, "rrc", dst="o", do=1)])], "allgather",
         "in all-gather, expected no reduction"),
        (["", ""], "allreduce", "found chunk 0 of 1 ranks in chunk 0 of the output"),
        (["", ""], "alltoall", "found nothing|found chunk"),
    ],
)  # fmt: skip
def test_programs_that_do_not_do_it(blocks, coll, message):
    with pytest.raises(FaultsError, match=message):
        read(algo(blocks, coll))


def test_unreadable_files(tmp_path):
    with pytest.raises(FaultsError, match="cannot be read"):
        load_schedule(tmp_path / "none.xml")
    with pytest.raises(FaultsError, match="cannot be read"):
        load_schedule(tmp_path)


def test_what_cannot_be_written(tmp_path):
    ring = build_schedule("all_reduce", "ring", 1001, 0)
    with pytest.raises(CollectiveError, match="2002000 messages, expected 1000000"):
        export_schedule(ring, tmp_path / "a.xml", "msccl")
    small = build_schedule("all_reduce", "ring", 4, 0)
    with pytest.raises(CollectiveError, match="cannot be written"):
        export_schedule(small, tmp_path / "no" / "a.xml", "msccl")
    assert list(tmp_path.iterdir()) == []
