"""The preprocessing steps on pictures, in the arithmetic of the library that training used: a table, `APPLY`.

Its twin is `lit_export.proof.reference.REFERENCE`: the same steps by training's own library, sharing no code with it.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lit_infer.errors import InputError, UsageError
from lit_infer.images import arithmetic
from lit_infer.images.framing import CenterCrop, Crop, Pad
from lit_infer.images.limits import Limits
from lit_infer.images.pictures import Picture, size_of, to_array, to_pil
from lit_infer.images.preprocess import Step
from lit_infer.images.resampling import RESAMPLE, RESAMPLE_PART
from lit_infer.images.resampling.by_pillow import RESAMPLING
from lit_infer.images.resizing import Letterbox, Resize
from lit_infer.images.values import ExifTranspose, ReadImage

_MODES = {1: "L", 3: "RGB"}
_FILTERED = frozenset({"bilinear", "bicubic"})  # in two passes
_SMALLEST = 64  # pixels; below it, one pixel of rounding changes the ratio


def apply(steps: Sequence[Step], image: Picture, *, channels: int, limits: Limits) -> Picture:
    """All steps in order. Without a step that reads, the image becomes L or RGB where training's loader made it so."""
    index, is_read = 0, False
    while index < len(steps):
        step, after = steps[index], steps[index + 1] if index + 1 < len(steps) else None
        index += 1
        loaded_as = None
        if step.kind not in _ON_FILE and not is_read:
            loaded_as, is_read = _loaded_channels(steps, channels), True
            if not _is_grey_resize(step, image):
                image, loaded_as = converted(image, loaded_as), None
        is_read = is_read or step.kind == "read"
        if after is not None and (together := _TOGETHER.get((step.kind, after.kind))) is not None:
            image = together(image, step.value, after.value, limits)
            index += 1
        else:
            image = row_of(APPLY, step)(image, step.value, limits)
        if loaded_as is not None:
            image = converted(image, loaded_as)
    return image if is_read else converted(image, channels)


def turned(image: Picture, steps: Sequence[Step], limits: Limits) -> Picture:
    """The image upright by its EXIF orientation, if that is one of the steps, and nothing else."""
    for step in steps:
        if step.kind == "exif_transpose":
            image = row_of(APPLY, step)(image, step.value, limits)
    return image


def after_turning(steps: Sequence[Step]) -> tuple[Step, ...]:
    """All other steps: those for a part of an image that is upright."""
    return tuple(step for step in steps if step.kind != "exif_transpose")


def row_of(table: Mapping[str, Any], step: Step) -> Any:
    """A table's row for a step. A step that the table does not have is never skipped."""
    if step.kind not in table:
        raise UsageError(f"preprocessing step {step.kind} is not known here; known are {', '.join(table)}")
    return table[step.kind]


def is_identity(steps: Sequence[Step], *, width: int, height: int) -> bool:
    """Whether the steps leave a prepared image of this size unchanged, if it has no EXIF block."""
    return all(
        step.kind not in _OF_VALUES and step.value.output_size(width, height) == (width, height) for step in steps
    )


def converted(image: Picture, channels: int) -> Picture:
    """The image in L or RGB, as `Image.convert` makes it in a training loader."""
    mode = _MODES[channels]
    if not isinstance(image, Image.Image):  # a decoded JPEG
        return image if image.shape[2] == channels else to_pil(image).convert(mode)
    if image.mode == mode:
        return image
    if isinstance(image.info.get("transparency"), bytes):
        image = image.copy()
        del image.info["transparency"]
    return image.convert(mode)


def _loaded_channels(steps: Sequence[Step], channels: int) -> int:
    """A loader makes RGB of what a step then makes grey, or takes channels of."""
    return 3 if any(step.kind in _FROM_RGB for step in steps) else channels


def _is_grey_resize(step: Step, image: Picture) -> bool:
    """Whether one channel is resized in place of three equal ones, to the same bits: they come from it afterwards."""
    if step.kind != "resize" or not isinstance(step.value, Resize) or step.value.library != "pil":
        return False
    if isinstance(image, Image.Image):
        return image.mode == "L" and "transparency" not in image.info
    return image.dtype == np.uint8 and image.shape[2] == 1


def _upright(image: Picture, _: ExifTranspose, __: Limits) -> Picture:
    if not isinstance(image, Image.Image):
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:
        raise InputError(f"its EXIF block cannot be read: {error}", code="undecodable") from None


def _read(image: Picture, read: ReadImage, _: Limits) -> Picture:
    """What the file's decoder gave, in the channels of the step."""
    if read.mode == "unchanged":
        return to_array(image)
    if not isinstance(image, Image.Image):
        return image
    if read.background is not None and (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
        below = Image.new("RGBA", image.size, (*read.background, 255))
        image = Image.alpha_composite(below, image.convert("RGBA"))
    if read.mode == "gray" and read.library == "opencv":
        return arithmetic.grey_by_opencv(to_array(converted(image, 3)))
    return converted(image, 1 if read.mode == "gray" else 3)


def _resize(image: Picture, resize: Resize, limits: Limits) -> Picture:
    """A resize in the arithmetic of its library."""
    before, size = size_of(image), _resized_size(image, resize, limits)
    if size == before:
        return image
    return RESAMPLE[resize.library](image, size, resize.used(before, size), resize.antialias)


def _center_crop(image: Picture, crop: CenterCrop, _: Limits) -> Picture:
    """Padded with zeros where the image is smaller, then cut."""
    return _cut(image, crop.box(*size_of(image)), may_pad=crop.smaller != "error")


def _crop(image: Picture, crop: Crop, _: Limits) -> Picture:
    return _cut(image, crop.at(*size_of(image)), may_pad=False)


def _cut(image: Picture, box: tuple[int, int, int, int], *, may_pad: bool) -> Picture:
    """The pixels in the box; zeros where the image has none."""
    (width, height), (left, top, right, bottom) = size_of(image), box
    is_beyond = left < 0 or top < 0 or right > width or bottom > height
    if is_beyond and not may_pad:
        wanted = f"{right - left} x {bottom - top}"
        raise InputError(f"{width} x {height} pixels are too few to crop {wanted} from", code="bad_shape")
    if isinstance(image, Image.Image):
        return image.crop(box)
    cut = image[max(top, 0) : bottom, max(left, 0) : right]
    margins = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0))
    return np.pad(cut, margins) if is_beyond else cut


def _pad(image: Picture, pad: Pad, limits: Limits) -> Picture:
    left, top, right, bottom = pad.margins(*size_of(image))
    if not any((left, top, right, bottom)):
        return image
    array = to_array(image)
    height, width, channels = array.shape
    limits.check_pixels(left + width + right, top + height + bottom)
    margins = ((top, bottom), (left, right), (0, 0))
    if pad.mode != "constant":
        return np.pad(array, margins, mode="edge" if pad.mode == "replicate" else pad.mode)
    filled = np.empty((top + height + bottom, left + width + right, channels), array.dtype)
    filled[:] = _in_range(pad.fill, array.dtype)
    filled[top : top + height, left : left + width] = array
    return filled


def _in_range(fill: float | tuple[float, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.asarray(fill, np.float64)
    if np.issubdtype(dtype, np.integer):
        return np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
    return values.astype(dtype)


def _letterbox(image: Picture, letterbox: Letterbox, limits: Limits) -> Picture:
    return _pad(_resize(image, letterbox.resize(*size_of(image)), limits), letterbox.pad, limits)


def _resize_and_crop(image: Picture, resize: Resize, crop: CenterCrop, limits: Limits) -> Picture:
    """Both, without computing what the crop discards, with the same bits: by the kernel, or by Pillow in two passes.

    Pillow resizes in two passes and rounds between them; a column of the second depends only on that of the first.
    Its own `box=` would cut rows as well, but it is float32 and shifts the filter slightly. Cutting rows separately
    costs more than it saves: every call into Pillow releases the interpreter's lock and waits for it again.
    """
    before, size = size_of(image), _resized_size(image, resize, limits)
    box = crop.box(*size)
    is_inside = min(box[:2]) >= 0 and box[2] <= size[0] and box[3] <= size[1]
    if is_inside and size != before and (of_box := RESAMPLE_PART.get(resize.library)) is not None:
        made = of_box(image, size, resize.used(before, size), resize.antialias, box)
        if made is not None:
            return made
    if not isinstance(image, Image.Image) or not (is_inside and _passes_can_be_cut(image, resize, size)):
        return _center_crop(_resize(image, resize, limits), crop, limits)
    left, top, right, bottom = box
    resample = RESAMPLING[resize.used(image.size, size)]
    rows = image.resize((size[0], image.height), resample=resample)
    columns = rows.crop((left, 0, right, image.height)).resize((right - left, size[1]), resample=resample)
    return columns.crop((0, top, right - left, bottom))


def _passes_can_be_cut(image: Image.Image, resize: Resize, size: tuple[int, int]) -> bool:
    """Whether Pillow is known to do rows first: since version 13 not for tall images or extreme ratios."""
    is_wide = image.width >= image.height >= _SMALLEST and min(size) >= _SMALLEST and size[1] != image.height
    is_pillow = resize.library == "pil" and resize.used(image.size, size) in _FILTERED
    return is_wide and isinstance(resize.size, int) and is_pillow and _rows_first()


@cache
def _rows_first() -> bool:
    """Whether this Pillow does rows first: tried once, on a small image of noise, since it is not documented."""
    noise = Image.frombytes("L", (100, 75), random.Random(0).randbytes(7500))  # noqa: S311 - not a secret
    two_passes = noise.resize((68, 75), Image.Resampling.BILINEAR).resize((68, 51), Image.Resampling.BILINEAR)
    return two_passes.tobytes() == noise.resize((68, 51), Image.Resampling.BILINEAR).tobytes()


def _resized_size(image: Picture, resize: Resize, limits: Limits) -> tuple[int, int]:
    """(width, height) after the resize, if that is within the limits."""
    before = size_of(image)
    size = resize.output_size(*before)
    if size != before:
        limits.check_pixels(*size)
    return size


Apply = Callable[[Picture, Any, Limits], Picture]

APPLY: dict[str, Apply] = {
    "exif_transpose": _upright,
    "read": _read,
    "resize": _resize,
    "center_crop": _center_crop,
    "crop": _crop,
    "pad": _pad,
    "letterbox": _letterbox,
    "grayscale": arithmetic.grayscale,
    "channels": arithmetic.channels,
    "scale": arithmetic.scale,
    "stretch": arithmetic.stretch,
    "normalize": arithmetic.normalize,
}
"""By the step's name in the manifest."""

_TOGETHER: dict[tuple[str, str], Callable[[Picture, Any, Any, Limits], Picture]] = {
    ("resize", "center_crop"): _resize_and_crop,
}
"""Steps that cost less together, with the same result."""

_ON_FILE = frozenset({"exif_transpose", "read"})
"""Steps on the image as stored in its file, in any mode."""
_FROM_RGB = frozenset({"grayscale", "channels"})
_OF_VALUES = frozenset({"read", "grayscale", "channels", "scale", "stretch", "normalize"})
"""Steps that change pixels which are in their place."""
