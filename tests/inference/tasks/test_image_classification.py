"""lit_infer.tasks.image_classification: the best class, those behind it, and what a folder or a `.cls` says is true."""

import numpy as np
import pytest

from lit_infer.tasks import TASKS, Ask
from lit_infer.tasks.image_classification import Classes, meant

TASK = TASKS["image-classification"]
READING = TASK.reading(labels=("dog", "cat"), answers={}, size=2)
SCORES = np.array([[0.25, 0.75], [0.9, 0.1]], dtype=np.float32)


@pytest.mark.parametrize(
    ("truth", "labels", "label"),
    [
        ("cat", ("dog", "cat"), "cat"),
        ("1", ("dog", "cat"), "cat"),
        ("2", ("dog", "cat"), None),
        ("bird", ("dog", "cat"), None),
        ("", ("dog", "cat"), None),
        ("\u0661", ("dog", "cat"), None),
        ("1", ("0", "1"), "1"),
        ("1", ("1", "0"), None),
        ("7", ("7", "8"), "7"),
        (None, ("dog", "cat"), None),
    ],
)
def test_a_class_is_a_label_or_its_index_and_never_a_guess(
    truth: str | None, labels: tuple[str, ...], label: str | None
) -> None:
    assert meant(truth, labels) == label


def test_each_item_has_as_many_classes_as_it_asked_for() -> None:
    one, two = TASK.read([SCORES], [Ask(top_k=1), Ask(top_k=2)], READING)

    assert isinstance(one, Classes)
    assert isinstance(two, Classes)
    assert ([choice.label for choice in one.top], one.label, one.score) == (["cat"], "cat", 0.75)
    assert [choice.label for choice in two.top] == ["dog", "cat"]


def test_below_the_threshold_there_is_no_label_and_still_a_score() -> None:
    unsure, sure = TASK.read([SCORES], [Ask(threshold=0.8), Ask(threshold=0.8)], READING)

    assert isinstance(unsure, Classes)
    assert isinstance(sure, Classes)
    assert (unsure.label, unsure.index, unsure.score) == (None, None, 0.75)
    assert (sure.label, sure.index) == ("dog", 0)


def test_facts_of_other_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown field `thresholds`"):
        TASK.reading(labels=None, answers={"thresholds": 0.5}, size=2)
