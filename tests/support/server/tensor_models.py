"""Models of the task `tensor`, and numbers for them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.manifest import Manifest, Tensor
from tests.inference.tiny import described

RANDOM = np.random.default_rng(0)


def model(*inputs: Tensor, outputs: tuple[Tensor, ...] = ()) -> Manifest:
    return described(task="tensor", inputs=inputs, outputs=outputs or inputs, labels=None, preprocess=())


def two_d(dtype: Any, name: str = "x") -> Tensor:
    return Tensor(name=name, dtype=dtype, shape=("batch", 3))


def some(dtype: str) -> NDArray[Any]:
    return RANDOM.integers(0, 2, (2, 3)).astype(dtype)
