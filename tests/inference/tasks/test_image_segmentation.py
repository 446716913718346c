"""lit_infer.tasks.image_segmentation: a class for each pixel, in the image as it was."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lit_infer.images.framing import CenterCrop, Pad
from lit_infer.images.mapping import WayBack, to_original
from lit_infer.images.resizing import Letterbox, Resize
from lit_infer.tasks import TASKS, Ask, Reading, answer_schemas, plain_answer
from lit_infer.tasks.image_segmentation import Segmentation, best, size_of

TASK = TASKS["image-segmentation"]


def reading(
    labels: tuple[str, ...] | None = ("background", "cat", "dog"), size: int | None = 3, **answers: Any
) -> Reading:
    return TASK.reading(labels=labels, answers=answers, size=size)


def read(row: Any, of: Reading | None = None, way: WayBack | None = None) -> Segmentation:
    (found,) = TASK.read([np.asarray(row)[None]], [Ask(way=way)], of or reading())
    assert isinstance(found, Segmentation)
    return found


def scores_of(classes: Any, count: int = 3, score: float = 0.8) -> Any:
    """Scores [count, height, width] whose best classes these are."""
    rest = (1 - score) / (count - 1)
    return np.stack([np.where(np.asarray(classes) == index, score, rest) for index in range(count)]).astype(np.float32)


def test_each_pixel_has_its_best_class_and_each_class_its_area() -> None:
    found = read(scores_of([[0, 0, 1], [0, 2, 1]]))

    assert found.mask.tolist() == [[0, 0, 1], [0, 2, 1]]
    assert found.mask.dtype == np.uint8
    assert [(area.label, area.index, area.pixels) for area in found.areas] == [
        ("background", 0, 3),
        ("cat", 1, 2),
        ("dog", 2, 1),
    ]
    assert sum(area.share for area in found.areas) == pytest.approx(1)
    assert (found.width, found.height, found.outside) == (3, 2, 0)
    assert found.confidence == pytest.approx(0.8)


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_the_best_class_is_numpy_s(count: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (2, count, 5, 6)).astype(np.float32)  # with many ties

    classes, most = best(scores, reading(None, count))

    assert np.array_equal(classes, scores.argmax(1))
    assert np.array_equal(most, scores.max(1))


@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(
        [
            (Resize(size=(12, 16)),),
            (Resize(size=12), CenterCrop(size=(12, 16))),
            (Letterbox(size=(12, 16)),),
            (Pad(size=(40, 40)), Resize(size=(12, 16))),
        ]
    ),
    st.integers(0, 2**32 - 1),
)
def test_areas_and_confidence_are_those_of_the_mask_in_the_image_as_it_was(
    width: int, height: int, steps: Any, seed: int
) -> None:
    classes = np.random.default_rng(seed).integers(0, 3, (12, 16))
    scores = np.where(classes == 0, 0.5, np.where(classes == 1, 0.6, 0.9)).astype(np.float32)
    rows = np.stack([np.where(classes == index, scores, 0) for index in range(3)])
    way = to_original(steps, width, height)

    found = read(rows, way=way)

    assert np.array_equal(found.mask, way.mask(classes.astype(np.uint8), outside=255))
    assert found.mask.shape == (found.height, found.width) == (height, width)
    counted = {area.index: area.pixels for area in found.areas}
    assert counted == {index: int((found.mask == index).sum()) for index in np.unique(found.mask[found.mask != 255])}
    assert found.outside == int((found.mask == 255).sum())
    if found.outside < width * height:
        in_original = way.mask(scores)[found.mask != 255]
        assert found.confidence == pytest.approx(in_original.mean(), rel=1e-5)


def test_what_preprocessing_cuts_off_has_no_class() -> None:
    way = to_original([CenterCrop(size=2)], 4, 2)

    found = read(scores_of([[1, 1], [1, 1]]), way=way)

    assert found.mask.tolist() == [[255, 1, 1, 255], [255, 1, 1, 255]]
    assert (found.outside, found.areas[0].pixels, found.areas[0].share) == (4, 4, 0.5)


def test_indices_are_classes_without_a_confidence_and_below_zero_no_class() -> None:
    found = read(np.array([[0, 2], [-1, 2]], np.int32))

    assert found.mask.tolist() == [[0, 2], [255, 2]]
    assert (found.confidence, found.outside) == (None, 1)
    assert [area.label for area in found.areas] == ["dog", "background"]


def test_a_threshold_is_of_the_second_class() -> None:
    scores = np.array([[[0.7, 0.4]], [[0.3, 0.6]]], np.float32)

    assert read(scores, reading(("no", "yes"), 2)).mask.tolist() == [[0, 1]]
    assert read(scores, reading(("no", "yes"), 2, threshold=0.3)).mask.tolist() == [[1, 1]]
    assert read(scores, reading(("no", "yes"), 2, threshold=0.9)).mask.tolist() == [[0, 0]]
    assert read(scores, reading(("no", "yes"), 2, threshold=0.9)).confidence == pytest.approx((0.7 + 0.4) / 2)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"threshold": 0.5}, "a threshold is for two classes, and there are 3"),
        ({"threshold": 1.5}, r"threshold 1\.5 must lie between 0 and 1"),
        ({"enlarge": "lanczos"}, "enlarge"),
        ({"thresh": 0.5}, "unknown field `thresh`"),
    ],
)
def test_facts_that_make_no_sense_are_refused(answers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading(**answers)


def test_json_has_the_mask_as_a_png_and_its_schema_says_so() -> None:
    found = plain_answer(read(scores_of([[0, 1], [2, 1]])))

    image = Image.open(io.BytesIO(base64.b64decode(found["mask"])))
    assert np.asarray(image).tolist() == [[0, 1], [2, 1]]
    assert json.loads(json.dumps(found))["areas"][0] == {"label": "cat", "index": 1, "pixels": 2, "share": 0.5}
    schema = answer_schemas()[1]["Segmentation"]
    assert schema["properties"]["mask"]["contentMediaType"] == "image/png"
    assert schema["properties"]["mask"]["type"] == "string"
    assert set(schema["properties"]) == set(found)


def test_people_see_the_classes_without_the_background() -> None:
    shown = TASK.show(TASK.row(read(scores_of([[0, 0, 1], [0, 2, 1]]))))

    assert (shown.title, shown.groups) == ("cat, dog", ("background", "cat", "dog"))
    assert shown.details[0] == ("background", 0.5)
    assert TASK.show(TASK.row(read(scores_of([[0]])))).title == "background"


def test_a_run_counts_images_and_pixels_of_each_class() -> None:
    tally = TASK.tally(reading())
    assert tally.lines() == []
    for classes in ([[0, 0], [0, 1]], [[0, 0], [0, 0]]):
        tally.add(TASK.row(read(scores_of(classes))), {})

    assert tally.lines() == ["images with: background 2, cat 1", "share of all pixels: background 87.5%, cat 12.5%"]
    assert tally.verdict() == ""


def test_two_graphs_agree_by_the_share_of_equal_pixels() -> None:
    assert TASK.agreement is not None
    one, other = scores_of([[0, 0], [0, 1]]), scores_of([[0, 2], [0, 1]])

    assert TASK.agreement.same(np.stack([one, one]), np.stack([one, other]), reading()).tolist() == [1, 0.75]
    apart = scores_of([[0, 0], [0, 1]], score=0.4)
    assert TASK.agreement.margin is not None
    assert TASK.agreement.margin(other[None], apart[None], reading()) == pytest.approx(0.1)
    assert TASK.agreement.margin(one[None], one[None], reading()) == 0
    indices = np.array([[[0, 1]], [[1, 1]]])
    assert TASK.agreement.same(indices, indices[::-1], reading()).tolist() == [0.5, 0.5]


def test_answers_are_equal_by_their_masks() -> None:
    one, same, other = (read(scores_of(classes)) for classes in ([[0, 1]], [[0, 1]], [[1, 0]]))

    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "mask"


@pytest.mark.parametrize(("shape", "size"), [(("batch", 5, 8, 8), 5), (("batch", 8, 8), None)])
def test_the_number_of_classes_is_that_of_the_scores(shape: Any, size: int | None) -> None:
    assert size_of(shape) == size


def test_the_margin_of_bare_indices_is_not_known() -> None:
    indices = np.array([[[0, 1]]])

    assert TASK.agreement is not None
    assert TASK.agreement.margin is not None
    assert TASK.agreement.margin(indices, indices, reading()) is None
