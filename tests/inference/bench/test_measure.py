from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lit_infer import manifest
from lit_infer.bench.inputs import own_inputs
from lit_infer.bench.measure import ROUNDS, Interrupted, best, measure, take_turns
from lit_infer.bench.rows import BenchRow
from lit_infer.bench.subjects import Subject, open_subjects, sizes_for
from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.predictor import Predictor
from tests.inference.bench.rows import ROW
from tests.inference.tiny import make_bundle


def opened(folder: Path, **options: Any) -> list[Subject]:
    return open_subjects(str(folder), device="cpu", **options)[0]


def test_there_is_a_row_for_each_graph_and_batch_size(bundle_folder: Path) -> None:
    subjects, left_out = open_subjects(str(bundle_folder), device="cpu")

    rows = measure(subjects, [1, 3, 8], seconds=0.05)

    assert left_out == []
    assert [(row.format, row.batch_size) for row in rows] == [("onnx", 1), ("onnx", 3), ("onnx", 8)]
    for row in rows:
        assert (row.engine, row.device) == ("onnxruntime CPUExecutionProvider", "cpu")
        assert (row.via, row.callers, row.decoded, row.stages_ms) == ("call", 1, False, None)
        assert row.calls == len(row.times_ms)
        assert row.p50_ms == np.median(row.times_ms)
        assert 0 < row.images_per_s <= row.batch_size * 1000 / row.mean_ms


def test_each_number_of_threads_is_measured(bundle_folder: Path) -> None:
    rows = measure(opened(bundle_folder, threads=(1, 2)), [1], seconds=0.01)

    assert [row.threads for row in rows] == [1, 2]


def test_with_images_the_work_on_each_is_told(bundle_folder: Path, colours: Path) -> None:
    images = sorted(colours.rglob("*.png"))

    one, shared = measure(opened(bundle_folder, images=images), [2], callers=[3], seconds=0.05)

    assert one.decoded
    assert shared.decoded
    for row in (one, shared):
        assert row.stages_ms is not None
        assert list(row.stages_ms) == ["read", "decode", "resize", "infer"]
        assert min(row.stages_ms.values()) > 0
        assert row.stages_ms["read"] + row.stages_ms["decode"] < row.mean_ms


def test_callers_share_the_model_through_submit(bundle_folder: Path) -> None:
    (row,) = measure(opened(bundle_folder), [], callers=[4], seconds=0.05)

    assert (row.via, row.callers, row.batch_size) == ("submit", 4, 8)
    assert row.calls >= 4 * ROUNDS
    assert not row.decoded
    assert row.stages_ms is None


def test_an_image_that_cannot_be_read_is_no_quick_answer(bundle_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    subjects = opened(bundle_folder, images=[tmp_path / "bad.png"])

    with pytest.raises(UsageError, match=r"cannot measure with .*bad\.png"):
        measure(subjects, [1], seconds=0.01)
    with pytest.raises(UsageError, match=r"cannot measure with .*bad\.png"):
        measure(subjects, [], callers=[2], seconds=0.01)


def test_each_step_of_the_rounds_is_told(bundle_folder: Path) -> None:
    steps: list[None] = []

    measure(opened(bundle_folder), [1, 2], callers=[1], seconds=0.01, advance=lambda: steps.append(None))

    assert len(steps) == ROUNDS * 3


class Told:
    """A cell that writes down when its turns are."""

    def __init__(self, name: str, told: list[str], stop: Callable[[], object] = lambda: None) -> None:
        self.name, self.told, self.stop = name, told, stop
        self.times: list[float] = []

    def warm_up(self) -> None:
        self.told.append(f"{self.name} warms up")

    def work_for(self, seconds: float) -> None:
        self.stop()
        self.times.append(seconds)
        self.told.append(self.name)

    def row(self) -> BenchRow:
        return replace(ROW, format=self.name, calls=len(self.times))

    def close(self) -> None:
        self.told.append(f"{self.name} closes")


def test_all_warm_up_then_take_turns() -> None:
    told: list[str] = []

    take_turns([Told("a", told), Told("b", told)], seconds=1)

    assert told == ["a warms up", "b warms up", *["a", "b"] * ROUNDS, "a closes", "b closes"]


def test_ctrl_c_gives_what_was_measured_until_then() -> None:
    told: list[str] = []
    rounds = iter(range(3))

    def stop() -> None:
        if next(rounds) == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as interrupted:
        take_turns([Told("a", told), Told("b", told, stop)], seconds=1)

    assert [(row.format, row.calls) for row in interrupted.value.rows] == [("a", 3), ("b", 2)]
    assert told[-2:] == ["a closes", "b closes"]


def test_the_best_row_of_a_format_makes_the_most_images_per_second() -> None:
    slow, fast = replace(ROW, batch_size=1), replace(ROW, batch_size=8, images_per_s=3000)
    other = replace(ROW, format="torchscript", images_per_s=500)
    shared = replace(ROW, via="submit", images_per_s=9000)

    assert best([slow, fast, other, shared]) == {"onnx": fast, "torchscript": other}
    assert best([fast, slow, other]) == {"onnx": fast, "torchscript": other}
    assert best([]) == {}


def test_of_equally_good_rows_the_first_is_kept() -> None:
    first, second = replace(ROW, batch_size=2), replace(ROW, batch_size=4)

    assert best([first, second])["onnx"] is first


def test_a_graph_for_one_batch_is_measured_at_that(predictor: Predictor) -> None:
    (tensor,) = predictor.manifest.inputs
    static = msgspec.structs.replace(tensor, shape=(4, *tensor.shape[1:]))
    described = msgspec.structs.replace(predictor.manifest, inputs=(static,))
    subject = Subject("onnx", Predictor(described, predictor.sessions.opened()[0], threads=1))

    assert sizes_for(subject, [1, 2, 8]) == [4]
    assert [row.batch_size for row in measure([subject], [4], callers=[1], seconds=0.01)] == [4, 4]


def test_images_of_any_size_are_measured_at_the_size_that_preprocessing_gives(tmp_path: Path) -> None:
    inputs = (Tensor(name="images", dtype="uint8", shape=("batch", "height", "width", 3)),)
    folder = make_bundle(tmp_path / "bundle", inputs=inputs)
    assert manifest.read(folder).inputs == inputs

    rows = measure(opened(folder), [2], callers=[2], seconds=0.01)

    assert len(rows) == 2


def test_a_tensor_of_open_size_needs_arrays(tmp_path: Path) -> None:
    inputs = (Tensor(name="images", dtype="uint8", shape=("batch", "height", 8, 3)),)
    folder = make_bundle(tmp_path / "bundle", task="tensor", inputs=inputs, preprocess=(), labels=None)
    np.savez(tmp_path / "own.npz", images=np.ones((2, 8, 8, 3), dtype=np.uint8), other=np.ones(1))
    np.savez(tmp_path / "not.npz", other=np.ones(1))
    lone = [Subject("onnx", subject.predictor) for subject in opened(folder, inputs=lambda _: {})]

    with pytest.raises(UsageError, match=r"input images has dynamic sides.*--inputs"):
        measure(lone, [1], seconds=0.01)
    assert [
        row.batch_size for row in measure(opened(folder, inputs=own_inputs(tmp_path / "own.npz")), [3], seconds=0.01)
    ]
    with pytest.raises(UsageError, match="the graph takes images"):
        measure(opened(folder, inputs=own_inputs(tmp_path / "not.npz")), [1], seconds=0.01)
    with pytest.raises(UsageError, match="whole rows, which colours needs: --data FILE"):
        measure(opened(folder, inputs=own_inputs(tmp_path / "own.npz")), [], callers=[1], seconds=0.01)


def test_a_tensor_of_open_size_is_measured_on_the_bundle_s_own_examples(tmp_path: Path) -> None:
    inputs = (Tensor(name="images", dtype="uint8", shape=("batch", "height", 8, 3)),)
    folder = make_bundle(tmp_path / "bundle", task="tensor", inputs=inputs, preprocess=(), labels=None)
    examples = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    np.savez(folder / "golden.npz", images=examples, probabilities=np.ones((2, 3), np.float32))

    (subject,) = opened(folder)

    assert np.array_equal(subject.arrays(3)["images"], examples[[0, 1, 0]])
    assert len(measure([subject], [1, 3], seconds=0.01)) == 2


def test_a_subject_is_measured_on_inputs_of_the_caller(predictor: Predictor) -> None:
    sizes: list[int] = []

    def make(batch_size: int) -> dict[str, Any]:
        sizes.append(batch_size)
        return {"images": np.zeros((batch_size, 8, 8, 3), dtype=np.uint8)}

    measure([Subject("mine", predictor, inputs=make)], [1, 5], seconds=0.01)

    assert sizes == [1, 5]
