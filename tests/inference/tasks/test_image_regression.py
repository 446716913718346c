"""lit_infer.tasks.image_regression: numbers with names and units."""

import json
from typing import Any

import numpy as np
import pytest

from lit_infer.tasks import TASKS, Ask, Reading, plain_answer
from lit_infer.tasks.image_regression import Values

TASK = TASKS["image-regression"]


def reading(labels: tuple[str, ...] | None = ("age", "height"), size: int = 2, **answers: Any) -> Reading:
    return TASK.reading(labels=labels, answers=answers, size=size)


def read(numbers: list[float], of: Reading) -> Values:
    (found,) = TASK.read([np.array([numbers], dtype=np.float32)], [Ask()], of)
    assert isinstance(found, Values)
    return found


def test_each_number_has_its_name_and_unit() -> None:
    found = read([31.5, 1.75], reading(units=["years", ""]))

    assert [(one.name, one.value, one.unit) for one in found.values] == [("age", 31.5, "years"), ("height", 1.75, None)]
    assert plain_answer(found)["values"][0] == {"name": "age", "value": 31.5, "unit": "years"}


@pytest.mark.parametrize(("size", "names"), [(1, ["value"]), (3, ["value_0", "value_1", "value_2"])])
def test_values_without_names_are_numbered_unless_there_is_one(size: int, names: list[str]) -> None:
    of = reading(None, size)

    assert list(TASK.columns(of)) == names
    assert [one.name for one in read([0.0] * size, of).values] == names


def test_a_row_has_a_column_for_each_value() -> None:
    row = TASK.row(read([31.5, 1.75], reading()))

    assert json.loads(json.dumps(row)) == {"age": 31.5, "height": 1.75}
    assert TASK.empty_row(reading()) == {"age": None, "height": None}


def test_people_see_all_values_and_nothing_else_of_the_row() -> None:
    line = {"path": "a.png", **TASK.row(read([31.5, 1.75], reading())), "error": None, "code": None, "model": "m@1"}

    shown = TASK.show(line)

    assert (shown.title, shown.score, shown.groups) == ("age 31.5, height 1.75", None, ())
    assert shown.details == (("age", 31.5), ("height", 1.75))


def test_a_run_comes_to_the_range_and_the_mean_of_each_value() -> None:
    of = reading(units=["years", ""])
    tally = TASK.tally(of)
    assert tally.lines() == []
    for numbers in ([30.0, 1.5], [40.0, 2.0], [20.0, 1.0]):
        tally.add(TASK.row(read(numbers, of)), {})

    assert tally.lines() == ["age: 20 to 40, mean 30 years", "height: 1 to 2, mean 1.5"]
    assert tally.verdict() == ""


@pytest.mark.parametrize(
    ("labels", "answers", "message"),
    [
        (("age", "height"), {"units": ["years"]}, "1 units for 2 values"),
        (("age", "path"), {}, "a value cannot be called path"),
        (("age", "age"), {}, "two values have the same name"),
        (("age", "height"), {"unit": "years"}, "unknown field `unit`"),
    ],
)
def test_names_and_units_that_make_no_sense_are_refused(
    labels: tuple[str, ...], answers: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        reading(labels, **answers)
