"""What training did to an image file, by torchvision: the independent side of the comparison with the runtime."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from lit_infer.manifest import DeploymentFacts, Step

_INTERPOLATION = {
    "nearest": InterpolationMode.NEAREST,
    "bilinear": InterpolationMode.BILINEAR,
    "bicubic": InterpolationMode.BICUBIC,
}


def training_pixels(path: Path, facts: DeploymentFacts) -> NDArray[np.uint8]:
    """uint8 [height, width, channels], as torchvision's ImageFolder and the evaluation transform make it."""
    with Image.open(path) as opened:
        upright = facts.preprocess and facts.preprocess[0].exif_transpose is not UNSET
        image = (ImageOps.exif_transpose(opened) if upright else opened).convert("L" if facts.channels == 1 else "RGB")
    for step in facts.preprocess:
        image = _applied(step, image)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels.reshape(image.height, image.width, facts.channels)


def _applied(step: Step, image: Image.Image) -> Any:
    if step.resize is not UNSET:
        size = [step.resize.size] if isinstance(step.resize.size, int) else list(step.resize.size)
        return functional.resize(image, size, interpolation=_INTERPOLATION[step.resize.interpolation])
    if step.center_crop is not UNSET:
        return functional.center_crop(image, list(step.center_crop.height_width))
    return image
