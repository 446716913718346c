from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from lit_infer.bench import report
from lit_infer.bench.cold_start import ColdRow
from lit_infer.bench.compare import Ratio
from lit_infer.bench.result import BenchResult
from lit_infer.bench.rows import BenchRow
from lit_infer.bench.tuning.aims import Aim, Tried, Tuned
from tests.inference.bench.rows import HELD, ON_SERVER, RECORD, ROW
from tests.inference.tiny import described

ROWS = [
    replace(ROW, batch_size=4, images_per_s=900.4),
    ROW,
    replace(ROW, batch_size=8, images_per_s=1234.5),
    replace(ROW, batch_size=16, images_per_s=1100),
]
PLACE: dict[str, Any] = {"cpu": "A CPU", "cores": 2, "cpu_flags": ["avx2"]}


def printed(table: Table | None, width: int = 80) -> list[str]:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def lines(rows: list[BenchRow], *, everything: bool) -> list[list[str]]:
    return [line.split() for line in printed(report.table(rows, everything=everything))]


def test_batch_one_and_the_best_batch_are_shown() -> None:
    _, *found = lines(ROWS, everything=False)

    assert found == [
        ["onnx", "1", "2.00", "2.50", "2.75", "3.00", "4.00", "2.10", "500"],
        ["onnx", "8", "2.00", "2.50", "2.75", "3.00", "4.00", "2.10", "1,234", "*"],
    ]


def test_everything_is_shown_in_order_where_it_is_asked_for() -> None:
    _, *found = lines(ROWS, everything=True)

    assert [line[1] for line in found] == ["1", "4", "8", "16"]


def test_each_format_has_its_own_best_batch() -> None:
    _, *found = lines([*ROWS, replace(ROW, format="torchscript", images_per_s=10)], everything=False)

    assert [(line[0], line[1]) for line in found if line[-1] == "*"] == [("onnx", "8"), ("torchscript", "1")]


def test_callers_and_threads_have_columns_where_they_differ() -> None:
    shared = replace(ROW, via="submit", callers=32, batch_size=8)

    head, first, second = lines([ROW, shared], everything=False)

    assert head[:5] == ["format", "batch", "callers", "p50", "ms"]
    assert (first[1:3], second[1:3]) == (["1", "1"], ["≤8", "32"])
    assert lines([ROW, replace(ROW, threads=1)], everything=True)[0][:3] == ["format", "batch", "threads"]


def test_a_served_model_has_no_threads_to_show_and_no_bound_on_its_batch() -> None:
    served = replace(ROW, **ON_SERVER, format="http", via="submit", callers=4)

    assert [line[:3] for line in lines([ROW, served], everything=True)][1:] == [["http", "1", "4"], ["onnx", "1", "1"]]
    threads = [line[2] for line in lines([ROW, replace(ROW, threads=1), replace(served, via="call")], everything=True)]
    assert threads == ["threads", "-", "1", "2"]


def test_the_floor_of_client_and_wire_is_named() -> None:
    (line, _) = report.notes(BenchResult("m", described(), PLACE, rows=[ROW], served=[RECORD]))

    assert line.startswith("client + HTTP floor, part of every figure of http (GET /v2/health/live): ")
    assert line.endswith("1 at once 0.250 ms, 3,900/s; 16 at once 4.00 ms, 4,000/s")


def test_requests_that_failed_are_told_with_the_reason() -> None:
    failed = replace(ROW, format="http", callers=8, calls=90, failed=10, why_failed="full")

    notes = report.notes(BenchResult("m", described(), PLACE, rows=[failed]))

    assert "10 of 100 requests of http (8 callers) failed and are not in any figure: full" in notes


def test_a_percentile_of_too_few_calls_is_not_printed_and_the_notes_say_why() -> None:
    few = replace(ROW, p99_ms=None, p999_ms=None)

    found = lines([few], everything=False)[1]
    notes = report.notes(BenchResult("m", described(), PLACE, rows=[few]))

    assert found[5:7] == ["-", "-"]
    assert "- too few calls to tell (p90 needs 30, p99 needs 300, p99.9 needs 3,000): raise --seconds" in notes


def test_the_notes_name_the_machine_and_other_work_on_it() -> None:
    calm, busy = ({**PLACE, "load_average": load} for load in (0.4, 3.0))

    assert report.notes(BenchResult("m", described(), calm, rows=[ROW])) == ["A CPU, 2 cores (avx2)"]
    assert "other work is running here" in report.notes(BenchResult("m", described(), busy, rows=[ROW]))[-1]


def test_where_the_work_on_an_image_goes_is_shown_in_shares() -> None:
    parts = {"read": 0.5, "decode": 1.5, "resize": 1.0, "infer": 2.0}

    table = printed(report.stages([ROW, replace(ROW, decoded=True, stages_ms=parts)]))

    assert len(table) == 2
    assert table[1].split()[4:] == ["0.500", "10%", "1.50", "30%", "1.00", "20%", "2.00", "40%"]
    assert report.stages([ROW]) is None


def test_scenarios_give_their_result_in_their_own_terms() -> None:
    single = replace(HELD, scenario="single-stream", percentile=90, latency_ms=2.5, rate=None)
    few = replace(single, scenario="multi-stream", percentile=99, latency_ms=None, valid=False, why="186 queries")
    offline = replace(HELD, scenario="offline", percentile=None, latency_ms=None, rate=None, images_per_s=1234.0)

    _, *found = printed(report.scenarios([single, few, HELD, offline]))

    assert "p90 2.50 ms" in found[0]
    assert "p99 - " in found[1]
    assert found[1].endswith("no")
    assert "398 queries/s, p99 48.7 of 50 ms" in found[2]
    assert "1,234 images/s" in found[3]


def test_no_table_is_wider_than_80_columns() -> None:
    wide = replace(ROW, format="aotinductor fp16", batch_size=4096, callers=4096, via="submit", p999_ms=12345.6)
    wide = replace(wide, stages_ms=dict.fromkeys(("read", "decode", "resize", "infer"), 1234.0))
    result = BenchResult(
        "m", described(), PLACE, rows=[ROW, replace(ROW, threads=64), replace(wide, images_per_s=123456)]
    )
    result.scenarios = [HELD]
    result.cold = [ColdRow("aotinductor fp16", 1234, 1234, 1234, 12345, 1234)]

    ratios = [Ratio("aotinductor fp16 batch 4096, threads 64 callers 4096", "images_per_s", 123456, 1)]
    for table in report.tables(result, ratios, everything=True):
        assert max(map(len, printed(table, width=200))) <= 100
        assert not any("…" in line for line in printed(table))


def tuned(aim: Aim, chosen: Tried, default: Tried) -> Tuned:
    return Tuned(aim, chosen, default, (chosen, default))


def test_tune_says_what_was_chosen_and_by_how_much() -> None:
    chosen, default = Tried("onnx", 2, 4, 1200), Tried("onnx", 2, 8, 1000)

    assert report.tuned(tuned(Aim("throughput"), chosen, default)) == [
        "throughput: onnx, 2 threads, batch 4, 1,200 images/s, 1.20 times as many",
        "the default is onnx, 2 threads, batch 8",
    ]
    assert (
        "the default; nothing else is more than 3% better"
        in report.tuned(tuned(Aim("throughput"), default, default))[0]
    )
    rows = printed(report.tried(tuned(Aim("throughput"), chosen, default)))
    assert [line.split()[-1] for line in rows[1:]] == ["chosen", "default"]


def test_tune_says_when_the_default_is_over_the_bound() -> None:
    chosen, default = Tried("onnx", 1, 4, 800, 15.0), Tried("onnx", 2, 8, 1000, 31.0)

    assert report.tuned(tuned(Aim("p99<20ms", 99, 20), chosen, default)) == [
        "p99<20ms: onnx, 1 thread, batch 4, p99 15 ms and 800 images/s, 0.80 times as many",
        "the default is onnx, 2 threads, batch 8, with p99 31 ms",
    ]
