"""Open an encoded image as far as its header, by one of the allowed decoders, and check it against the limits.

Not by `Image.open`: it warns of, or refuses, images above a limit of Pillow's own, which is not the caller's.
"""

import importlib
import io
import re
import struct
from collections.abc import Callable
from functools import cache
from typing import IO

from PIL import Image, ImageFile

from lit_infer.errors import InputError, MissingExtraError, require
from lit_infer.images import scans
from lit_infer.images.limits import Limits

_PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "PPM": "PIL.PpmImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
}
_Factory = Callable[[IO[bytes], str | bytes], ImageFile.ImageFile]
_Accept = Callable[[bytes], bool | str]
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_IN_PYTHON = 4 * 2**20  # bytes of a file whose decoder is not compiled: some take a microsecond for each byte


def open_header(data: bytes, limits: Limits) -> Image.Image:
    """An image whose pixels are not decoded yet. Raises InputError for a format or a size that is not allowed."""
    raise_own_limit(limits)
    try:
        image = _opened(data, limits)
    except Image.DecompressionBombError as error:  # some of Pillow's readers look at its own limit
        found = re.search(r"\d+", str(error))
        pixels = f"{int(found[0]):,} pixels" if found else "too many pixels"
        raise InputError(f"{pixels}; the limit is {limits.max_pixels:,}", code="too_many_pixels") from None
    limits.check_pixels(image.width, image.height)
    limits.check_ratio(image.width, image.height, len(data))
    _check_work(image, data, limits)
    return image


def raise_own_limit(limits: Limits) -> None:
    """Raise Pillow's own limit, which is one for the whole process, to that of a caller who asks for more."""
    if Image.MAX_IMAGE_PIXELS is not None and limits.max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limits.max_pixels


def _opened(data: bytes, limits: Limits) -> Image.Image:
    """As `Image.open` does, without its check of the size."""
    prefix = data[:16]
    for name in limits.formats:
        if name == "HEIF" and not _is_heif(prefix):
            continue
        factory, accept = _plugin(name)
        accepted = accept is None or accept(prefix)
        if not accepted or isinstance(accepted, str):  # text: why this build of Pillow cannot
            continue
        try:
            return factory(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    raise InputError(f"not an image in a known format ({', '.join(limits.formats)})", code="unknown_format")


@cache
def _plugin(name: str) -> tuple[_Factory, _Accept | None]:
    if name == "HEIF":
        try:
            require("pillow_heif", extra="heif", purpose="Reading HEIC").register_heif_opener()
        except MissingExtraError as error:
            raise InputError(str(error), code="unknown_format") from None
    else:
        importlib.import_module(_PLUGINS[name])
    return Image.OPEN[name]


def _is_heif(prefix: bytes) -> bool:
    return prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF_BRANDS


def _check_work(image: Image.Image, data: bytes, limits: Limits) -> None:
    """Whether decoding takes about as long as its pixels say."""
    tiles = image.tile if isinstance(image, ImageFile.ImageFile) else []
    if any(tile[0] in Image.DECODERS for tile in tiles) and len(data) > _IN_PYTHON:
        message = f"{len(data):,} bytes of this kind of {image.format}; the limit is {_IN_PYTHON:,}"
        raise InputError(message, code="too_much_work")
    if image.format in {"JPEG", "MPO"}:
        check_scans(data, image.width, image.height, limits)
    elif image.format == "TIFF" and image.info.get("compression") in {"jpeg", "tiff_jpeg"}:
        strips = len(getattr(image, "tag_v2", {}).get(273, ())) + len(getattr(image, "tag_v2", {}).get(324, ()))
        limits.check_scans(max(0, scans.at_most(data) - strips), image.width, image.height)


def check_scans(data: bytes, width: int, height: int, limits: Limits) -> None:
    """Raise InputError for a JPEG of too many scans."""
    if scans.is_single(data):
        return
    most = limits.most_scans(width, height)
    if scans.at_most(data) > most:  # nearly never; counting exactly takes longer
        limits.check_scans(scans.scans(data, most=most), width, height)
