"""Items of a batch run together, and a bad one fails alone."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lit_infer import manifest
from lit_infer.answering import PreparedImage
from lit_infer.engines import Run
from lit_infer.errors import EngineError, InputError
from lit_infer.manifest import Tensor
from lit_infer.server.models.batches import Answer, Batches, Work, engine_failed
from tests.inference.tiny import SIDE, colour, described, make_bundle
from tests.support.server.tensor_models import model, two_d

IMAGE = colour("blue")


def prepare(image: bytes) -> PreparedImage:
    if image == b"bad":
        raise InputError("not an image", code="unreadable")
    return PreparedImage(IMAGE, (0.0, 0.0, 0.0))


def mean(inputs: Any) -> Any:
    return [inputs[0].reshape(len(inputs[0]), -1)[:, :3].astype(np.float32)]


def batches(run: Run, **changes: Any) -> Batches:
    return Batches(described(**changes), run, prepare, max_batch=4)


def image(data: bytes = b"good") -> Work:
    return Work(data, (), 1, 0.0)


def rows(count: int, value: int = 0) -> Work:
    return Work(None, (np.full((count, SIDE, SIDE, 3), value, np.uint8),), count, 0.0)


def fixed(rows: int) -> dict[str, Any]:
    return {
        "inputs": (Tensor(name="images", dtype="uint8", shape=(rows, SIDE, SIDE, 3)),),
        "outputs": (Tensor(name="probabilities", dtype="float32", shape=(rows, 3)),),
    }


@pytest.mark.parametrize(("changes", "sizes"), [({}, [1, 2, 4, 6]), (fixed(4), [4])])
def test_every_size_of_batch_that_an_engine_may_keep_apart_is_warmed_up(
    tmp_path: Path, changes: dict[str, Any], sizes: list[int]
) -> None:
    found: list[int] = []

    def run(inputs: Any) -> Any:
        found.append(len(inputs[0]))
        return inputs

    found_manifest = manifest.read(make_bundle(tmp_path / "b", **changes))
    Batches(found_manifest, run, prepare, max_batch=6).warm_up()

    assert found == sizes


def test_each_item_gets_its_own_rows_in_order() -> None:
    answered = batches(mean).answer([rows(1, 7), image(b"bad"), rows(2, 9), image()])

    seven, bad, nine, picture = answered.answers
    assert isinstance(bad, InputError)
    assert isinstance(seven, Answer)
    assert isinstance(nine, Answer)
    assert isinstance(picture, Answer)
    assert seven.outputs[0].tolist() == [[7, 7, 7]]
    assert nine.outputs[0].tolist() == [[9, 9, 9]] * 2
    assert picture.outputs[0].tolist() == [IMAGE.ravel()[:3].tolist()]
    assert [one.rows for one in answered.executions] == [4]


def test_more_rows_than_a_batch_run_one_after_the_other() -> None:
    answered = batches(mean).answer([rows(3), rows(2), rows(2)])

    assert [one.rows for one in answered.executions] == [3, 4]


def test_a_fixed_batch_is_filled_up_and_its_padding_is_not_answered() -> None:
    sizes = []

    def run(inputs: Any) -> Any:
        sizes.append(len(inputs[0]))
        return mean(inputs)

    (answer,) = batches(run, **fixed(4)).answer([rows(3, 5)]).answers

    assert sizes == [4]
    assert isinstance(answer, Answer)
    assert answer.outputs[0].tolist() == [[5, 5, 5]] * 3


def test_an_input_that_the_graph_cannot_run_fails_alone() -> None:
    def run(inputs: Any) -> Any:
        if (inputs[0] == 13).any():
            raise RuntimeError("13")
        return mean(inputs)

    good, bad = batches(run).answer([rows(1), rows(1, 13)]).answers

    assert isinstance(good, Answer)
    assert isinstance(bad, InputError)
    assert bad.code == "bad_shape"


def test_an_engine_that_fails_on_its_warm_up_input_is_dead() -> None:
    def run(_: Any) -> Any:
        raise RuntimeError("CUDA error")

    answered = batches(run).answer([rows(1), rows(1)])

    assert str(answered.death) == "CUDA error"
    assert [str(one) for one in answered.answers] == [str(engine_failed(described()))] * 2
    assert all(isinstance(one, EngineError) for one in answered.answers)


def test_items_of_different_shapes_do_not_run_together() -> None:
    two = Tensor(name="x", dtype="float32", shape=("batch", "length"))
    one = Batches(model(two), lambda inputs: inputs, prepare, max_batch=4)
    works = [Work(None, (np.ones((1, length), np.float32),), 1, 0.0) for length in (3, 3, 5)]

    assert [execution.rows for execution in one.answer(works).executions] == [2, 1]


def test_a_graph_without_a_batch_runs_each_item_alone() -> None:
    alone = Batches(model(Tensor(name="x", dtype="float32", shape=(3,))), lambda inputs: inputs, prepare, max_batch=4)
    works = [Work(None, (np.ones(3, np.float32),), 1, 0.0)] * 2

    assert not alone.is_batched
    assert [execution.rows for execution in alone.answer(works).executions] == [1, 1]
    assert Batches(model(two_d("int8")), lambda inputs: inputs, prepare, max_batch=4).is_batched


def test_rows_that_depend_on_their_batch_are_neither_joined_nor_padded() -> None:
    answered = batches(mean, rows="joined").answer([rows(2, 7), rows(1, 9), image()])

    assert len(answered.executions) == 3
    assert [len(one.outputs[0]) for one in answered.answers if isinstance(one, Answer)] == [2, 1, 1]


def test_a_graph_is_warmed_up_and_tried_on_inputs_that_it_is_known_to_take() -> None:
    found: list[tuple[int, ...]] = []

    def run(inputs: Any) -> Any:
        found.append(inputs[0].shape)
        if inputs[0].shape[1] < 3:
            raise RuntimeError("the kernel has three taps")
        return inputs

    described = model(Tensor(name="x", dtype="float32", shape=("batch", "length")))
    one = Batches(described, run, prepare, max_batch=2, golden={"x": np.ones((5, 4), np.float32)})

    one.warm_up()
    answered = one.answer([Work(None, (np.ones((1, 2), np.float32),), 1, 0.0)])

    assert found == [(1, 4), (2, 4), (1, 2), (1, 4)]
    assert answered.death is None
    assert isinstance(answered.answers[0], InputError)


def test_an_id_that_is_out_of_range_is_told_with_the_engines_reason() -> None:
    table = numpy_helper.from_array(np.eye(5, dtype=np.float32), "table")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["found"])],
        "embed",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", 3])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["batch", 3, 5])],
        [table],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    facts = model(two_d("int64", "ids"), outputs=(Tensor(name="found", dtype="float32", shape=("batch", 3, 5)),))
    opened = Batches(facts, lambda arrays: session.run(None, {"ids": arrays[0]}), prepare, max_batch=4)

    bad, good = opened.answer([Work(None, (np.array([[0, 1, n]]),), 1, 0.0) for n in (7, 2)]).answers

    assert isinstance(good, Answer)
    assert "idx=7 must be within the inclusive range [-5,4]" in str(bad)
    assert "/" not in str(bad)
