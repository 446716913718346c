"""The preprocessing steps on PIL images, in the arithmetic of the library that training used: a table, `APPLY`.

Its twin is `lit_export.proof.reference.REFERENCE`: the same steps by training's own library, sharing no code with it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from PIL import Image, ImageOps

from lit_infer.errors import InputError, UsageError
from lit_infer.images.limits import Limits
from lit_infer.images.preprocess import CenterCrop, ExifTranspose, Resize, Step

_MODES = {1: "L", 3: "RGB"}
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_FILTERED = frozenset({"bilinear", "bicubic"})  # in two passes
_SMALLEST = 64  # pixels; below it, one pixel of rounding changes the ratio


def apply(steps: Sequence[Step], image: Image.Image, *, channels: int, limits: Limits) -> Image.Image:
    """All steps in order. The image becomes L or RGB where training's loader converted it: before resize and crop."""
    index = 0
    while index < len(steps):
        step, after = steps[index], steps[index + 1] if index + 1 < len(steps) else None
        index += 1
        if step.kind not in _ON_FILE:
            image = converted(image, channels)
        if after is not None and (together := _TOGETHER.get((step.kind, after.kind))) is not None:
            image = together(image, step.value, after.value, limits)
            index += 1
        else:
            image = row_of(APPLY, step)(image, step.value, limits)
    return converted(image, channels)


def row_of(table: Mapping[str, Any], step: Step) -> Any:
    """A table's row for a step. A step that the table does not have is never skipped."""
    if step.kind not in table:
        raise UsageError(f"preprocessing step {step.kind} is not known here; known are {', '.join(table)}")
    return table[step.kind]


def is_identity(steps: Sequence[Step], *, width: int, height: int) -> bool:
    """Whether the steps leave an image of this size unchanged, if it has no EXIF block."""
    return all(step.value.output_size(width, height) == (width, height) for step in steps)


def converted(image: Image.Image, channels: int) -> Image.Image:
    """The image in L or RGB, as `Image.convert` makes it in a training loader."""
    mode = _MODES[channels]
    if image.mode == mode:
        return image
    if isinstance(image.info.get("transparency"), bytes):
        image = image.copy()
        del image.info["transparency"]
    return image.convert(mode)


def _upright(image: Image.Image, _: ExifTranspose, __: Limits) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:
        raise InputError(f"its EXIF block cannot be read: {error}", code="undecodable") from None


def _resize(image: Image.Image, resize: Resize, limits: Limits) -> Image.Image:
    """A resize in the arithmetic of its library."""
    return _BY_LIBRARY[resize.library](image, resize, limits)


def _resize_by_pillow(image: Image.Image, resize: Resize, limits: Limits) -> Image.Image:
    """`torchvision.transforms.v2.functional.resize` of a PIL image."""
    size = _resized_size(image, resize, limits)
    return image if size == image.size else image.resize(size, resample=_RESAMPLING[resize.interpolation])


_BY_LIBRARY: dict[str, Callable[[Image.Image, Resize, Limits], Image.Image]] = {"pil": _resize_by_pillow}


def _center_crop(image: Image.Image, crop: CenterCrop, _: Limits) -> Image.Image:
    """`torchvision.transforms.v2.functional.center_crop` of a PIL image: padded with zeros, then cut."""
    return image.crop(_crop_box(image.size, crop))


def _resize_and_crop(image: Image.Image, resize: Resize, crop: CenterCrop, limits: Limits) -> Image.Image:
    """Both, without computing the columns that the crop discards; a tenth faster, with the same bits.

    Pillow resizes in two passes and rounds between them; a column of the second depends only on that of the first.
    Its own `box=` would cut rows as well, but it is float32 and shifts the filter slightly. Cutting rows separately
    costs more than it saves: every call into Pillow releases the interpreter's lock and waits for it again.
    """
    size = _resized_size(image, resize, limits)
    box = _crop_box(size, crop)
    if not _passes_can_be_cut(image, resize, size, box):
        return _center_crop(_resize(image, resize, limits), crop, limits)
    left, top, right, bottom = box
    resample = _RESAMPLING[resize.interpolation]
    rows = image.resize((size[0], image.height), resample=resample)
    columns = rows.crop((left, 0, right, image.height)).resize((right - left, size[1]), resample=resample)
    return columns.crop((0, top, right - left, bottom))


def _passes_can_be_cut(
    image: Image.Image, resize: Resize, size: tuple[int, int], box: tuple[int, int, int, int]
) -> bool:
    """Whether Pillow is known to do rows first: since version 13 not for tall images or extreme ratios."""
    inside = min(box[:2]) >= 0 and box[2] <= size[0] and box[3] <= size[1]
    is_wide = image.width >= image.height >= _SMALLEST and min(size) >= _SMALLEST and size[1] != image.height
    is_pillow = resize.library == "pil" and resize.interpolation in _FILTERED
    return inside and is_wide and isinstance(resize.size, int) and is_pillow and _rows_first()


@cache
def _rows_first() -> bool:
    """Whether this Pillow does rows first: tried once, on a small image of noise, since it is not documented."""
    noise = Image.frombytes("L", (100, 75), random.Random(0).randbytes(7500))  # noqa: S311 - not a secret
    two_passes = noise.resize((68, 75), Image.Resampling.BILINEAR).resize((68, 51), Image.Resampling.BILINEAR)
    return two_passes.tobytes() == noise.resize((68, 51), Image.Resampling.BILINEAR).tobytes()


def _resized_size(image: Image.Image, resize: Resize, limits: Limits) -> tuple[int, int]:
    """(width, height) after the resize, if that is within the limits."""
    size = resize.output_size(*image.size)
    if size != image.size:
        limits.check_pixels(*size)
    return size


def _crop_box(size: tuple[int, int], crop: CenterCrop) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the centre; negative or beyond the image if the image is too small."""
    (image_width, image_height), (height, width) = size, crop.height_width
    pad_left, pad_top = max(width - image_width, 0) // 2, max(height - image_height, 0) // 2
    # Python rounds halves to even; so does torchvision, which computes this in Python.
    left = -pad_left if width > image_width else round((image_width - width) / 2.0)
    top = -pad_top if height > image_height else round((image_height - height) / 2.0)
    return left, top, left + width, top + height


Apply = Callable[[Image.Image, Any, Limits], Image.Image]

APPLY: dict[str, Apply] = {
    "exif_transpose": _upright,
    "resize": _resize,
    "center_crop": _center_crop,
}
"""By the step's name in the manifest."""

_TOGETHER: dict[tuple[str, str], Callable[[Image.Image, Any, Any, Limits], Image.Image]] = {
    ("resize", "center_crop"): _resize_and_crop,
}
"""Steps that cost less together, with the same result."""

_ON_FILE = frozenset({"exif_transpose"})
"""Steps on the image as stored in its file, in any mode."""
