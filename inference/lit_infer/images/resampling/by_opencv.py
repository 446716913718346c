"""OpenCV's own resize, four channels at a time, as albumentations calls it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import require
from lit_infer.images.pictures import Picture, to_array
from lit_infer.images.resizing import Interpolation

_MOST = 4  # channels in one call
_FLAGS: dict[Interpolation, str] = {
    "nearest": "INTER_NEAREST",
    "nearest_exact": "INTER_NEAREST_EXACT",
    "bilinear": "INTER_LINEAR",
    "bicubic": "INTER_CUBIC",
    "lanczos": "INTER_LANCZOS4",
    "area": "INTER_AREA",
}


def opencv() -> Any:
    """The library, or the line that installs it."""
    return require("cv2", extra="opencv", purpose="images prepared by OpenCV")


def resized(picture: Picture, size: tuple[int, int], interpolation: Interpolation, antialias: bool) -> Picture:
    """By `cv2.resize`."""
    del antialias  # it never does, but for `area`
    cv2, array = opencv(), np.ascontiguousarray(to_array(picture))
    flag, shape = getattr(cv2, _FLAGS[interpolation]), (size[1], size[0], -1)
    made = [cv2.resize(np.ascontiguousarray(part), size, interpolation=flag) for part in _in_calls(array)]
    return np.concatenate([part.reshape(shape) for part in made], axis=2)


def _in_calls(array: NDArray[Any]) -> list[NDArray[Any]]:
    """The channels of each call; of more than four, the last two go one by one.

    Some interpolations round a channel otherwise when it is alone.
    """
    count = array.shape[2]
    starts = list(range(0, count, _MOST))
    if count > _MOST and count % _MOST == 2:
        starts.append(count - 1)
    return np.split(array, starts[1:], axis=2)
