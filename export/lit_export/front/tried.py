"""Functions among the parts of a transform: what they do, found by trying them on two images.

That is a guess, as it would be of a person who reads their code; the comparison of pixels shows whether it is right.
"""

import functools
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms as v1
from torchvision.transforms import v2

from lit_infer import progress
from lit_infer.images.from_transform import FROM_TRANSFORM
from lit_infer.images.from_transform.facts import name_of

_SIZES = ((37, 29), (20, 41))
"""(width, height)"""
_CLOSE = 1e-5  # of float32, where both compute the same in another order


def known(parts: Sequence[Any]) -> v1.Compose | None:
    """The parts, with one that is known for each function that acts as it does; None if one acts like none of them."""
    images: list[Any] = [_noise(size) for size in _SIZES]
    made = []
    for part in parts:
        after = [part(image) for image in images]
        if _is_function(part):
            stand_in = _stand_in(part, images, after)
            if stand_in is None:
                return None
            progress.note(f"{_said(part)} is taken for {_said(stand_in)}: on two images it did the same")
            made.append(stand_in)
        else:
            made.append(part)
        images = after
    return v1.Compose(made)


def _noise(size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(size).integers(0, 256, (*size[::-1], 3)).astype(np.uint8))


def _is_function(part: Any) -> bool:
    is_code = inspect.isroutine(part) or isinstance(part, functools.partial | v1.Lambda | v2.Lambda)
    return is_code and name_of(part) not in FROM_TRANSFORM


def _said(part: Any) -> str:
    return str(getattr(part, "__name__", type(part).__name__))


def _stand_in(part: Any, before: Sequence[Any], after: Sequence[Any]) -> Any:
    """A part that is known and makes the same of these images, as this one does each time."""
    if not all(_same(part(image), made) for image, made in zip(before, after, strict=True)):
        return None
    for candidate in _candidates(before[0], after[0]):
        try:
            if all(_same(candidate(image), made) for image, made in zip(before, after, strict=True)):
                return candidate
        except (TypeError, ValueError, RuntimeError):  # it takes no such image
            continue
    return None


def _candidates(before: Any, after: Any) -> Iterator[Any]:
    yield nn.Identity()
    if isinstance(before, Image.Image):
        yield from (v1.Grayscale(), v1.Grayscale(3), v1.PILToTensor(), v1.ToTensor())
        return
    yield v2.RGB()
    if isinstance(before, Tensor) and before.is_floating_point() and before.shape == getattr(after, "shape", None):
        yield _line(before, after)


def _line(before: Tensor, after: Tensor) -> v1.Normalize:
    """The normalisation through the least and the largest value of each channel."""
    mean, std = [], []
    for one, other in zip(before.flatten(1).double(), after.flatten(1).double(), strict=True):
        low, high = one.argmin(), one.argmax()
        width = (one[high] - one[low]) / (other[high] - other[low])
        std.append(float(f"{width.item():.7g}"))
        mean.append(float(f"{(one[low] - other[low] * width).item():.7g}"))
    return v1.Normalize(mean, std)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Image.Image):
        return isinstance(other, Image.Image) and one.mode == other.mode and one.tobytes() == other.tobytes()
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return False
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    largest = max(1.0, float(one.abs().max())) if one.is_floating_point() else 0.0
    return bool(((one.double() - other.double()).abs() <= _CLOSE * largest).all())
