import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lit_infer.bench import compare
from lit_infer.bench.cold_start import ColdRow
from lit_infer.bench.result import BenchResult
from lit_infer.errors import UsageError
from tests.inference.bench.rows import ON_SERVER, RECORD, ROW
from tests.inference.tiny import described

PLACE = {"cpu": "A CPU", "cores": 2, "onnxruntime": "1.23"}


def found(*rows: Any, **place: Any) -> dict[str, Any]:
    return BenchResult("m", described(), {**PLACE, **place}, rows=rows).as_data()


def test_a_ratio_is_new_over_old_for_the_same_row() -> None:
    old = found(ROW, replace(ROW, batch_size=8))
    new = found(replace(ROW, p50_ms=1, images_per_s=1000, p99_ms=None))

    ratios = compare.ratios(old, new)

    assert [(one.figure, one.ratio) for one in ratios] == [("p50_ms", 0.5), ("images_per_s", 2.0)]
    assert {one.what for one in ratios} == {"onnx batch 1, threads 2"}


@pytest.mark.parametrize("change", [{"batch_size": 2}, {"threads": 1}, {"decoded": True}, {"via": "submit"}])
def test_rows_of_other_measurements_are_not_compared(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no row in common"):
        compare.ratios(found(ROW), found(replace(ROW, **change)))


def test_cold_starts_are_compared_too() -> None:
    results = [BenchResult("m", described(), PLACE, cold=[ColdRow("onnx", 1, 2, 3, total, 50)]) for total in (300, 150)]

    ratios = compare.ratios(*(one.as_data() for one in results))

    assert [(one.figure, one.ratio) for one in ratios] == [("total_ms", 0.5), ("peak_rss_mb", 1)]


def test_what_else_is_not_the_same_is_told() -> None:
    old, new = found(ROW), found(ROW, cpu="Another", onnxruntime="1.31")
    old["digest"], old["identity"] = "other", "other@1"

    assert compare.differences(new, new) == []
    assert compare.differences(old, new) == [
        "model was other@1, is colours@0123456789ab",
        "cpu was A CPU, is Another",
        "onnxruntime was 1.23, is 1.31",
    ]


def test_servers_are_compared_and_what_changed_about_them_is_told() -> None:
    row = replace(ROW, **ON_SERVER, format="http")
    old = BenchResult("m", described(), PLACE, rows=[row], served=[RECORD]).as_data()
    alone = BenchResult("colours", None, PLACE, rows=[row], served=[replace(RECORD, model_version="4")]).as_data()

    assert (alone["identity"], alone["digest"]) == ("colours version 4 on lit-serve 1.2", None)
    assert {one.what for one in compare.ratios(old, alone)} == {"http batch 1"}
    (line,) = compare.differences(old, alone)
    assert line.startswith(
        "http was colours version 3 by lit-serve 1.2 at http://127.0.0.1:8000, asked with tensors, is"
    )
    assert compare.differences(alone, alone) == []


def test_a_measurement_from_before_servers_is_still_read() -> None:
    old = found(ROW)
    del old["served"]

    assert compare.differences(old, found(ROW)) == []


def test_what_json_prints_is_what_compare_reads(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps(found(ROW)))

    old = compare.read(tmp_path / "old.json")

    assert {one.ratio for one in compare.ratios(old, found(ROW))} == {1.0}


@pytest.mark.parametrize("text", ["", "[]", "{}", "no json", '{"environment": 1, "rows": []}', '{"rows": {}}'])
def test_a_file_that_is_no_measurement_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(text)

    with pytest.raises(UsageError, match=r"old\.json: not a measurement\. Make one with: lit-bench --json"):
        compare.read(tmp_path / "old.json")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        compare.read(tmp_path / "old.json")
