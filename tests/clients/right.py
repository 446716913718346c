"""Inputs and what is right for them, as `served.py` wrote them. Read in other environments: needs numpy alone."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_FOLDER = Path(os.environ["LIT_TEST_RIGHT"])
with np.load(_FOLDER / "right.npz") as _found:
    IMAGES: NDArray[np.uint8] = _found["images"]
    """[3, 8, 8, 3], as the graph takes them."""
    PROBABILITIES: NDArray[np.float32] = _found["probabilities"]
    """[3, 3], for those images."""
    LABELS: list[list[str]] = _found["labels"].tolist()
    """Of versions 1 and 2."""
FILES = [(_FOLDER / f"{place}.png").read_bytes() for place in range(len(IMAGES))]
"""The same images as PNG files."""
X = np.arange(8, dtype=np.float32).reshape(2, 4)
Y = np.float32(0.5) - X * X
"""For the model `pair`, which answers their sum and their difference."""


def is_right(probabilities: NDArray[np.float32]) -> bool:
    """Whether these are the answers for all images."""
    return probabilities.shape == PROBABILITIES.shape and np.allclose(probabilities, PROBABILITIES, atol=1e-6)


def classes_are_right(texts: NDArray[np.object_], *, version: int) -> bool:
    """Whether these are the two best classes of all images, as value:index:label, in text or bytes."""
    best = np.argsort(-PROBABILITIES, axis=1, kind="stable")[:, :2]
    found = [[(text if isinstance(text, str) else text.decode()).split(":") for text in row] for row in texts]
    values = [[float(value) for value, _, _ in row] for row in found]
    names = [[(int(index), label) for _, index, label in row] for row in found]
    return np.allclose(values, np.take_along_axis(PROBABILITIES, best, 1), atol=1e-6) and names == [
        [(index, LABELS[version - 1][index]) for index in row] for row in best.tolist()
    ]
