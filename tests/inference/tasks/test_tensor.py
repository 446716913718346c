import numpy as np

from lit_infer.manifest import Tensor
from lit_infer.tasks import TASKS, Ask
from lit_infer.tasks.tensor import Tensors

TASK = TASKS["tensor"]
OUTPUTS = (
    Tensor(name="y", dtype="float32", shape=("batch", 2)),
    Tensor(name="n", dtype="int64", shape=("batch",)),
    Tensor(name="d", dtype="float64", shape=("batch", "length", 2)),
    Tensor(name="ok", dtype="bool", shape=("batch",)),
)
READING = TASK.reading(labels=None, answers={}, size=None, outputs=OUTPUTS)
ARRAYS = [
    np.arange(4, dtype=np.float32).reshape(2, 2) / 2,
    np.array([7, 8]),
    np.arange(8.0).reshape(2, 2, 2),
    np.array([True, False]),
]


def test_each_item_has_its_part_of_every_output_by_name() -> None:
    first, second = TASK.read(ARRAYS, [Ask(), Ask()], READING)

    assert isinstance(first, Tensors)
    assert isinstance(second, Tensors)
    assert {name: part.tolist() for name, part in second.outputs.items()} == {
        "y": [1, 1.5],
        "n": 8,
        "d": [[4, 5], [6, 7]],
        "ok": False,
    }


def test_a_row_has_a_column_for_each_output_with_arrays_flattened() -> None:
    first, _ = TASK.read(ARRAYS, [Ask(), Ask()], READING)

    assert TASK.columns(READING) == {"y": "numbers", "n": "integer", "d": "doubles", "ok": "boolean"}
    assert TASK.row(first) == {"y": [0, 0.5], "n": 7, "d": [0, 1, 2, 3], "ok": True}


def test_the_first_numbers_are_displayed() -> None:
    assert TASK.show({"y": [0.25, 1e-9, 3, 4, 5]}).title == "y 0.25, 1e-09, 3, 4, …"
    assert TASK.show({"y": 2.0}).title == "y 2"
