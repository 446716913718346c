"""What a run's rows look like, whatever the task."""

import numpy as np
import pytest

from lit_infer import Prediction, Timings
from lit_infer.folder.table import Table
from lit_infer.manifest import Tensor
from lit_infer.tasks import TASKS, Ask, TaskSpec
from tests.inference.tiny import LABELS, described

OUTPUT = np.array([[0.25, 0.5, 0.25]], dtype=np.float32)


def table(task: TaskSpec, *, timings: bool = False) -> Table:
    outputs = (Tensor(name="scores", dtype="float32", shape=("batch", 3)),)
    reading = task.reading(labels=LABELS, answers={}, size=3, outputs=outputs)
    return Table(task, reading, described().identity(), timings=timings)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_row_has_the_table_s_columns_in_order_whether_it_could_be_read_or_not(task: TaskSpec) -> None:
    found = table(task, timings=True)
    (answer,) = task.read([OUTPUT], [Ask()], found.reading)
    timings = Timings(read_ms=1.23456, decode_ms=0, resize_ms=0, infer_ms=2)

    good = found.row(Prediction(path="a.png", answer=answer, timings=timings))
    bad = found.row(Prediction(path="b.png", error="the file is empty", code="empty"))

    assert list(good) == list(bad) == list(found.columns)
    assert (next(iter(good)), list(good)[-4:]) == ("path", ["error", "code", "model", "ms"])
    assert good["ms"] == {"read": 1.235, "decode": 0, "resize": 0, "infer": 2}
    assert (bad["error"], bad["code"], bad["ms"]) == ("the file is empty", "empty", None)
    assert good["model"] == bad["model"] == described().identity()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_column_holds_what_its_type_says(task: TaskSpec) -> None:
    kinds = {"text": str, "integer": int, "number": float, "choices": list, "numbers": list}
    found = table(task)
    (answer,) = task.read([OUTPUT], [Ask()], found.reading)

    row = found.row(Prediction(path="a.png", answer=answer))

    assert "ms" not in row
    for name, kind in found.columns.items():
        assert row[name] is None or isinstance(row[name], kinds[kind]), name
