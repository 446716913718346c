"""The graphs that are measured in this process, and what they are fed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lit_infer import bundle, manifest
from lit_infer.bench.subjects import Subject, for_callers, label, open_subjects, sizes_for
from lit_infer.bench.target import PredictorTarget
from lit_infer.errors import EngineError, MissingExtraError, NotFoundError, UsageError
from lit_infer.predictor import Predictor
from tests.inference.tiny import listed, make_bundle, rewrite


def opened(folder: Path, **options: Any) -> list[Subject]:
    return open_subjects(str(folder), device="cpu", **options)[0]


def test_a_model_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotFoundError):
        open_subjects("nowhere", device="cpu")


def test_a_format_that_is_asked_for_is_measured_or_refused(bundle_folder: Path) -> None:
    assert [subject.name for subject in opened(bundle_folder, engines=["onnx"])] == ["onnx"]
    with pytest.raises((UsageError, MissingExtraError), match="openvino"):
        opened(bundle_folder, engines=["onnx", "openvino"])


def test_a_provider_that_is_named_has_a_line_of_its_own(bundle_folder: Path) -> None:
    found = opened(bundle_folder, engines=["onnx", "onnx:cpu"])

    assert [subject.name for subject in found] == ["onnx", "onnx:cpu"]
    assert {subject.predictor.engine for subject in found} == {"onnxruntime CPUExecutionProvider"}


def broken(folder: Path) -> Path:
    """A bundle with a graph that no engine can open."""
    made = make_bundle(folder)
    (made / "model.pt").write_bytes(b"no graph")
    return rewrite(made, graphs=(*manifest.read(made).graphs, listed(made / "model.pt", "torchscript")))


def test_a_graph_that_cannot_be_opened_is_left_out_with_the_reason(tmp_path: Path) -> None:
    subjects, left_out = open_subjects(str(broken(tmp_path / "bundle")), device="cpu")

    assert [subject.name for subject in subjects] == ["onnx"]
    assert [line.split(":")[0] for line in left_out] == ["model.pt is left out"]


def test_a_lone_graph_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        opened(broken(tmp_path / "bundle"), engines=["torchscript"])


def test_each_number_of_threads_is_a_subject_of_its_own(bundle_folder: Path) -> None:
    assert [subject.threads for subject in opened(bundle_folder, threads=(1, 2))] == [1, 2]


def test_a_graph_is_called_by_format_precision_and_provider(bundle_folder: Path) -> None:
    (graph,) = bundle.find(str(bundle_folder))
    assert graph.listed is not None
    int8 = msgspec.structs.replace(graph.listed, precision="int8")

    assert label(graph) == "onnx"
    assert label(replace(graph, listed=int8)) == "onnx int8"
    assert label(replace(graph, listed=None, provider="cpu")) == "onnx:cpu"


def test_one_caller_runs_the_graph_and_with_images_the_whole_way(predictor: Predictor, colours: Path) -> None:
    bare = Subject("onnx", predictor).one(3)
    whole = Subject("onnx", predictor, images=sorted(colours.rglob("*.png"))).one(2)

    assert (bare.batch_size, bare.via, len(bare.each)) == (3, "call", 1)
    answer = bare.each[0].call()
    assert answer["probabilities"].shape == (3, 3)
    assert bare.each[0].check(answer) == ()
    predictions = whole.each[0].call()
    assert [prediction.label for prediction in predictions] == ["blue", "blue"]
    assert len(whole.each[0].check(predictions)) == 2


def test_many_callers_start_at_different_images_and_share_one_queue(predictor: Predictor, colours: Path) -> None:
    images = sorted(colours.rglob("*.png"))
    shared = Subject("onnx", predictor, images=images).many(2, max_batch=3)

    labels = [[caller.call()[0].label for _ in range(4)] for caller in shared.each]

    shared.close()
    assert (shared.batch_size, shared.via) == (3, "submit")
    assert labels == [["blue"] * 4, ["blue"] * 3 + ["green"]]


def shape_and_steps(found: tuple[Predictor, Sequence[Any]]) -> tuple[Any, int, int]:
    predictor, images = found
    return np.shape(images[0]), len(images), len(predictor.manifest.preprocess)


def test_without_images_callers_hand_over_noise_that_needs_no_preparing(predictor: Predictor, colours: Path) -> None:
    images = sorted(colours.rglob("*.png"))

    assert shape_and_steps(for_callers(Subject("onnx", predictor))) == ((8, 8, 3), 64, 0)
    assert shape_and_steps(for_callers(Subject("onnx", predictor, images=images))) == ((), 12, 2)


def test_a_graph_exported_for_one_batch_is_measured_at_no_other(predictor: Predictor) -> None:
    (tensor,) = predictor.manifest.inputs
    fixed = msgspec.structs.replace(tensor, shape=(4, *tensor.shape[1:]))
    described = msgspec.structs.replace(predictor.manifest, inputs=(fixed,))
    subject = Subject("onnx", Predictor(described, predictor.sessions.opened()[0], threads=1))

    assert sizes_for(subject, [1, 8]) == [4]
    assert for_callers(subject, max_batch=8)[0].policy.max_batch == 4


def test_a_tensor_model_has_no_callers(predictor: Predictor) -> None:
    described = msgspec.structs.replace(predictor.manifest, task="tensor")

    with pytest.raises(UsageError, match="hand over whole rows, which colours needs: --data FILE"):
        Subject("onnx", Predictor(described, predictor.sessions.opened()[0], threads=1)).many(2)


def test_a_model_whose_rows_are_joined_is_measured_one_image_at_a_time(tmp_path: Path) -> None:
    (subject,) = opened(make_bundle(tmp_path / "b", rows="joined"))

    assert sizes_for(subject, [1, 8]) == [1]
    predictor, images = for_callers(subject, max_batch=8)
    with predictor:
        assert (predictor.policy.max_batch, predictor.batch_size) == (1, 1)
        PredictorTarget(predictor, images).answer([0, 1, 2])
