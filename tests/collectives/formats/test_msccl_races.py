"""Data races in MSCCL XML: what is in no order is refused, and nothing else is."""

import random
import re

import numpy as np
import pytest

from topo_sim.base import FaultsError
from topo_sim.base.files.faults import Faults
from topo_sim.collectives import build_schedule, replay
from topo_sim.collectives.formats.msccl_races import accesses, find_race
from topo_sim.collectives.formats.msccl_read import schedule_of
from topo_sim.collectives.formats.msccl_write import program_of
from topo_sim.collectives.formats.msccl_xml import parse_program, program_text
from topo_sim.collectives.formats.program import RECEIVING, SENDING, Op, Place


def parsed(text):
    return parse_program(text.encode(), Faults("a.xml"))


def without_one_dependence(algorithm, p):
    """The program without rounds, once for each dependence that it lacks."""
    text = program_text(program_of(build_schedule("all_reduce", algorithm, p, 0)))
    lines = re.sub(r' round="\d+"', "", text).splitlines()
    for i, line in enumerate(lines):
        if re.search(r'depid="[0-9]', line):
            bare = re.sub(r'depid="\d+" deps="\d+"', 'depid="-1" deps="-1"', line)
            yield "\n".join([*lines[:i], bare, *lines[i + 1 :]])


def waits(program):
    """Operations and what each waits for, worked out anew: (rank, block, step) -> a set of such."""
    before, sent, received = {}, {}, {}
    for rank, blocks in enumerate(program.gpus):
        for b, block in enumerate(blocks):
            for s, op in enumerate(block.ops):
                mine = before.setdefault((rank, b, s), set())
                if s:
                    mine.add((rank, b, s - 1))
                if op.after:
                    mine.add((rank, *op.after))
                if op.kind in SENDING:
                    sent.setdefault((rank, block.send, block.channel), []).append((rank, b, s))
                if op.kind in RECEIVING:
                    received.setdefault((block.recv, rank, block.channel), []).append((rank, b, s))
    for key, ends in received.items():
        for a, b in zip(sent[key], ends, strict=True):
            before[b].add(a)
    return before


def slow_races(program):
    """All racing pairs, by the closure of what waits for what; in place, so that buffers are one."""
    before = waits(program)
    names = list(before)
    at = {name: i for i, name in enumerate(names)}
    follows = np.zeros((len(names),) * 2, dtype=bool)
    for name, earlier in before.items():
        follows[at[name], [at[e] for e in earlier]] = True
    for k in range(len(names)):
        follows |= follows[:, k : k + 1] & follows[k]
    ops = [program.gpus[r][b].ops[s] for r, b, s in names]
    touched = [[((n[0], p.offset), w) for p, w in accesses(op)] for n, op in zip(names, ops, strict=True)]
    return {
        frozenset((names[i], names[j]))
        for i in range(len(names))
        for j in range(i)
        if not follows[i, j] and not follows[j, i]
        for x, writes in touched[i]
        for y, also in touched[j]
        if x == y and (writes or also)
    }


def a_random_run(program, rng):
    """Contributions in every buffer after one of the orders in which the program may run."""
    before, done, memory, flying = waits(program), set(), {}, {}
    sender = {}
    for name, earlier in before.items():
        for e in earlier:
            if e[0] != name[0]:
                sender[name] = e
    for r in range(program.ranks):
        memory |= {(r, k): frozenset([(k, r)]) for k in range(program.chunks)}
    while len(done) < len(before):
        name = rng.choice([n for n in before if n not in done and before[n] <= done])
        done.add(name)
        op = program.gpus[name[0]][name[1]].ops[name[2]]
        if op.kind == "nop":
            continue
        here = [(name[0], op.target.offset + i) for i in range(op.count)]
        got = flying[sender[name]] if op.kind in RECEIVING else None
        if op.kind == "s":
            got = [memory[name[0], op.source.offset + i] for i in range(op.count)]
        if op.kind in ("rrs", "rrc", "rrcs"):
            got = [a | memory[h] for a, h in zip(got, here, strict=True)]
        if op.kind in ("r", "rcs", "rrc", "rrcs"):
            memory |= dict(zip(here, got, strict=True))
        if op.kind in SENDING:
            flying[name] = got
    return memory


@pytest.mark.parametrize(("algorithm", "p"), [("ring", 4), ("halving_doubling", 4), ("binomial_tree", 4)])
def test_one_dependence_less(algorithm, p):
    refused = accepted = 0
    for text in without_one_dependence(algorithm, p):
        races = slow_races(parsed(text))
        if not races:
            accepted += 1
            schedule = schedule_of(parsed(text), Faults("a.xml"))
            replay(schedule)
            for seed in range(3):
                memory = a_random_run(parsed(text), random.Random(seed))
                for (_, k), found in memory.items():
                    assert found == {(k, r) for r in range(p)}
            continue
        refused += 1
        with pytest.raises(FaultsError) as caught:
            schedule_of(parsed(text), Faults("a.xml"))
        (line,) = caught.value.faults
        found = re.fullmatch(
            r"a\.xml:\d+: gpu\[(\d+)\]\.tb\[(\d+)\]\.step: found chunk \d+ of [ios] (read|written) in "
            r"step (\d+), and (read|written) by tb (\d+) step (\d+) of the same gpu in no order with it, "
            r"expected a depid and deps that order them",
            line,
        )
        assert found, line
        gpu, tb, step, other, at = (int(found[i]) for i in (1, 2, 4, 6, 7))
        assert frozenset([(gpu, tb, step), (gpu, other, at)]) in races
    assert refused > 0
    assert accepted + refused >= 4


def test_a_chunk_sent_on_before_it_must_have_come():
    one = '<step s="0" type="{}" srcbuf="i" srcoff="0" dstbuf="i" dstoff="0" cnt="1" depid="-1" deps="-1"/>'
    comes = '<tb id="{}" send="-1" recv="0" chan="0">' + one.format("r") + "</tb>"
    goes = '<tb id="{}" send="2" recv="-1" chan="0">' + one.format("s") + "</tb>"
    for first, second in ((comes, goes), (goes, comes)):
        text = (
            '<algo name="b" proto="Simple" nchannels="1" nchunksperloop="1" ngpus="3" coll="broadcast" '
            'inplace="1"><gpu id="0" i_chunks="1" o_chunks="1" s_chunks="0">'
            f'<tb id="0" send="1" recv="-1" chan="0">{one.format("s")}</tb></gpu>'
            f'<gpu id="1" i_chunks="1" o_chunks="1" s_chunks="0">{first.format(0)}{second.format(1)}</gpu>'
            '<gpu id="2" i_chunks="1" o_chunks="1" s_chunks="0">'
            f'<tb id="0" send="-1" recv="1" chan="0">{one.format("r")}</tb></gpu></algo>'
        )
        with pytest.raises(FaultsError, match="in no order with it, expected a depid and deps"):
            schedule_of(parsed(text), Faults("a.xml"))


def test_more_sources_than_bits_at_once():
    # A chain of writers of chunks of their own, with one reader after all of them that waits for the last.
    count = 10_000
    ops = [(0, Op("r", Place("i", k), Place("i", k))) for k in range(count)]
    ops += [(0, Op("s", Place("i", 0), Place("i", 0), count))]
    before = [[k - 1] if k else [] for k in range(count)] + [[count - 1]]
    order = list(range(count + 1))
    assert find_race(ops, before, order, lambda _, place: place) is None
    before[7_000] = []  # cut: the first 7,000 are in no order with the reader
    race = find_race(ops, before, order, lambda _, place: place)
    assert (race.first, race.second, race.place, race.writes) == (0, count, Place("i", 0), (True, False))
