from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.predictor import Predictor
from lit_infer.rows.answering import RowRecipe, answer_rows, prepared_together, row_recipe
from lit_infer.rows.facts import AudioField, RowFields
from lit_infer.tasks import Ask
from tests.support.sounds import encoded
from tests.support.tensors import answers, tensor_bundle, tensor_manifest, tensor_rows


@pytest.fixture(scope="module")
def doubler(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(tensor_bundle(tmp_path_factory.mktemp("models") / "doubler"), device="cpu")


def rows_of(columns: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("count", [1, 5, 64, 200])
def test_rows_are_answered_as_the_whole_array_is(doubler: Predictor, count: int) -> None:
    columns = tensor_rows(count)

    found = doubler.predict(rows_of(columns))

    for name, wanted in answers(columns).items():
        assert np.array_equal(np.stack([one.answer.outputs[name] for one in found]), wanted)
    assert [one.answer.outputs["total"] for one in doubler.stream(rows_of(columns), batch_size=3)] == [
        one.answer.outputs["total"] for one in found
    ]


def test_a_row_that_the_graph_refuses_fails_alone(doubler: Predictor) -> None:
    columns = tensor_rows(9)
    columns["number"][4] = 5000

    found = doubler.predict(rows_of(columns), batch_size=4)

    assert [one.code for one in found] == [None] * 4 + ["refused"] + [None] * 4
    assert "the graph refuses it: indices element out of data bounds, idx=5000" in str(found[4].error)
    wanted = answers(columns)["total"]
    assert [one.answer.outputs["total"] for one in found if one.answer] == [*wanted[:4], *wanted[5:]]


def test_single_rows_of_many_callers_are_answered_too(doubler: Predictor) -> None:
    columns = tensor_rows(3)

    futures = [doubler.submit(row) for row in rows_of(columns)]

    assert [one.result().answer.outputs["total"] for one in futures] == list(answers(columns)["total"])


def test_a_mapping_alone_is_told_to_be_put_in_a_list(doubler: Predictor) -> None:
    with pytest.raises(UsageError, match="put the one item in brackets"):
        doubler.predict(rows_of(tensor_rows(1))[0])  # type: ignore[arg-type]


def test_a_graph_without_a_batch_has_no_rows() -> None:
    described = tensor_manifest(inputs=(Tensor(name="x", dtype="float32", shape=(4, 3)),))

    with pytest.raises(UsageError, match=r"doubler has no rows .*: give whole arrays to Predictor\.run"):
        row_recipe(described)


class Recorded:
    """A graph that sums all rows, and remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        self.sizes.append(len(inputs[0]))
        total = np.full(len(inputs[0]), inputs[0].sum(), dtype=np.float32)
        return [np.broadcast_to(total[:, None], inputs[0].shape).copy(), total]


def test_joined_rows_are_neither_split_nor_answered_without_one_of_them() -> None:
    recipe, graph = row_recipe(tensor_manifest(rows="joined")), Recorded()
    rows = rows_of(tensor_rows(5))

    found = answer_rows(recipe.fields.block(rows), [Ask()] * 5, to=recipe, run=graph, size=2)
    spoiled = answer_rows(recipe.fields.block([*rows, {}]), [Ask()] * 6, to=recipe, run=graph, size=2)

    assert graph.sizes == [5]
    assert len({float(one.answer.outputs["total"]) for one in found}) == 1
    assert [one.code for one in spoiled] == ["missing"] * 6
    assert "row 5 of its batch cannot be used" in str(spoiled[0].error)


class Rising:
    """A graph that answers the highest number of each row, refuses one of 9, and remembers its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        self.sizes.append(len(inputs[0]))
        highest = inputs[0].max(axis=1)
        if (highest == 9).any():
            raise ValueError("9 is too much")
        return [np.stack([1 - highest / 10, highest / 10], axis=1)]


def audio_recipe() -> RowRecipe:
    described = tensor_manifest(
        task="audio-classification",
        inputs=(Tensor(name="audio", dtype="float32", shape=("batch", 4)),),
        outputs=(Tensor(name="probabilities", dtype="float32", shape=("batch", 2)),),
        fields=RowFields(audio=AudioField(rate=1_000, samples=4, longer="chunks")),
    )
    return row_recipe(described)


def sound_of(*chunks: float) -> bytes:
    return encoded(np.repeat(np.array(chunks, dtype=np.float32), 4)[:, None], 1_000, subtype="FLOAT")


def test_the_answer_for_a_recording_is_that_of_its_chunks_in_batches() -> None:
    recipe, graph = audio_recipe(), Rising()
    rows = [sound_of(1, 2, 3), sound_of(4), sound_of(1, 9), sound_of(2, 2)]

    found = answer_rows(recipe.fields.block(rows), [Ask()] * 4, to=recipe, run=graph, size=2)

    assert [one.answer.score if one.answer else one.code for one in found] == [
        pytest.approx(0.8),
        pytest.approx(0.6),
        "refused",
        pytest.approx(0.8),
    ]
    assert graph.sizes[:3] == [2, 1, 1]
    assert (recipe.window(8), recipe.block(8)) == (1, 1)


def test_the_chunks_of_a_request_go_together_and_come_back_as_its_rows() -> None:
    recipe = audio_recipe()
    block = recipe.fields.block([sound_of(1, 2, 3), sound_of(4)])

    prepared = prepared_together(block, recipe.fields)

    assert (prepared.arrays[0].shape, prepared.counts) == ((4, 4), (3, 1))
    assert prepared.merged((prepared.arrays[0].max(axis=1, keepdims=True),))[0].tolist() == [[2], [4]]
