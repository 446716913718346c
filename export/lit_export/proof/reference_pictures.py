"""What the training side of the comparison passes from step to step."""

from typing import Any

import numpy as np
from PIL import Image

from lit_infer.errors import require

Loaded = Any
"""A PIL image, or an array [height, width(, channels)]."""


def as_pil(image: Loaded) -> Image.Image:
    """A picture of bytes as a PIL image."""
    if isinstance(image, Image.Image):
        return image
    is_grey = image.ndim == 3 and image.shape[2] == 1
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if is_grey else image))


def size_of(image: Loaded) -> tuple[int, int]:
    """(width, height)."""
    return image.size if isinstance(image, Image.Image) else (image.shape[1], image.shape[0])


def opencv() -> Any:
    """The library, or the line that installs it."""
    return require("cv2", extra="opencv", purpose="comparing with OpenCV")
