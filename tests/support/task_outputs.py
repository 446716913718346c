"""What a graph of each task answers for two images and three classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.tasks import TaskSpec

_ROWS = np.array([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]], dtype=np.float32)


def outputs_of(task: TaskSpec) -> list[NDArray[Any]]:
    """All outputs. Masks are of 2 x 4 pixels, of two classes in the second image; there is a box in each image."""
    if task.kind == "boxes":
        return [_ROWS[:, None], np.tile(np.array([1, 2, 7, 6], np.float32), (2, 1, 1))]
    if task.kind == "instances":  # what was found, and a mask that fills its box
        found = [np.array([[0.5], [0.75]], np.float32), np.tile(np.array([1, 2, 7, 6], np.float32), (2, 1, 1))]
        return [*found, np.array([[1], [2]], np.int32), np.ones(2, np.int32), np.ones((2, 1, 1, 28, 28), np.float32)]
    if not task.draws_masks:
        return [_ROWS]
    scores = np.broadcast_to(_ROWS[:, :, None, None], (2, 3, 2, 4)).copy()
    scores[1, :, :, 2:] = scores[1, ::-1, :, 2:]
    return [scores]
