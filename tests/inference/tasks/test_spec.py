"""What tasks share: facts are read strictly, and a row has all its columns even where nothing could be read."""

from typing import Any

import msgspec
import pytest

from lit_infer.tasks import Shown, TaskSpec
from lit_infer.tasks.spec import NoTally


class Answer(msgspec.Struct):
    """Of a task that is made up."""

    value: float


SPEC = TaskSpec(
    name="made-up",
    does="answers",
    kind="values",
    answer=Answer,
    read=lambda _, asks, __: [Answer(1.0) for _ in asks],
    columns=lambda _: {"value": "number", "top": "choices", "note": "text"},
    row=lambda answer: {"value": answer.value, "top": [], "note": None},
    show=lambda row: Shown(str(row["value"])),
)


def test_a_row_of_nothing_has_every_column() -> None:
    found = SPEC.empty_row(SPEC.reading(labels=None, answers={}, size=None))

    assert found == {"value": None, "top": [], "note": None}


@pytest.mark.parametrize("answers", [{"thresholds": 0.5}, {"": None}])
def test_a_task_without_facts_takes_none(answers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="unknown field"):
        SPEC.reading(labels=None, answers=answers, size=None)


def test_a_task_that_counts_nothing_says_nothing() -> None:
    tally = SPEC.tally(SPEC.reading(labels=None, answers={}, size=None))
    tally.add({"value": 1.0}, {})

    assert isinstance(tally, NoTally)
    assert (tally.lines(), tally.verdict()) == ([], "")
