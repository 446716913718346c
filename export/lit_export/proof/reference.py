"""The training side of the comparison: the same preprocessing by training's own library, written independently.

`REFERENCE` is the twin of `lit_infer.images.steps.APPLY`. It is the proof, so it shares no code with it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from lit_infer.errors import UsageError
from lit_infer.manifest import CenterCrop, DeploymentFacts, ExifTranspose, Resize, Step

_INTERPOLATION = {
    "nearest": InterpolationMode.NEAREST,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}
_BEFORE_CONVERSION = frozenset({"exif_transpose"})
"""Steps on the file's image, before the loader makes it RGB or grayscale."""


def training_pixels(path: Path, facts: DeploymentFacts) -> NDArray[np.uint8]:
    """uint8 [height, width, channels], as torchvision's ImageFolder and the evaluation transform make it."""
    mode = "L" if facts.channels == 1 else "RGB"
    with Image.open(path) as opened:
        image: Image.Image = opened
        steps = list(facts.preprocess)
        while steps and steps[0].kind in _BEFORE_CONVERSION:
            image = _applied(image, steps.pop(0))
        image = image.convert(mode)
    for step in steps:
        image = _applied(image, step)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, facts.channels)


def _applied(image: Image.Image, step: Step) -> Image.Image:
    """The reference of a step. A step without one cannot be compared, so it is refused."""
    if step.kind not in REFERENCE:
        raise UsageError(f"preprocessing step {step.kind} has no reference to compare with")
    return REFERENCE[step.kind](image, step.value)


def _upright(image: Image.Image, _: ExifTranspose) -> Image.Image:
    return ImageOps.exif_transpose(image)


def _resize(image: Image.Image, resize: Resize) -> Image.Image:
    if resize.library != "pil":
        raise UsageError(f"resize: library {resize.library} has no reference to compare with")
    size = [resize.size] if isinstance(resize.size, int) else list(resize.size)
    interpolation = _INTERPOLATION[resize.interpolation]
    resized: Image.Image = functional.resize(image, size, interpolation=interpolation, antialias=resize.antialias)
    return resized


def _center_crop(image: Image.Image, crop: CenterCrop) -> Image.Image:
    cropped: Image.Image = functional.center_crop(image, list(crop.height_width))
    return cropped


REFERENCE: dict[str, Callable[[Image.Image, Any], Image.Image]] = {
    "exif_transpose": _upright,
    "resize": _resize,
    "center_crop": _center_crop,
}
"""By the step's name in the manifest."""
