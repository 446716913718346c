from dataclasses import replace
from pathlib import Path

import pytest

from lit_infer import manifest
from lit_infer.bench.measure import ROUNDS, Row, best, environment, measure, open_subjects
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.manifest import Tensor
from tests.inference.tiny import make_bundle

ROW = Row("onnx", "onnxruntime", "cpu", 1, calls=10, p50_ms=1, p90_ms=2, p99_ms=3, mean_ms=1.5, images_per_s=1000)


def test_there_is_a_row_for_each_graph_and_batch_size(bundle_folder: Path) -> None:
    subjects, left_out = open_subjects(str(bundle_folder), device="cpu")

    rows = measure(subjects, [1, 3, 8], seconds=0.01)

    assert left_out == []
    assert [(row.format, row.batch_size) for row in rows] == [("onnx", 1), ("onnx", 3), ("onnx", 8)]
    for row in rows:
        assert (row.engine, row.device) == ("onnxruntime CPUExecutionProvider", "cpu")
        assert row.calls >= 1
        assert 0 < row.p50_ms <= row.p90_ms <= row.p99_ms
        assert row.mean_ms > 0
        assert row.images_per_s == pytest.approx(row.batch_size / row.p50_ms * 1000)


def test_each_step_of_the_rounds_is_told(bundle_folder: Path) -> None:
    subjects, _ = open_subjects(str(bundle_folder), device="cpu")
    steps: list[None] = []

    measure(subjects, [1, 2], seconds=0.01, advance=lambda: steps.append(None))

    assert len(steps) == ROUNDS * 2


def test_the_best_row_of_a_format_makes_the_most_images_per_second() -> None:
    slow, fast = replace(ROW, batch_size=1), replace(ROW, batch_size=8, images_per_s=3000)
    other = replace(ROW, format="torchscript", images_per_s=500)

    assert best([slow, fast, other]) == {"onnx": fast, "torchscript": other}
    assert best([fast, slow, other]) == {"onnx": fast, "torchscript": other}
    assert best([]) == {}


def test_of_equally_good_rows_the_first_is_kept() -> None:
    first, second = replace(ROW, batch_size=2), replace(ROW, batch_size=4)

    assert best([first, second])["onnx"] is first


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotFoundError):
        open_subjects("nowhere", device="cpu")


def test_an_input_of_open_size_cannot_be_measured(tmp_path: Path) -> None:
    inputs = (Tensor(name="images", dtype="uint8", shape=("batch", "height", 8, 3)),)
    folder = make_bundle(tmp_path / "bundle", inputs=inputs)
    assert manifest.read(folder).inputs == inputs
    subjects, _ = open_subjects(str(folder), device="cpu")

    with pytest.raises(UsageError, match=r"cannot measure: input images has dynamic sides"):
        measure(subjects, [1], seconds=0.01)


def test_the_environment_says_what_the_figures_belong_to() -> None:
    found = environment()

    assert {"cpu", "cores", "python", "platform", "lit-deploy", "onnxruntime", "numpy"} <= set(found)
    assert all(found.values())
