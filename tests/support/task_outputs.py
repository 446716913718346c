"""What a graph of each task answers for two images and three classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.tasks import TaskSpec

_ROWS = np.array([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]], dtype=np.float32)
_BOXES = np.tile(np.array([1, 2, 7, 6], np.float32), (2, 1, 1))
_CLASSES = np.broadcast_to(_ROWS[:, :, None, None], (2, 3, 2, 4)).copy()
_CLASSES[1, :, :, 2:] = _CLASSES[1, ::-1, :, 2:]

_OF_KIND: dict[str, list[NDArray[Any]]] = {
    "boxes": [_ROWS[:, None], _BOXES],
    "points": [_ROWS[:, :, None] * np.array([8, 4, 1], np.float32)],
    "anomaly": [_ROWS[:, 0]],
    "image": [np.broadcast_to(_ROWS[:, :, None, None], (2, 3, 2, 4)) * np.linspace(0.2, 1, 4, dtype=np.float32)],
    "instances": [  # what was found, and a mask that fills its box
        *(np.array([[0.5], [0.75]], np.float32), _BOXES, np.array([[1], [2]], np.int32)),
        *(np.ones(2, np.int32), np.ones((2, 1, 1, 28, 28), np.float32)),
    ],
    "mask": [_CLASSES],
    "spans": [np.stack([_ROWS, _ROWS[::-1], _ROWS[[0, 0]]], axis=1)],
}


def outputs_of(task: TaskSpec) -> list[NDArray[Any]]:
    """All outputs. Masks are of 2 x 4 pixels, of two classes in the second image; there is a box in each image,
    and three points or tokens."""
    return [part.copy() for part in _OF_KIND.get(task.kind, [_ROWS])]
