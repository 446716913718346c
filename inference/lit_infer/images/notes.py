"""What an image has that its pixels, as the model takes them, do not show: noticed, so that nobody is surprised.

Training's loaders treat images the same way, so none of this is an error.
"""

import struct
from typing import Any

from PIL import Image

from lit_infer.images.pictures import Picture
from lit_infer.images.values import ReadImage

NOTES = {
    "orientation": "with an EXIF orientation, which this model's preprocessing does not apply",
    "depth": "with pixels of more than 8 bits, of which 8 are used",
    "alpha": "with transparency, which is dropped",
    "profile": "with a colour profile other than sRGB, which is ignored",
}
"""By name: what is said of a number of images."""

_ORIENTATION = 0x0112
_BITS = 258
_METADATA = 64 * 1024  # bytes of an AVIF that are looked through
_DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))


def noticed(data: Any, image: Picture, *, turns: bool, read: ReadImage | None = None) -> tuple[str, ...]:
    """The names of what there is to note of an image: of its file's bytes, and of the image before preprocessing.

    `turns`: whether preprocessing applies the orientation; `read`: how it says that files are read.
    """
    if read is not None and (not isinstance(image, Image.Image) or read.mode == "unchanged"):
        return ()  # what reads it has all of it
    encoded = data if isinstance(data, bytes) else b""
    if encoded[:2] == b"\xff\xd8" or not isinstance(image, Image.Image):
        return _of_jpeg(encoded, turns=turns)
    found = []
    if not turns and image.format != "TIFF" and _is_turned(image.info.get("exif")):
        found.append("orientation")  # a TIFF is turned by Pillow itself, as in training
    if image.mode in _DEEP or (encoded and _is_deep(encoded, image)):
        found.append("depth")
    if (read is None or read.background is None) and _is_transparent(image):
        found.append("alpha")
    if _is_foreign(image.info.get("icc_profile")):
        found.append("profile")
    return tuple(found)


def _of_jpeg(data: bytes, *, turns: bool) -> tuple[str, ...]:
    """A JPEG has 8 bits and no transparency; what else there is to note stands before its pixels."""
    exif, profile = _jpeg_segments(data)
    turned = ("orientation",) if not turns and _is_turned(exif) else ()
    return turned + (("profile",) if _is_foreign(profile) else ())


def _is_foreign(profile: Any) -> bool:
    return isinstance(profile, bytes) and not any(name in profile for name in _SRGB)


def _jpeg_segments(data: bytes) -> tuple[bytes | None, bytes | None]:
    """The EXIF block and the beginning of the colour profile."""
    exif = profile = None
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        kind, end = data[position + 1], position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if kind == 0xE1 and exif is None and data.startswith(b"Exif\0\0", position + 4):
            exif = data[position + 4 : end]
        elif kind == 0xE2 and profile is None and data.startswith(b"ICC_PROFILE\0", position + 4):
            profile = data[position + 18 : end]
        position = max(end, position + 4)
    return exif, profile


def _is_turned(exif: Any) -> bool:
    if not isinstance(exif, bytes):
        return False
    try:
        return _orientation(exif.removeprefix(b"Exif\0\0")) in range(2, 9)
    except struct.error:
        return False  # damaged: there is none to apply


def _orientation(block: bytes) -> int:
    """From an EXIF block, which is a TIFF without pixels."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2], "<")
    (start,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, start)
    for index in range(count):
        tag, kind, _ = struct.unpack_from(order + "2HI", block, start + 2 + 12 * index)
        if tag == _ORIENTATION and kind == 3:
            return int(struct.unpack_from(order + "H", block, start + 10 + 12 * index)[0])
    return 1


def _is_deep(data: bytes, image: Image.Image) -> bool:
    """Whether the file had more than 8 bits that Pillow has dropped already."""
    if image.format == "PNG":
        return data[24] == 16
    if image.format == "PPM":
        numbers = data[2:64].split(None, 3)
        return numbers[2:3] != [] and numbers[2].isdigit() and int(numbers[2]) > 255
    if image.format == "AVIF":
        return _av1_is_deep(data)
    if image.format == "HEIF":
        return int(image.info.get("bit_depth") or 8) > 8
    bits = getattr(image, "tag_v2", {}).get(_BITS, ())
    return isinstance(bits, tuple) and max(bits, default=8) > 8


def _av1_is_deep(data: bytes) -> bool:
    """From the configuration of the first AV1 image, which the box `av1C` holds: its third byte has a bit for it."""
    start = data[:_METADATA].find(b"av1C") + 4
    return start >= 4 and len(data) > start + 2 and bool(data[start + 2] & 0x40)


def _is_transparent(image: Image.Image) -> bool:
    """Whether any pixel is not opaque."""
    if image.info.get("transparency") is not None:
        return True
    if image.mode not in {"RGBA", "LA", "PA", "RGBa", "La"}:
        return False
    least, _ = image.getchannel(image.getbands()[-1]).getextrema()
    return float(least) < 255  # type: ignore[arg-type] # of one band it is one pair
