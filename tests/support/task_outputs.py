"""What a graph of each task answers for two images and three classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.tasks import TaskSpec

_ROWS = np.array([[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]], dtype=np.float32)


def output_of(task: TaskSpec) -> NDArray[Any]:
    """The first output. Masks are of 2 x 4 pixels: a class for each half of the second image."""
    if not task.draws_masks:
        return _ROWS
    scores = np.broadcast_to(_ROWS[:, :, None, None], (2, 3, 2, 4)).copy()
    scores[1, :, :, 2:] = scores[1, ::-1, :, 2:]
    return scores
