"""The preprocessing steps on PIL images, in torchvision's arithmetic: resize, centre crop, EXIF orientation."""

import random
from collections.abc import Sequence
from functools import cache

from msgspec import UNSET
from PIL import Image, ImageOps

from lit_infer.errors import InputError
from lit_infer.images.limits import Limits
from lit_infer.manifest import CenterCrop, Resize, Step

_MODES = {1: "L", 3: "RGB"}
_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
_FILTERED = frozenset({"bilinear", "bicubic"})  # in two passes
_SMALLEST = 64  # pixels; below it one pixel of rounding is a ratio of its own


def apply(steps: Sequence[Step], image: Image.Image, *, channels: int, limits: Limits) -> Image.Image:
    """All steps in order. The image becomes L or RGB where training's loader made it so: before resize and crop."""
    place = 0
    while place < len(steps):
        step, after = steps[place], steps[place + 1] if place + 1 < len(steps) else None
        place += 1
        if step.exif_transpose is not UNSET:
            image = _upright(image)
            continue
        image = converted(image, channels)
        if step.center_crop is not UNSET:
            image = _center_crop(image, step.center_crop)
        elif step.resize is not UNSET and after is not None and after.center_crop is not UNSET:
            image = _resize_and_crop(image, step.resize, after.center_crop, limits)
            place += 1
        elif step.resize is not UNSET:
            image = _resize(image, step.resize, limits)
    return converted(image, channels)


def keep(steps: Sequence[Step], *, width: int, height: int) -> bool:
    """Whether the steps leave an image of this size as it is, if it has no EXIF block."""
    for step in steps:
        if step.center_crop is not UNSET and step.center_crop.height_width != (height, width):
            return False
        if step.resize is not UNSET and _new_size((width, height), step.resize) != (width, height):
            return False
    return True


def converted(image: Image.Image, channels: int) -> Image.Image:
    """The image in L or RGB, as `Image.convert` makes it in a training loader."""
    mode = _MODES[channels]
    if image.mode == mode:
        return image
    if isinstance(image.info.get("transparency"), bytes):
        image = image.copy()
        del image.info["transparency"]
    return image.convert(mode)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:
        raise InputError(f"its EXIF block cannot be read: {error}", code="undecodable") from None


def _resize(image: Image.Image, resize: Resize, limits: Limits) -> Image.Image:
    """`torchvision.transforms.v2.functional.resize` of a PIL image."""
    size = _resized_size(image, resize, limits)
    return image if size == image.size else image.resize(size, resample=_RESAMPLING[resize.interpolation])


def _center_crop(image: Image.Image, crop: CenterCrop) -> Image.Image:
    """`torchvision.transforms.v2.functional.center_crop` of a PIL image: padded with zeros, then cut."""
    return image.crop(_crop_box(image.size, crop))


def _resize_and_crop(image: Image.Image, resize: Resize, crop: CenterCrop, limits: Limits) -> Image.Image:
    """Both, without computing the columns that the crop throws away; a tenth quicker, and the same bits.

    Pillow resizes in two passes and rounds between them, and a column of the second depends on its own column only.
    Its own `box=` would cut rows as well, but it is float32 and moves the filter by a hair. To cut rows by hand saves
    less than it costs: every call into Pillow gives the interpreter's lock away, and waits for it again.
    """
    size = _resized_size(image, resize, limits)
    box = _crop_box(size, crop)
    if not _passes_can_be_cut(image, resize, size, box):
        return _center_crop(_resize(image, resize, limits), crop)
    left, top, right, bottom = box
    resample = _RESAMPLING[resize.interpolation]
    rows = image.resize((size[0], image.height), resample=resample)
    columns = rows.crop((left, 0, right, image.height)).resize((right - left, size[1]), resample=resample)
    return columns.crop((0, top, right - left, bottom))


def _passes_can_be_cut(
    image: Image.Image, resize: Resize, size: tuple[int, int], box: tuple[int, int, int, int]
) -> bool:
    """Where Pillow is known to do rows first: since version 13 it does not for tall images, nor for odd ratios."""
    inside = min(box[:2]) >= 0 and box[2] <= size[0] and box[3] <= size[1]
    lies = image.width >= image.height >= _SMALLEST and min(size) >= _SMALLEST and size[1] != image.height
    return inside and lies and isinstance(resize.size, int) and resize.interpolation in _FILTERED and _rows_first()


@cache
def _rows_first() -> bool:
    """Whether this Pillow does: asked once, of a small image of noise, because no document promises it."""
    noise = Image.frombytes("L", (100, 75), random.Random(0).randbytes(7500))  # noqa: S311 - not a secret
    by_hand = noise.resize((68, 75), Image.Resampling.BILINEAR).resize((68, 51), Image.Resampling.BILINEAR)
    return by_hand.tobytes() == noise.resize((68, 51), Image.Resampling.BILINEAR).tobytes()


def _resized_size(image: Image.Image, resize: Resize, limits: Limits) -> tuple[int, int]:
    """(width, height) after the resize, if that is within the limits."""
    size = _new_size(image.size, resize)
    if size != image.size:
        limits.check_pixels(*size)
    return size


def _new_size(size: tuple[int, int], resize: Resize) -> tuple[int, int]:
    """(width, height) after the resize."""
    if isinstance(resize.size, tuple):
        height, width = resize.size
        return width, height
    short, long = sorted(size)
    longer = int(resize.size * long / short)
    return (resize.size, longer) if size[0] <= size[1] else (longer, resize.size)


def _crop_box(size: tuple[int, int], crop: CenterCrop) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the centre; negative or beyond the image where that is too small."""
    (image_width, image_height), (height, width) = size, crop.height_width
    pad_left, pad_top = max(width - image_width, 0) // 2, max(height - image_height, 0) // 2
    # Python rounds halves to even, and so does torchvision, being Python here.
    left = -pad_left if width > image_width else round((image_width - width) / 2.0)
    top = -pad_top if height > image_height else round((image_height - height) / 2.0)
    return left, top, left + width, top + height
