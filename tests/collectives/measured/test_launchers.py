"""Logs as they lie about: under launchers, one after the other, in other encodings, cut off, mislabelled."""

import json

import pytest

from topo_sim.base import FaultsError
from topo_sim.collectives.measured import read_log
from topo_sim.collectives.measured.lines import clean_lines, split_tests

SIZES = (8, 1024, 2**20, 2**26, 2**30)


def log(collective="all_reduce", ranks=8, true_ranks=None, newer=True, listed=True):
    """What nccl-tests prints; 100 GB/s from 1 MiB on, 10 us below."""
    p = true_ranks or ranks
    factor = 2 * (p - 1) / p if collective == "all_reduce" else (p - 1) / p
    lines = [f"# Collective test starting: {collective}_perf"] if newer else []
    lines += ["# nThread 1 nGpus 1 minBytes 8 maxBytes 1073741824", "# Using devices"]
    if listed:
        lines += [f"#  Rank {r:2} Group 0 Pid 1 on n0 device {r} [0x0{r}] NVIDIA H100" for r in range(ranks)]
    lines.append(
        "#       size  count  type  redop  root  time  algbw  busbw #wrong  time  algbw  busbw #wrong"
    )
    for size in SIZES:
        time = max(10.0, size / 1e5)
        rate = size / time / 1e3
        cells = f"{time:.2f} {rate:.2f} {rate * factor:.2f} 0"
        lines.append(f"   {size}  {size // 4}  float  sum  -1  {cells}  {cells}")
    return "\n".join([*lines, "# Out of bounds values : 0 OK"]) + "\n"


def read(tmp_path, text, name="log.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_log(path)


def kept(found):
    return [(row.collective, row.ranks, row.size, row.time) for row in found.rows]


@pytest.mark.parametrize(
    "prefix",
    [
        "[1,0]<stdout>:",
        "[1,0]<stdout>: ",
        "[prterun-node1-77@1,0]<stdout>: ",
        "[0] ",
        "0: ",
        " 0: ",
        "2024-01-01T00:00:00Z ",
        "2024-01-01 00:00:00,123 ",
        "[2024-01-01 00:00:00] ",
        "12:34:56.789 ",
        "2024-01-01T00:00:00.1+02:00 0: ",
        "\x1b[32m",
    ],
)
def test_what_launchers_put_before_a_line(tmp_path, prefix):
    plain = read(tmp_path, log())
    tagged = "".join(f"{prefix}{line}\n" for line in log().splitlines())
    found = read(tmp_path, tagged)
    assert kept(found) == kept(plain)
    assert (len(found.rows), found.faults) == (len(SIZES), ())


def test_colours_inside_a_line(tmp_path):
    text = log().replace("float", "\x1b[1;31mfloat\x1b[0m")
    assert kept(read(tmp_path, text)) == kept(read(tmp_path, log()))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_other_encodings(tmp_path, encoding):
    assert kept(read(tmp_path, log().encode(encoding))) == kept(read(tmp_path, log()))


def test_bytes_that_are_no_text(tmp_path):
    with pytest.raises(
        FaultsError, match="found bytes of 0, expected text in UTF-8, or in UTF-16 with a byte"
    ):
        read(tmp_path, log().encode("utf-16-le"))


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_what_separates_cells(tmp_path, delimiter):
    text = "collective,n_gpus,bytes,time_us\nall_reduce,8,1024,16.5\n".replace(",", delimiter)
    assert kept(read(tmp_path, text, "a.csv")) == [("all_reduce", 8, 1024, pytest.approx(16.5e-6))]


def test_a_decimal_comma_is_named(tmp_path):
    text = "collective;n_gpus;bytes;time_us\nall_reduce;8;1024;16,5\n"
    with pytest.raises(FaultsError, match='time: found "16,5", expected a number with a decimal point'):
        read(tmp_path, text, "a.csv")


@pytest.mark.parametrize(
    "text",
    [
        log("all_reduce") + log("all_gather"),
        log("all_reduce") + "# Collective test concluded: all_reduce_perf\n" + log("all_gather"),
        "./all_reduce_perf -b 8\n"
        + log(newer=False)
        + "+ ./all_gather_perf\n"
        + log("all_gather", newer=False),
        # The first try ended before it measured anything.
        "./all_gather_perf\n# nThread 1\nKilled\n" + log("all_reduce") + log("all_gather"),
        "/bin/all_reduce_perf\n"
        + log(newer=False, listed=False)
        + "done all_reduce_perf\n"
        + log("all_gather"),
    ],
)
def test_two_tests_in_one_file(tmp_path, text):
    found = read(tmp_path, text, "all_reduce.txt")
    expected = [(c, 8, float(n)) for c in ("all_reduce", "all_gather") for n in SIZES]
    assert [row[:3] for row in kept(found)] == expected
    assert found.faults == ()


def test_a_second_test_without_a_name_is_not_taken_for_the_first(tmp_path):
    found = read(tmp_path, "./all_reduce_perf\n" + log(newer=False) + log("all_gather", newer=False))
    assert {row.collective for row in found.rows} == {"all_reduce"}
    assert len(found.rows) == len(SIZES)
    (fault,) = found.faults
    assert "found no collective's name" in fault


def test_line_numbers_count_from_the_start_of_the_file(tmp_path):
    text = log() + log("all_gather")
    found = read(tmp_path, text)
    lines = text.splitlines()
    assert all(lines[row.line - 1].split()[0] == str(int(row.size)) for row in found.rows)


def test_a_list_of_ranks_that_most_rows_contradict_refuses_the_test(tmp_path):
    with pytest.raises(FaultsError) as caught:
        read(tmp_path, log(ranks=4, true_ranks=8))
    (fault,) = caught.value.faults
    assert "found busbw/algbw 1.750, expected 1.500 for 4 ranks of all_reduce (1.750 is that of 8)" in fault
    assert fault.endswith("as in 4 of 4 rows; left out are all 5 of the test")
    # The other test of the file stays.
    both = read(tmp_path, log(ranks=4, true_ranks=8) + log("all_gather"))
    assert {row.collective for row in both.rows} == {"all_gather"}
    assert len(both.faults) == 1
    # A wrong name is found by the same sign.
    with pytest.raises(FaultsError, match="left out are all 5 of the test"):
        read(tmp_path, log("all_gather").replace("all_gather", "all_reduce"))


def test_one_bad_row_does_not_refuse_the_others(tmp_path):
    lines = log().splitlines()
    bad = next(i for i, line in enumerate(lines) if line.split()[0] == str(2**30))
    lines[bad] = lines[bad].replace("175.00", "150.00")
    found = read(tmp_path, "\n".join(lines))
    assert len(found.rows) == len(SIZES) - 1
    (fault,) = found.faults
    assert f"line {bad + 1}: found busbw/algbw 1.500" in fault


@pytest.mark.parametrize("cells", [1, 2, 3, 5])
def test_a_row_that_is_cut_off_is_named(tmp_path, cells):
    lines = log().splitlines()[:-1]
    text = "\n".join([*lines[:-1], " ".join(lines[-1].split()[:cells])])
    found = read(tmp_path, text)
    assert len(found.rows) == len(SIZES) - 1
    (fault,) = found.faults
    assert f"line {len(lines)}: found {cells} cells, expected a whole row" in fault


def report(size):
    row = {"size": size, "experiment_name": "AllReduce", "out_of_place": {"time": 1.0}}
    return json.dumps({"config": {"devices": [{}] * 8}, "results": [row, {**row, "size": 1024}]})


def test_numbers_of_too_many_digits(tmp_path):
    text = report(7).replace('"size": 7', '"size": ' + "9" * 5000)
    with pytest.raises(FaultsError, match=r"found broken JSON \(a number of too many digits\)"):
        read(tmp_path, text, "a.json")
    found = read(tmp_path, report(7).replace('"size": 7', '"size": ' + "9" * 400), "a.json")
    assert len(found.rows) == len(found.faults) == 1
    ranks = "collective,n_gpus,bytes,time_us\nall_reduce,{},8,1\nall_reduce,8,8,1\n"
    for number in ("9" * 5000, "\u00b2"):
        (fault,) = read(tmp_path, ranks.format(number), "a.csv").faults
        assert "ranks, expected a whole number" in fault
    text = log().replace("#  Rank  0", "#  Rank " + "1" * 5000)
    with pytest.raises(FaultsError, match=r"expected 1\.714 for 7 ranks"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("size", "sound"), [("9223372036854775808", True), ("1e19", False), ("1e300", False)]
)
def test_sizes_beyond_63_bits(tmp_path, size, sound):
    text = f"collective,n_gpus,bytes,time_us\nall_reduce,8,{size},15\nall_reduce,8,8,15\n"
    found = read(tmp_path, text, "a.csv")
    assert len(found.rows) == 1 + sound
    assert sound or "expected at most 2^63 bytes" in found.faults[0]


def test_lines_of_no_test():
    assert split_tests([]) == [range(0, 0)]
    assert clean_lines("") == []
    assert clean_lines("12: 34: 5") == ["5"]
