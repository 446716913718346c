import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_infer import load
from lit_infer.engines import OpenGraph
from lit_infer.errors import UsageError
from lit_infer.manifest import Tensor
from lit_infer.predictor import Choice, Prediction, Predictor
from tests.inference.tiny import LABELS, colour, described, encoded, make_bundle, noise, save

BAD = b"no image"


def images(count: int) -> list[Any]:
    """Images of different sizes and content."""
    return [noise(9 + 3 * number, 40 - number, seed=number) for number in range(count)]


def test_each_image_gets_its_own_answer_in_the_order_given(predictor: Predictor) -> None:
    wanted = [LABELS[place] for place in np.random.default_rng(0).integers(0, 3, 50)]

    found = predictor.predict([colour(label) for label in wanted], batch_size=4)

    assert [prediction.label for prediction in found] == wanted
    assert [prediction.index for prediction in found] == [LABELS.index(label) for label in wanted]


def test_the_top_classes_are_the_graphs_probabilities_best_first(predictor: Predictor) -> None:
    pixels = noise(8, 8)

    (found,) = predictor.predict([pixels])

    scores = predictor.run({"images": pixels[None]})["probabilities"][0]
    assert [choice.score for choice in found.top] == sorted(scores.tolist(), reverse=True)
    assert found.top == tuple(Choice(LABELS[c.index], c.index, float(scores[c.index])) for c in found.top)
    assert (found.label, found.index, found.score) == (found.top[0].label, found.top[0].index, found.top[0].score)
    assert (found.error, found.code) == (None, None)


def test_equal_scores_are_ordered_by_index() -> None:
    scores = np.array([[0.01, 0.02] * 33], dtype=np.float32)
    graph = OpenGraph(run=lambda _: [scores], engine="none", device="cpu", embedded=None)
    outputs = (Tensor(name="probabilities", dtype="float32", shape=("batch", 66)),)

    (found,) = Predictor(described(outputs=outputs, labels=None), graph, threads=1).predict([colour("red")], top_k=66)

    assert [choice.index for choice in found.top] == [*range(1, 66, 2), *range(0, 66, 2)]


@given(kinds=st.lists(st.sampled_from(["good", "bad"]), min_size=1, max_size=25), batch_size=st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_a_bad_item_fails_alone_and_its_neighbours_do_not_notice(
    predictor: Predictor, kinds: list[str], batch_size: int
) -> None:
    good = images(len(kinds))
    items = [item if kind == "good" else BAD for kind, item in zip(kinds, good, strict=True)]

    expected = predictor.predict(good, batch_size=batch_size)
    found = predictor.predict(items, batch_size=batch_size)

    for kind, without_it, prediction in zip(kinds, expected, found, strict=True):
        if kind == "good":
            assert prediction == without_it  # every bit of every score
        else:
            assert prediction == Prediction(None, error=prediction.error, code="unknown_format")
            assert prediction.error


def test_every_item_may_be_bad(predictor: Predictor) -> None:
    found = predictor.predict([BAD, b"", Path("nowhere.png")], batch_size=2)

    assert [prediction.code for prediction in found] == ["unknown_format", "empty", "not_found"]


@given(st.binary(max_size=50) | st.integers() | st.none() | st.lists(st.integers()) | st.text(max_size=20))
@settings(deadline=None, max_examples=60)
def test_whatever_an_item_is_the_next_one_is_answered(predictor: Predictor, item: Any) -> None:
    bad, good = predictor.predict([item, colour("blue")])

    assert bad.code in ("empty", "unknown_format", "undecodable", "bad_type", "not_found", "not_a_file")
    assert good.label == "blue"


def test_an_open_image_that_turns_out_truncated_fails_alone(predictor: Predictor) -> None:
    data = encoded(Image.fromarray(noise(64, 64)), "PNG")

    with Image.open(io.BytesIO(data[: len(data) // 2])) as broken:
        bad, good = predictor.predict([broken, colour("blue")])

    assert bad.code == "undecodable"
    assert good.label == "blue"


def test_a_path_a_string_bytes_an_image_and_an_array_are_answered_alike(predictor: Predictor, tmp_path: Path) -> None:
    path = save(tmp_path / "image.png", noise(37, 53))
    with Image.open(path) as image:
        found = predictor.predict([path, str(path), path.read_bytes(), image, np.asarray(image)], batch_size=5)

    assert [prediction.path for prediction in found] == [str(path), str(path), None, None, None]
    assert len({prediction.top for prediction in found}) == 1


def test_the_batch_size_does_not_decide_the_answer(predictor: Predictor) -> None:
    items = images(13)
    expected = predictor.predict(items, batch_size=1)

    for batch_size in (2, 5, 13, 100):
        found = predictor.predict(items, batch_size=batch_size)
        assert [one.label for one in found] == [one.label for one in expected]
        np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], rtol=1e-5)


def test_nothing_gives_nothing(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 1000])
def test_there_are_at_most_as_many_choices_as_classes(top_k: int, predictor: Predictor) -> None:
    (found,) = predictor.predict([colour("red")], top_k=top_k)

    assert len(found.top) == min(top_k, 3)


def test_without_labels_the_indices_serve(tmp_path: Path) -> None:
    model = load(make_bundle(tmp_path / "bundle", labels=None), device="cpu")

    (found,) = model.predict([colour("blue")])

    assert (found.label, found.index) == ("2", 2)


@pytest.mark.parametrize("items", ["image.png", b"\x89PNG", Path("image.png")])
def test_one_item_in_place_of_a_list_is_refused(items: Any, predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="put the one item in brackets"):
        predictor.predict(items)


@pytest.mark.parametrize("options", [{"top_k": 0}, {"batch_size": 0}, {"top_k": -1}])
def test_numbers_below_one_are_refused(options: dict[str, int], predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="must be at least 1"):
        predictor.predict([colour("red")], **options)


class Source:
    """An iterable that knows how many of its items were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        while True:
            self.taken += 1
            yield colour("green")


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_stream_takes_nothing_before_it_is_asked_and_then_at_most_two_batches_ahead(
    batch_size: int, predictor: Predictor
) -> None:
    source = Source()
    stream = predictor.stream(source, batch_size=batch_size)
    assert source.taken == 0

    for answered in range(10 * batch_size):
        assert next(stream).label == "green"
        held = source.taken - answered
        assert held <= 2 * batch_size, f"{held} images held after {answered} answers, in batches of {batch_size}"
    stream.close()


def test_a_stream_that_is_closed_takes_nothing_more_and_leaves_no_threads(predictor: Predictor) -> None:
    source, before = Source(), set(threading.enumerate())
    stream = predictor.stream(source, batch_size=2)
    next(stream)
    stream.close()

    taken = source.taken
    assert next(stream, None) is None
    assert source.taken == taken
    assert set(threading.enumerate()) <= before


def test_an_error_of_the_source_itself_reaches_the_caller(predictor: Predictor) -> None:
    def source() -> Iterator[Any]:
        yield colour("red")
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        predictor.predict(source(), batch_size=1)


def test_several_threads_may_share_a_model(predictor: Predictor) -> None:
    lists = [[colour(LABELS[(start + step) % 3]) for step in range(9)] for start in range(8)]
    expected = [predictor.predict(items, batch_size=3) for items in lists]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda items: predictor.predict(items, batch_size=3), lists))

    assert found == expected


def test_the_bare_graph_runs_on_arrays_by_name(predictor: Predictor) -> None:
    found = predictor.run({"images": np.stack([colour("red"), colour("blue")])})

    assert list(found) == ["probabilities"]
    assert found["probabilities"].argmax(-1).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "the graph takes images, not "),
        ({"pixels": np.zeros((1, 8, 8, 3), np.uint8)}, "the graph takes images, not pixels"),
        ({"images": np.zeros((1, 8, 8, 3), np.uint8), "more": np.zeros(1)}, "not images, more"),
        ({"images": np.zeros((1, 8, 8, 3), np.float32)}, "images is uint8 .* not float32"),
        ({"images": np.zeros((1, 3, 8, 8), np.uint8)}, r"\['batch', 8, 8, 3\], not uint8 \[1, 3, 8, 8\]"),
        ({"images": np.zeros((8, 8, 3), np.uint8)}, r"not uint8 \[8, 8, 3\]"),
    ],
)
def test_arrays_of_another_name_type_or_shape_are_refused(
    inputs: dict[str, Any], said: str, predictor: Predictor
) -> None:
    with pytest.raises(UsageError, match=said):
        predictor.run(inputs)


def test_an_engine_may_be_any_function() -> None:
    graph = OpenGraph(
        run=lambda arrays: [np.eye(3, dtype=np.float32)[[1] * len(arrays[0])]],
        engine="none",
        device="cpu",
        embedded=None,
    )

    (found,) = Predictor(described(), graph, threads=1).predict([colour("red")])

    assert (found.label, found.score) == ("green", 1.0)


def test_a_model_of_another_task_says_what_to_use() -> None:
    graph = OpenGraph(run=lambda arrays: arrays, engine="none", device="cpu", embedded=None)

    with pytest.raises(UsageError, match=r"colours is for task image-embedding: use Predictor\.run"):
        Predictor(described(task="image-embedding"), graph, threads=1).predict([colour("red")])


def test_a_device_that_is_not_known_is_refused(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match="device 'gpu' is not known"):
        load(bundle_folder, device="gpu")


def test_the_threads_asked_for_are_the_threads_used(bundle_folder: Path) -> None:
    assert load(bundle_folder, device="cpu", threads=1).threads == 1
