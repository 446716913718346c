"""What a run's rows look like, whatever the task."""

import pytest

from lit_infer import Prediction, Timings
from lit_infer.folder.table import Table
from lit_infer.manifest import Tensor
from lit_infer.tasks import TASKS, Ask, TaskSpec
from tests.inference.tiny import described
from tests.support.task_outputs import outputs_of

# Models of tables have columns of their own, which tests/inference/rows and tests/inference/folder test.
TASKS_WITHOUT = {name: task for name, task in TASKS.items() if not task.has_fields}
every = pytest.mark.parametrize("task", TASKS_WITHOUT.values(), ids=TASKS_WITHOUT)


def table(task: TaskSpec, *, timings: bool = False) -> Table:
    arrays = outputs_of(task)
    outputs = tuple(
        Tensor(name=f"output_{index}", dtype="float32", shape=("batch", *array.shape[1:]))
        for index, array in enumerate(arrays)
    )
    return Table.of(described(task=task.name, outputs=outputs), timings=timings)


@every
def test_every_row_has_the_table_s_columns_in_order_whether_it_could_be_read_or_not(task: TaskSpec) -> None:
    found = table(task, timings=True)
    (answer,) = task.read([array[:1] for array in outputs_of(task)], [Ask()], found.reading)
    timings = Timings(read_ms=1.23456, decode_ms=0, resize_ms=0, infer_ms=2)

    good = found.row(Prediction(path="a.png", answer=answer, timings=timings))
    bad = found.row(Prediction(path="b.png", error="the file is empty", code="empty"))

    assert list(good) == list(bad) == list(found.columns)
    assert (next(iter(good)), list(good)[-4:]) == ("path", ["error", "code", "model", "ms"])
    assert good["ms"] == {"read": 1.235, "decode": 0, "resize": 0, "infer": 2}
    assert (bad["error"], bad["code"], bad["ms"]) == ("the file is empty", "empty", None)
    assert good["model"] == bad["model"] == described().identity()


@every
def test_a_column_holds_what_its_type_says(task: TaskSpec) -> None:
    lists = dict.fromkeys(("choices", "areas", "boxes", "instances", "points", "numbers"), list)
    kinds = {"text": str, "integer": int, "number": float, **lists}
    found = table(task)
    (answer,) = task.read([array[:1] for array in outputs_of(task)], [Ask()], found.reading)

    row = found.row(Prediction(path="a.png", answer=answer))

    assert "ms" not in row
    for name, kind in found.columns.items():
        assert row[name] is None or isinstance(row[name], kinds[kind]), name
