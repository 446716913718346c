import numpy as np

from lit_infer.tasks import TASKS, Ask
from lit_infer.tasks.tensor import Tensors

TASK = TASKS["tensor"]


def test_each_item_has_its_part_of_every_output_in_order() -> None:
    outputs = [np.arange(4).reshape(2, 2), np.array([7, 8])]

    first, second = TASK.read(outputs, [Ask(), Ask()], TASK.reading(labels=None, answers={}, size=None))

    assert isinstance(first, Tensors)
    assert isinstance(second, Tensors)
    assert [part.tolist() for part in first.outputs] == [[0, 1], 7]
    assert [part.tolist() for part in second.outputs] == [[2, 3], 8]
