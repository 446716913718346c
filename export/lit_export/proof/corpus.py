"""Image files to compare on where none are given: odd sizes, several modes and formats, fine and coarse."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_export.tasks.images import image_noise
from lit_infer.errors import require
from lit_infer.images.framing import Crop
from lit_infer.manifest import DeploymentFacts

_ORIENTATION, _ORIENTATIONS = 0x0112, (6, 3)  # the EXIF tag; a quarter and half a turn
_MODES = ("RGB", "L", "RGBA", "P", "LA", "CMYK")
_SMALLEST = 24
_HUGE = 18  # of the 24: a JPEG in RGB
_TIMES, _MOST_PIXELS = 7.0, 16e6


def plain_files(facts: DeploymentFacts, folder: Path, count: int) -> list[Path]:
    """RGB images of four odd sizes around the model's, as PNG and as JPEG, which have an orientation."""
    if not _is_photo(facts):
        return _other_files(facts, folder, count)
    paths = []
    for index, size in enumerate(_sizes(facts, count)):
        path = folder / f"noise-{index}.{'png' if index % 2 else 'jpg'}"
        _save(Image.fromarray(image_noise(np.random.default_rng(index), 1, (*size, 3))[0]), path, index)
        paths.append(path)
    return paths


def odd_files(facts: DeploymentFacts, folder: Path) -> list[Path]:
    """Images of many sizes, modes and formats: what a folder of pictures may hold."""
    if not _is_photo(facts):
        return _other_files(facts, folder, 24)
    paths = []
    sizes = list(_sizes(facts, 24))
    sizes[_HUGE] = _huge(facts)
    for index, size in enumerate(sizes):
        mode = _MODES[index % len(_MODES)]
        image = Image.fromarray(_smooth(index, size) if index % 3 else image_noise(_seeded(index), 1, (*size, 3))[0])
        suffix = "jpg" if mode in ("RGB", "L", "CMYK") and index % 2 == 0 else "png" if mode != "CMYK" else "tif"
        path = folder / f"odd-{index}-{mode}.{suffix}"
        _save(_in_mode(image, mode, index), path, index)
        paths.append(path)
    return paths


def _sizes(facts: DeploymentFacts, count: int) -> Sequence[tuple[int, int]]:
    """(height, width), larger and smaller than what the model takes, upright and lying."""
    height, width = facts.height_width
    around = [
        (height, width),
        (2 * height + 1, width + 7),
        (height + 3, 2 * width + 5),
        (height // 2 + 1, width // 2 + 1),
        (height + 1, 3 * width + 2),
        (3 * height + 4, width + 2),
        (height * 2, width * 2),
        (height - height // 3, width + 1),
    ]
    least = _least(facts)
    sizes = [(max(high, least[0]), max(wide, least[1])) for high, wide in around]
    return [sizes[index % len(sizes)] for index in range(count)]


def _huge(facts: DeploymentFacts) -> tuple[int, int]:
    """(height, width) of a photograph: some ways of resizing differ only where an image gets many times smaller."""
    height, width = facts.height_width
    times = max(1.0, min(_TIMES, math.sqrt(_MOST_PIXELS / (height * width))))
    least = _least(facts)
    return max(int(height * times) + 3, least[0]), max(int(width * times) + 1, least[1])


def _least(facts: DeploymentFacts) -> tuple[int, int]:
    """The least (height, width) that the steps take: what is cropped without a resize before it must be there."""
    for step in facts.preprocess:
        moved = step.value.placement(1000, 1000)
        if (moved.scale_x, moved.scale_y) != (1.0, 1.0):
            break  # whatever the size was, it is another one now
        if isinstance(step.value, Crop) and step.value.box is not None:
            return step.value.box[3], step.value.box[2]
        if step.value.fixed_size is not None:
            return step.value.fixed_size
    return _SMALLEST, _SMALLEST


def _seeded(index: int) -> np.random.Generator:
    return np.random.default_rng((2, index))


def _smooth(index: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Slopes and edges, as photographs have them."""
    generator = _seeded(index)
    small = Image.fromarray(generator.integers(0, 256, (7, 9, 3)).astype(np.uint8))
    return np.asarray(small.resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _in_mode(image: Image.Image, mode: str, index: int) -> Image.Image:
    if mode in ("RGBA", "LA"):
        alpha = Image.fromarray(_smooth(index + 100, (image.height, image.width))[:, :, 0])
        image = image.convert(mode)
        image.putalpha(alpha)
        return image
    return image.convert(mode)


def _save(image: Image.Image, path: Path, index: int) -> None:
    exif = image.getexif()
    if path.suffix == ".jpg":
        exif[_ORIENTATION] = _ORIENTATIONS[index // 2 % len(_ORIENTATIONS)]
    image.save(path, exif=exif) if path.suffix != ".tif" else image.save(path)


def _is_photo(facts: DeploymentFacts) -> bool:
    """Whether files are ordinary pictures of 8 bits, in RGB or what is made of it."""
    read = facts.read
    return read is None or (read.library in ("pil", "opencv") and read.depth == "uint8" and _bands(facts) <= 3)


def _bands(facts: DeploymentFacts) -> int:
    """Channels that a file must have."""
    read = facts.read
    if read is not None and read.channels is not None:
        return read.channels
    orders = [max(step.value.order) + 1 for step in facts.preprocess if hasattr(step.value, "order")]
    return orders[0] if orders else facts.channels


def _other_files(facts: DeploymentFacts, folder: Path, count: int) -> list[Path]:
    """Files in the depth and with the bands that the model's have."""
    read, paths = facts.read, []
    assert read is not None  # noqa: S101 - else they are ordinary pictures
    for index, size in enumerate(_sizes(facts, count)):
        array = image_noise(_seeded(index), 1, (*size, _bands(facts)), read.depth)[0]
        paths.append(_written(array, folder / f"odd-{index}", read.library, read.layout))
    return paths


def _written(array: NDArray[Any], stem: Path, library: str, layout: str | None) -> Path:
    if library == "numpy":
        path = stem.with_suffix(".npy")
        np.save(path, np.moveaxis(array, 2, 0) if layout == "chw" else array)
        return path
    if library == "tifffile" or array.dtype == np.float32 or array.shape[2] > 4:
        path = stem.with_suffix(".tif")
        tifffile = require("tifffile", extra="tiff", purpose="TIFF files of many bands")
        if layout == "chw" or array.shape[2] > 4:
            tifffile.imwrite(path, np.moveaxis(array, 2, 0), photometric="minisblack", planarconfig="separate")
        else:
            tifffile.imwrite(path, array[:, :, 0] if array.shape[2] == 1 else array)
        return path
    path = stem.with_suffix(".png")
    if array.dtype == np.uint16 and array.shape[2] > 1:  # Pillow writes none
        cv2 = require("cv2", extra="opencv", purpose="PNG files of 16 bits")
        cv2.imwrite(str(path), array[:, :, [2, 1, 0, 3][: array.shape[2]]])
        return path
    Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array).save(path)
    return path
