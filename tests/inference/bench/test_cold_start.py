"""Each measures several fresh processes."""

from pathlib import Path

import pytest

from lit_infer import bundle
from lit_infer.bench.cold_start import RUNS, measure_cold
from lit_infer.errors import EngineError


@pytest.mark.slow
def test_a_fresh_process_is_timed_step_by_step(bundle_folder: Path) -> None:
    told: list[None] = []

    (row,) = measure_cold(bundle.find(bundle_folder), device="cpu", advance=lambda: told.append(None))

    assert row.format == "onnx"
    assert min(row.import_ms, row.open_ms, row.first_ms) > 0
    assert row.total_ms > row.import_ms + row.first_ms
    assert 20 < row.peak_rss_mb < 500
    assert len(told) == RUNS


@pytest.mark.slow
def test_a_lone_graph_file_is_timed_too(bundle_folder: Path) -> None:
    (row,) = measure_cold(bundle.find(bundle_folder / "model.onnx"), device="cpu")

    assert row.total_ms > 0


def test_a_process_that_fails_says_why_in_one_line(bundle_folder: Path) -> None:
    with pytest.raises(EngineError, match=r"cold start: model\.onnx failed in a fresh process: .*device 'no'") as error:
        measure_cold(bundle.find(bundle_folder), device="no")
    assert len(str(error.value).splitlines()) == 1
