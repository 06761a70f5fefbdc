"""Logs of nccl-tests in every form, and every way in which they lie."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topo_sim.base import FaultsError, TopoSimError
from topo_sim.collectives.collective import COLLECTIVES
from topo_sim.collectives.measured import read_log
from topo_sim.collectives.measured.rows import check_row, collective_name, recover_ranks

NEW = """\
# nThread 1 nGpus 1 minBytes 8 maxBytes 1073741824 step: 2(factor) warmup iters: 5 iters: 20
# Using devices
#  Rank  0 Group  0 Pid   6899 on node1 device  0 [0000:04:00] NVIDIA H100 80GB HBM3
#  Rank  1 Group  0 Pid   6900 on node1 device  1 [0000:05:00] NVIDIA H100 80GB HBM3
#  Rank  2 Group  0 Pid   6901 on node1 device  2 [0x0b] NVIDIA H100 80GB HBM3
#  Rank  3 Group  0 Pid   6902 on node1 device  3 [0x0c] NVIDIA H100 80GB HBM3
#
#                                                              out-of-place                       in-place
#       size       count   type  redop   root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)  (elements)                       (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
           0             0     float  sum   -1     8.49    0.00    0.00      0     8.38    0.00    0.00      0
           8             2     float  sum   -1    13.67    0.00    0.00      0    13.03    0.00    0.00      0
  1073741824  268435456  float  sum   -1   4029.4  266.48  399.72      0   4000.0  268.44  402.65    N/A
# Out of bounds values : 0 OK
"""


def write(tmp_path, text, name="all_reduce.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_text_as_it_is_printed(tmp_path):
    log = read_log(write(tmp_path, NEW))
    assert log.faults == ()
    assert [(r.line, r.size, r.time, r.ranks, r.collective) for r in log.rows] == [
        (12, 8, pytest.approx(13.67e-6), 4, "all_reduce"),
        (13, 2**30, pytest.approx(4029.4e-6), 4, "all_reduce"),
    ]
    assert log.rows[0].system == "4x NVIDIA H100 80GB HBM3"
    assert log.rows[1].busbw == pytest.approx(399.72e9, rel=1e-4)


def test_text_without_a_root_and_ranks_from_the_bandwidths(tmp_path):
    text = """./build/all_gather_perf -b 1M -e 2M
#                                             out-of-place                in-place
#       size    count   type   redop     time   algbw   busbw  error     time   algbw   busbw  error
     1048576    65536  float    none    77.10   13.60   12.75  0e+00    75.00   13.98   13.11  0e+00
  1073741824 67108864  float    none   5711.9  187.98  176.23  0e+00   5710.4  188.03  176.28  0e+00
"""
    rows = read_log(write(tmp_path, text, "log")).rows
    assert [(r.ranks, r.collective, r.time) for r in rows] == [
        (16, "all_gather", pytest.approx(77.1e-6)),
        (16, "all_gather", pytest.approx(5711.9e-6)),
    ]


def test_in_place_first_is_not_taken_for_out_of_place(tmp_path):
    text = NEW.replace(
        "out-of-place                       in-place", "in-place                       out-of-place"
    )
    rows = read_log(write(tmp_path, text)).rows
    assert [r.time for r in rows] == [pytest.approx(13.03e-6), pytest.approx(4000e-6)]


def report(**changes):
    row = {
        "size": 2**30,
        "count": 2**28,
        "type": "float",
        "redop": "sum",
        "root": "    -1",
        "out_of_place": {"time": 4029.4, "alg_bw": 266.477, "bus_bw": 466.334, "nwrong": 0.0},
        "in_place": {"time": 4000.0, "alg_bw": 268.435, "bus_bw": 469.762, "nwrong": 0.0},
        "actual_iterations": 20,
        "experiment_name": "AllReduce",
    }
    devices = [{"rank": i, "device_info": "NVIDIA H100"} for i in range(8)]
    return {"version": 2, "args": ["x"], "config": {"devices": devices}, "results": [row | changes]}


def test_json_report(tmp_path):
    (row,) = read_log(write(tmp_path, json.dumps(report()), "r.json")).rows
    assert (row.collective, row.ranks, row.size, row.time) == (
        "all_reduce",
        8,
        2**30,
        pytest.approx(4029.4e-6),
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"out_of_place": None}, "found no out_of_place result"),
        ({"experiment_name": "SendRecv"}, "found no collective's name"),
        ({"size": "big"}, 'size: found "big", expected a number'),
        ({"out_of_place": {"time": "nan", "alg_bw": 1, "bus_bw": 1}}, "expected more than 0"),
        (
            {"out_of_place": {"time": 4029.4, "alg_bw": 266.477, "bus_bw": 466.334, "nwrong": 3.0}},
            "found 3 wrong results",
        ),
    ],
)
def test_json_rows_that_lack_something(tmp_path, change, text):
    with pytest.raises(FaultsError, match=text):
        read_log(write(tmp_path, json.dumps(report(**change)), "r.json"))


def test_csv_with_other_names_for_its_columns(tmp_path):
    text = "Collective,nRanks,Size (B),Time (us)\nAllReduce,8,1024,16.5\n\nall_gather_perf,8,2048,17\n"
    rows = read_log(write(tmp_path, text, "x.csv")).rows
    assert [(r.collective, r.ranks, r.size, r.line) for r in rows] == [
        ("all_reduce", 8, 1024, 2),
        ("all_gather", 8, 2048, 4),
    ]


HEADER = "hardware,n_gpus,collective,bytes,time_us,algbw_GBps,busbw_GBps,note\n"
GOOD = "x,8,all_reduce,1073741824,4029.4,266.48,466.34,\n"


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("x,16,all_reduce,1073741824,4029.4,266.48,466.33,", "16 ranks of all_reduce (1.750 is that of 8"),
        ("x,8,all_reduce,1073741824,4029.4,266.48,600.00,", "expected 1.750 for 8 ranks"),
        ("x,8,all_reduce,1073741824,4029.4,300.00,525.00,", "found algbw 300 GB/s, expected size/time"),
        ("x,8,all_reduce,1024,0,0,0,", "found time 0 us, expected more than 0"),
        ("x,8,all_reduce,1024,-5,0,0,", "found time -5 us, expected more than 0"),
        ("x,8,all_reduce,1024,inf,0,0,", "found time inf us"),
        ("x,8,all_reduce,-8,5,0,0,", "found size -8, expected bytes of more than 0"),
        ("x,0,all_reduce,1024,5,0,0,", "found 0 ranks, expected at least 1"),
        ("x,eight,all_reduce,1024,5,0,0,", 'found "eight" ranks, expected a whole number'),
        ("x,8,sendrecv,1024,5,0,0,", 'found collective "sendrecv"'),
        ("x,8,all_reduce,1024,fast,0,0,", 'time: found "fast", expected a number'),
        ("x,8,all_reduce,1024,5", "found 5 cells, expected 8 as in the header"),
        ("x,,all_reduce,8,13.67,0.00,0.00,", "found no number of ranks"),
        ("x,8,all_reduce,1024,5,-1,0,", "found algbw -1, expected 0 or more"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_true_are_left_out_and_named(tmp_path, row, text):
    path = write(tmp_path, f"{HEADER}{GOOD}{row}\n", "x.csv")
    log = read_log(path)
    assert len(log.rows) == 1
    (fault,) = log.faults
    assert fault.startswith(f"{path}: line 3: ")
    assert text in fault


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "a.txt", "found no row of measurements"),
        ("hello\nworld\n", "a.txt", "found no row of measurements"),
        ("{", "a.json", "found broken JSON"),
        ("[1, 2]", "a.json", "found no list of results"),
        ("a,b\n1,2\n", "a.csv", "found no column for size and time"),
        (NEW, "log.txt", "found no collective's name"),
        ("./sendrecv_perf\n" + NEW, "log.txt", 'found test "sendrecv"'),
    ],
)
def test_files_that_are_no_logs(tmp_path, text, name, said):
    path = write(tmp_path, text, name)
    with pytest.raises(FaultsError, match=said) as caught:
        read_log(path)
    assert all(fault.startswith(str(path)) for fault in caught.value.faults)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.log", tmp_path):
        with pytest.raises(FaultsError, match=r"cannot be read|found no row"):
            read_log(path)


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda b: b.decode("latin-1")))
def test_no_text_breaks_the_reader(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("logs") / "all_reduce.txt"
    path.write_text(text, encoding="utf-8", errors="ignore")
    try:
        log = read_log(path)
    except TopoSimError:
        return
    assert all(r.time > 0 and r.size > 0 for r in log.rows)


@given(
    st.sampled_from(["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]),
    st.integers(2, 64),
    st.floats(20, 900),
)
def test_ranks_come_back_from_rounded_bandwidths(collective, ranks, algbw):
    busbw = algbw * COLLECTIVES[collective].busbw_factor(ranks)
    found = recover_ranks(collective, round(algbw, 2), round(busbw, 2))
    assert found in (ranks, None)
    size = algbw * 1e3 * 100.0
    assert check_row(collective, ranks, size, 100.0, round(algbw, 2), round(busbw, 2)) is None


def test_names_of_tests():
    assert collective_name("alltoall_perf") == "all_to_all"
    assert collective_name("reduce_scatter_perf") == "reduce_scatter"
    assert collective_name("sendrecv_perf") is None
    assert recover_ranks("broadcast", 10.0, 10.0) is None
