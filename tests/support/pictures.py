"""Image files of every kind, and preprocessing steps for them."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from lit_infer.manifest import CenterCrop, Resize, Step
from tests.inference.tiny import colour, encoded, noise


def png(label: str, strength: int = 250) -> bytes:
    return encoded(Image.fromarray(colour(label, strength)), "PNG")


def resize(size: Any, interpolation: Any = "bilinear") -> Step:
    return Step(resize=Resize(size=size, interpolation=interpolation))


def crop(size: Any) -> Step:
    return Step(center_crop=CenterCrop(size=size))


PIPELINES = {
    "none": (),
    "bilinear": (resize(48), crop(32)),
    "bicubic": (resize(48, "bicubic"), crop((31, 40))),
    "nearest": (resize(48, "nearest"), crop(33)),
    "pair": (resize((29, 64)),),
    "crop-then-resize": (crop(50), resize((24, 24), "bicubic")),
}


def picture(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(noise(width, height)).convert(mode)


def sixteen_bit(width: int, height: int) -> Image.Image:
    return Image.fromarray(noise(width, height)[:, :, 0].astype(np.uint16) * 257)


def palette(width: int, height: int) -> Image.Image:
    return picture(width, height).quantize(17)


def jpeg(width: int, height: int, subsampling: str) -> bytes:
    return simplejpeg.encode_jpeg(noise(width, height), quality=85, colorsubsampling=subsampling)


FILES: dict[str, Callable[[int, int], bytes]] = {
    "jpeg-444": lambda w, h: jpeg(w, h, "444"),
    "jpeg-422": lambda w, h: jpeg(w, h, "422"),
    "jpeg-420": lambda w, h: jpeg(w, h, "420"),
    "jpeg-440": lambda w, h: jpeg(w, h, "440"),
    "jpeg-411": lambda w, h: jpeg(w, h, "411"),
    "jpeg-pillow": lambda w, h: encoded(picture(w, h), "JPEG"),
    "jpeg-low-quality": lambda w, h: encoded(picture(w, h), "JPEG", quality=5),
    "jpeg-progressive": lambda w, h: encoded(picture(w, h), "JPEG", progressive=True),
    "jpeg-restart-markers": lambda w, h: encoded(picture(w, h), "JPEG", restart_marker_blocks=1),
    "jpeg-gray": lambda w, h: encoded(picture(w, h, "L"), "JPEG"),
    "jpeg-rgb": lambda w, h: encoded(picture(w, h), "JPEG", keep_rgb=True),
    "jpeg-cmyk": lambda w, h: encoded(picture(w, h, "CMYK"), "JPEG"),
    "png-rgb": lambda w, h: encoded(picture(w, h), "PNG"),
    "png-rgba": lambda w, h: encoded(picture(w, h, "RGBA"), "PNG"),
    "png-gray": lambda w, h: encoded(picture(w, h, "L"), "PNG"),
    "png-gray-alpha": lambda w, h: encoded(picture(w, h, "LA"), "PNG"),
    "png-palette": lambda w, h: encoded(palette(w, h), "PNG"),
    "png-16-bit": lambda w, h: encoded(sixteen_bit(w, h), "PNG"),
    "png-1-bit": lambda w, h: encoded(picture(w, h, "1"), "PNG"),
    "png-gray-one-transparent": lambda w, h: encoded(picture(w, h, "L"), "PNG", transparency=7),
    "webp": lambda w, h: encoded(picture(w, h), "WEBP"),
    "webp-lossless-alpha": lambda w, h: encoded(picture(w, h, "RGBA"), "WEBP", lossless=True),
    "bmp": lambda w, h: encoded(picture(w, h), "BMP"),
    "tiff": lambda w, h: encoded(picture(w, h), "TIFF"),
    "tiff-deflate": lambda w, h: encoded(picture(w, h), "TIFF", compression="tiff_adobe_deflate"),
    "tiff-float": lambda w, h: encoded(picture(w, h, "F"), "TIFF"),
    "tiff-cmyk": lambda w, h: encoded(picture(w, h, "CMYK"), "TIFF"),
    "gif": lambda w, h: encoded(palette(w, h), "GIF"),
    "gif-animated": lambda w, h: encoded(
        palette(w, h), "GIF", save_all=True, append_images=[palette(w, h).rotate(180)]
    ),
}


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size, with no pixels behind it: decoding it would fail in another way."""

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
