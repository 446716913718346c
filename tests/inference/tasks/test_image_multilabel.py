"""lit_infer.tasks.image_multilabel: labels above their thresholds, and the most probable ones beside them."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.tasks import TASKS, Ask, Reading, plain_answer
from lit_infer.tasks.image_multilabel import Labels, LabelTally

TASK = TASKS["image-multilabel"]
NAMES = ("even", "prime", "loop")


def reading(**answers: Any) -> Reading:
    return TASK.reading(labels=NAMES, answers=answers, size=3)


def read(scores: list[float], ask: Ask | None = None, **answers: Any) -> Labels:
    (found,) = TASK.read([np.array([scores], dtype=np.float32)], [ask or Ask()], reading(**answers))
    assert isinstance(found, Labels)
    return found


def names(found: Labels) -> list[str]:
    return [choice.label for choice in found.labels]


def test_labels_are_those_that_reach_a_half_unless_the_facts_say_otherwise() -> None:
    assert names(read([0.5, 0.49, 0.9])) == ["loop", "even"]
    assert names(read([0.5, 0.49, 0.9], thresholds=0.6)) == ["loop"]
    assert names(read([0.5, 0.49, 0.9], thresholds=[0.6, 0.4, 0.95])) == ["prime"]


def test_a_threshold_that_is_asked_for_goes_before_those_of_the_facts() -> None:
    assert names(read([0.5, 0.49, 0.9], Ask(threshold=0.45), thresholds=[0.6, 0.6, 0.95])) == ["loop", "even", "prime"]


def test_the_most_probable_are_told_whether_they_are_labels_or_not() -> None:
    found = read([0.1, 0.2, 0.3], Ask(top_k=2))

    assert found.labels == ()
    assert [choice.label for choice in found.top] == ["loop", "prime"]


def test_a_probability_that_is_the_threshold_as_it_is_written_down_is_not_missed() -> None:
    for threshold in (0.1, 0.3, 0.7):
        assert names(read([threshold, 0, 0], thresholds=threshold)) == ["even"]


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), st.floats(0, 1, width=32))
def test_whatever_the_scores_the_labels_are_exactly_those_that_reach_the_threshold(
    scores: list[float], threshold: float
) -> None:
    found = read(scores, thresholds=threshold)

    assert {choice.index for choice in found.labels} == {i for i, score in enumerate(scores) if score >= threshold}
    assert [choice.score for choice in found.labels] == sorted((c.score for c in found.labels), reverse=True)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"thresholds": 1.5}, "thresholds must be from 0 to 1, not 1.5"),
        ({"thresholds": [0.5, 0.5]}, "2 thresholds for 3 labels"),
        ({"threshold": 0.5}, "unknown field `threshold`"),
        ({"scores": "odds"}, "scores must be"),
    ],
)
def test_facts_that_make_no_sense_are_refused(answers: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reading(**answers)


def test_a_row_has_all_labels_and_becomes_json() -> None:
    row = TASK.row(read([0.75, 0.25, 0.5], Ask(top_k=1)))

    assert json.loads(json.dumps(row)) == {
        "labels": [{"label": "even", "index": 0, "score": 0.75}, {"label": "loop", "index": 2, "score": 0.5}],
        "top": [{"label": "even", "index": 0, "score": 0.75}],
    }
    assert list(row) == list(TASK.columns(reading())) == list(TASK.empty_row(reading()))
    assert list(plain_answer(read([0, 0, 0], Ask(top_k=1)))["labels"]) == []
    assert msgspec.json.encode(read([1, 0, 0]))


def test_people_see_the_labels_then_what_comes_next() -> None:
    shown = TASK.show(TASK.row(read([0.75, 0.25, 0.5])))

    assert (shown.title, shown.score, shown.groups) == ("even, loop", 0.75, ("even", "loop"))
    assert shown.details[shown.in_title :] == (("prime", 0.25),)
    nothing = TASK.show(TASK.row(read([0.25, 0.0, 0.0], Ask(top_k=1))))
    assert (nothing.title, nothing.score, nothing.groups) == ("", 0.25, ("",))


def test_images_are_counted_once_for_each_of_their_labels() -> None:
    tally = LabelTally(reading())
    for scores in ([0.9, 0.9, 0.0], [0.9, 0.0, 0.0], [0.0, 0.0, 0.0]):
        tally.add(TASK.row(read(scores)), {"folder": "even"})

    assert tally.lines() == ["labels: even 2, prime 1", "without a label: 1"]
    assert tally.verdict() == ""


def test_two_rows_agree_where_all_their_labels_are_the_same() -> None:
    assert TASK.agreement is not None
    one = np.array([[0.9, 0.1, 0.6], [0.9, 0.1, 0.6]], dtype=np.float32)
    other = np.array([[0.6, 0.4, 0.9], [0.9, 0.6, 0.6]], dtype=np.float32)

    assert TASK.agreement.same(one, other, reading()).tolist() == [True, False]
