"""The training side of the comparison: how training's loader opens a file, by the library that it names."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from lit_export.proof.reference_pictures import Loaded, opencv
from lit_infer.errors import require
from lit_infer.manifest import DeploymentFacts, Step

_BEFORE_CONVERSION = frozenset({"exif_transpose"})
"""Steps on the file's image, before the loader makes it RGB or grayscale."""
_FROM_RGB = frozenset({"grayscale", "channels"})


def loaded(path: Path, facts: DeploymentFacts) -> Loaded:
    """The image as training's loader gives it to its transform."""
    return read(path, list(facts.preprocess), facts)


def read(path: Path, steps: list[Step], facts: DeploymentFacts) -> Loaded:
    """The image as it is read. What reads it is taken off the steps."""
    if any(step.kind == "read" for step in steps):
        return _read_as_told(path, steps)
    return _read_as_image_folder(path, steps, facts.channels)


def _read_as_image_folder(path: Path, steps: list[Step], channels: int) -> Loaded:
    mode = "L" if channels == 1 and not any(step.kind in _FROM_RGB for step in steps) else "RGB"
    with Image.open(path) as opened:
        image: Loaded = opened
        if steps and steps[0].kind in _BEFORE_CONVERSION:
            image = ImageOps.exif_transpose(opened)
            steps.pop(0)
        assert isinstance(image, Image.Image)  # noqa: S101 - orientation makes no array
        return image.convert(mode)


def _read_as_told(path: Path, steps: list[Step]) -> Loaded:
    """By the library that the step names, as its own examples read a file."""
    turned = steps.pop(0) if steps[0].kind in _BEFORE_CONVERSION else None
    read: Any = steps.pop(0).value
    if read.library == "opencv":
        return _by_opencv(path, read.mode)
    if read.library != "pil":
        array = np.load(path) if read.library == "numpy" else _tifffile().imread(path)
        is_first = read.layout == "chw" or (read.library == "tifffile" and read.layout is None and _is_first(path))
        return np.moveaxis(array, 0, -1) if is_first and array.ndim == 3 else array
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened) if turned is not None else opened
        if read.mode == "unchanged":
            kept = image.convert({"1": "L", "P": "RGBA" if "transparency" in image.info else "RGB"}.get(image.mode))
            return np.asarray(kept).astype(np.uint16) if kept.mode.startswith("I") else np.asarray(kept)
        if read.background is not None and image.has_transparency_data:
            seen = image.convert("RGBA")
            below = Image.new("RGB", image.size, read.background)
            below.paste(seen, mask=seen.getchannel("A"))
            image = below
        return image.convert("L" if read.mode == "gray" else "RGB")


def _by_opencv(path: Path, mode: str) -> Loaded:
    cv2 = opencv()
    if mode == "rgb":
        return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    if mode == "gray":
        return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    codes = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    return cv2.cvtColor(found, codes[found.shape[2]]) if found.ndim == 3 else found


def _is_first(path: Path) -> bool:
    """Whether a TIFF file has its bands one after the other."""
    with _tifffile().TiffFile(path) as file:
        return bool(file.series[0].axes.endswith("YX"))


def _tifffile() -> Any:
    return require("tifffile", extra="tiff", purpose="comparing with tifffile")
