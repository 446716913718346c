"""Task `anomaly-detection`: scores, what they mean, and maps at the size of their images."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer.images.mapping import to_original
from lit_infer.images.resizing import Letterbox
from lit_infer.tasks import TASKS, Ask, Reading
from lit_infer.tasks.anomaly_detection import heat_map, same_decisions

TASK = TASKS["anomaly-detection"]
MAP = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (1, 1, 8, 1))


def reading(**answers: Any) -> Reading:
    return TASK.reading(labels=None, answers={"threshold": 0.5, **answers}, size=None)


def read(*outputs: Any, ask: Ask | None = None, **answers: Any) -> Any:
    return TASK.read(list(outputs), [ask or Ask()] * len(outputs[0]), reading(**answers))


def test_an_image_is_anomalous_above_the_threshold_that_was_asked_for_or_that_of_the_facts() -> None:
    scores = np.array([0.4, 0.5, 0.6], np.float32)

    assert [one.is_anomalous for one in read(scores)] == [False, False, True]
    assert [one.is_anomalous for one in read(scores, ask=Ask(threshold=0.2))] == [True, True, True]
    assert [one.is_anomalous for one in read(scores, threshold=None)] == [None, None, None]
    assert read(scores[:, None])[2].score == pytest.approx(0.6)


def test_a_map_has_the_size_of_its_image_and_no_heat_where_nothing_was_seen() -> None:
    (found,) = read(np.ones(1, np.float32), MAP, ask=Ask(way=to_original([Letterbox(size=(8, 16))], 50, 40)))

    assert found.map.shape == (40, 50)
    assert (found.width, found.height) == (50, 40)
    assert (np.diff(found.map[20]) >= 0).all()
    assert found.map[20, 25] == pytest.approx(0.5, abs=0.03)


def test_half_of_the_levels_of_a_heat_map_are_below_the_threshold() -> None:
    (found,) = read(np.ones(1, np.float32), MAP)
    suffix, data = heat_map(found) or ("", b"")

    assert suffix == ".png"
    with Image.open(io.BytesIO(data)) as image:
        levels, alpha = np.asarray(image), np.asarray(image.convert("RGBA"))[..., 3]
    assert np.array_equal(levels > 127, found.map > 0.5)
    assert (levels[0, 0], levels[0, -1], alpha[0, 0], alpha[0, -1]) == (0, 255, 0, 255)
    assert TASK.drawn is not None
    drawn = TASK.drawn(found)
    assert drawn is not None
    assert np.array_equal(np.asarray(drawn)[..., 3], alpha)
    assert heat_map(read(np.ones(1, np.float32))[0]) is None
    (below,) = read(np.ones(1, np.float32), MAP, ask=Ask(threshold=-2))
    with Image.open(io.BytesIO((heat_map(below) or ("", b""))[1])) as image:
        assert np.asarray(image).min() == 255


def test_a_threshold_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold -1 must be above 0, the score of nothing"):
        reading(threshold=-1.0)
    assert reading(threshold=-1.0, low=-5.0).facts.low == -5


def test_the_verdict_knows_folders_of_good_images() -> None:
    tally = TASK.tally(reading())
    for score, folder in ((0.1, "good"), (0.9, "good"), (0.8, "crack"), (0.2, "crack"), (0.7, "hole")):
        (answer,) = read(np.array([score], np.float32))
        tally.add(TASK.row(answer), {"folder": folder})

    assert tally.lines() == ["images: anomalous 3, normal 2", "scores: 0.1 to 0.9"]
    assert tally.verdict() == "of 2 images in good/ 1 are called normal; of 3 in other folders 2 anomalous"
    other = TASK.tally(reading())
    other.add(TASK.row(read(np.array([0.1], np.float32))[0]), {"folder": "photos"})
    assert other.verdict() == ""


def test_without_a_threshold_there_is_no_verdict() -> None:
    unknown = reading(threshold=None)
    tally = TASK.tally(unknown)
    (answer,) = read(np.array([0.9], np.float32), threshold=None)
    tally.add(TASK.row(answer), {"folder": "good"})

    assert (answer.is_anomalous, tally.verdict()) == (None, "")
    assert tally.lines() == ["images: no threshold 1", "scores: 0.9 to 0.9"]


def test_decisions_are_the_same_on_one_side_of_the_threshold() -> None:
    one, other = np.array([0.1, 0.51, 0.9]), np.array([0.2, 0.49, 0.8])

    assert same_decisions(one, other, reading()).tolist() == [True, False, True]
