"""Task image-multilabel: any number of labels, each with a threshold of its own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.tasks import TASKS, Ask, Reading
from lit_infer.tasks.image_multilabel import Labels, above, same_labels

TASK = TASKS["image-multilabel"]
NAMES = ("cat", "dog", "owl")
ROW = np.array([[0.9, 0.4, 0.6]], dtype=np.float32)


def reading(**answers: Any) -> Reading:
    return TASK.reading(labels=NAMES, answers=answers, size=3)


def labels(ask: Ask = Ask(), **answers: Any) -> Labels:  # noqa: B008 - it is frozen
    (found,) = TASK.read([ROW], [ask], reading(**answers))
    assert isinstance(found, Labels)
    return found


@pytest.mark.parametrize(
    ("answers", "threshold", "expected"),
    [
        ({}, None, ["cat", "owl"]),
        ({"thresholds": 0.3}, None, ["cat", "owl", "dog"]),
        ({"thresholds": [0.95, 0.1, 0.6]}, None, ["owl", "dog"]),
        ({"thresholds": [0.95, 0.1, 0.6]}, 0.7, ["cat"]),
        ({"thresholds": 0.95}, None, []),
    ],
)
def test_an_image_has_each_label_that_reaches_its_threshold(
    answers: dict[str, Any], threshold: float | None, expected: list[str]
) -> None:
    found = labels(Ask(threshold=threshold, top_k=2), **answers)

    assert [choice.label for choice in found.labels] == expected
    assert [choice.label for choice in found.top] == ["cat", "owl"]


@given(value=st.floats(0, 1, width=32))
def test_a_probability_that_is_its_threshold_reaches_it_however_it_was_written(value: float) -> None:
    row = np.array([[value]], dtype=np.float32)

    assert above(row, reading(), float(str(np.float32(value))))[0, 0]
    assert above(row, reading(), value)[0, 0]


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"thresholds": 1.5}, "thresholds are from 0 to 1, not 1.5"),
        ({"thresholds": [0.5, 0.5]}, "2 thresholds for 3 labels"),
        ({"scores": "softmax"}, "scores are"),
        ({"threshold": 0.5}, "unknown field"),
    ],
)
def test_facts_that_do_not_fit_are_refused(answers: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        reading(**answers)


def test_two_graphs_agree_where_they_give_all_the_same_labels() -> None:
    one = np.array([[0.9, 0.4, 0.6], [0.9, 0.4, 0.6]], dtype=np.float32)
    other = np.array([[0.7, 0.1, 0.5], [0.9, 0.6, 0.6]], dtype=np.float32)

    assert same_labels(one, other, reading()).tolist() == [True, False]


def test_a_row_is_shown_with_all_its_labels_and_what_comes_next() -> None:
    shown = TASK.show(TASK.row(labels()))
    none = TASK.show(TASK.row(labels(Ask(threshold=0.99))))

    assert (shown.title, shown.told, shown.groups) == ("cat, owl", 2, ("cat", "owl"))
    assert [name for name, _ in shown.details] == ["cat", "owl", "dog"]
    assert (none.title, none.told, none.groups) == ("", 0, ("",))


def test_labels_are_counted_and_images_without_any() -> None:
    tally = TASK.tally(reading())
    tally.add(TASK.row(labels()), {})
    tally.add(TASK.row(labels(Ask(threshold=0.99))), {"folder": "cat"})

    assert tally.lines()[-1] == "without a label: 1"
    assert "cat" in tally.lines()[0]
    assert tally.verdict() == ""
