"""The table of tasks: what holds for every row."""

import json
from typing import Any

import msgspec
import pytest

from lit_infer.manifest import Tensor
from lit_infer.tasks import TASKS, Ask, Reading, Shown, TaskSpec, answer_schemas, find, plain_answer
from tests.support.task_outputs import outputs_of

OUTPUTS = (Tensor(name="y", dtype="float32", shape=("batch", 3)),)
every = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def reading(task: TaskSpec) -> Reading:
    return task.reading(labels=("red", "green", "blue"), answers={}, size=3, outputs=OUTPUTS)


@every
def test_a_row_is_found_by_its_name_and_its_columns_are_no_one_else_s(task: TaskSpec) -> None:
    assert find(task.name) is task
    assert not TaskSpec.RESERVED & task.columns(reading(task)).keys()
    assert task.sorts_by is None or task.sorts_by in task.columns(reading(task))


@every
def test_each_item_has_an_answer_of_the_task_s_struct_which_becomes_a_row_and_json(task: TaskSpec) -> None:
    found = task.read(outputs_of(task), [Ask(), Ask(top_k=1)], reading(task))

    assert [type(answer) for answer in found] == [task.answer] * 2
    for answer in found:
        assert task.row(answer).keys() == task.columns(reading(task)).keys() == task.empty_row(reading(task)).keys()
        assert isinstance(task.show(task.row(answer)), Shown)
        assert json.loads(json.dumps(plain_answer(answer)))


@every
def test_a_run_of_images_is_counted(task: TaskSpec) -> None:
    tally = task.tally(reading(task))
    for answer in task.read(outputs_of(task), [Ask(), Ask()], reading(task)):
        tally.add(task.row(answer), {})

    assert all(isinstance(line, str) for line in [*tally.lines(), tally.verdict()])


@every
def test_what_agrees_with_itself_agrees(task: TaskSpec) -> None:
    if task.agreement is not None:
        (output,) = outputs_of(task)
        assert (task.agreement.same(output, output, reading(task)) == 1).all()
        assert not (task.agreement.same(output, output[::-1] ** 2, reading(task)) == 1).all()


def test_a_name_that_is_not_in_the_table_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="'image-classifcation' is not known; use one of image-classification, "):
        find("image-classifcation")


def test_every_answer_has_its_schema() -> None:
    schemas, components = answer_schemas()

    assert len(schemas) == len({task.answer for task in TASKS.values()})
    for schema in schemas:
        assert schema["$ref"].removeprefix("#/components/schemas/") in components


def test_what_has_no_form_in_json_is_an_error_and_nothing_else() -> None:
    class Odd(msgspec.Struct):
        value: Any

    with pytest.raises(NotImplementedError, match="object"):
        plain_answer(Odd(object()))
