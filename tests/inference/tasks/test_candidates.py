"""lit_infer.tasks.candidates: which boxes are answers, and two runs compared whatever their order."""

from typing import Any

import numpy as np

from lit_infer.tasks import Reading
from lit_infer.tasks.candidates import chosen, in_order_of, names_of
from lit_infer.tasks.object_detection import DetectionFacts

BOXES = np.array([[0, 0, 9, 9], [0, 0, 9, 8], [20, 0, 29, 9], [0, 0, 0, 0]], np.float32)


def reading(**facts: Any) -> Reading:
    return Reading(labels=("a", "b"), facts=DetectionFacts(**facts), size=None)


def found(scores: list[float], labels: list[int], count: int) -> list[Any]:
    return [np.array(scores, np.float32), BOXES, np.array(labels, np.int32), np.int32(count)]


def test_what_was_found_is_taken_as_far_as_it_is_counted() -> None:
    row = found([0.9, 0.8, 0.3, 0.0], [1, 0, 1, 0], 3)

    assert chosen(row, reading(), threshold=0).rows.tolist() == [0, 1, 2]
    assert chosen(row, reading()).labels.tolist() == [1, 0]
    assert chosen(row, reading(most=1)).boxes.tolist() == [[0, 0, 9, 9]]


def test_what_was_found_is_suppressed_only_if_that_is_said() -> None:
    row = found([0.8, 0.9, 0.7, 0.0], [1, 1, 1, 0], 3)

    assert chosen(row, reading()).rows.tolist() == [1, 0, 2]  # the best first, whatever their order
    assert chosen(row, reading(overlap=0.5)).rows.tolist() == [1, 2]


def test_the_same_answers_in_another_order_are_the_same() -> None:
    truth = [np.stack([part, part]) for part in found([0.9, 0.9, 0.7, 0.0], [1, 1, 1, 0], 3)]
    masks = np.arange(2 * 4 * 3.0).reshape(2, 4, 3)
    order = [1, 2, 0, 3]
    other = [part if part.ndim < 2 else part[:, order] for part in truth]

    back = in_order_of([*other, masks[:, order]], [*truth, masks])

    for one, expected in zip(back, [*truth, masks], strict=True):
        assert np.array_equal(one, expected)


def test_an_answer_without_its_like_stays_apart() -> None:
    truth = [part[None] for part in found([0.9, 0.8, 0.7, 0.0], [1, 1, 1, 0], 3)]
    other = [part[None] for part in found([0.9, 0.8, 0.7, 0.0], [1, 0, 1, 0], 3)]

    back = in_order_of(other, truth)

    assert back[2].tolist() == [[1, 1, 0, 0]] != truth[2].tolist()
    assert in_order_of([part[:, :2] if part.ndim == 2 else part for part in other], truth)[0].shape == (1, 2)


def test_a_class_without_a_name_is_called_by_its_number() -> None:
    assert [names_of(reading())(index) for index in (0, 1, 2)] == ["a", "b", "2"]
