"""Small files that ask for a lot of work: one of each kind."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.inference.tiny import encoded


def many_scans(progressive: bytes, count: int) -> bytes:
    """A progressive JPEG with `count` more scans, each of which refines nothing."""
    start = progressive.rindex(b"\xff\xda")
    length = int.from_bytes(progressive[start + 2 : start + 4], "big")
    scan = progressive[start : start + 2 + length]
    return progressive[:-2] + scan * count + progressive[-2:]


def png(width: int, height: int, *, bits: int = 8) -> bytes:
    """A blank gray PNG of any size, made in little memory."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * bits + 7) // 8)
    rows = min(height, max(1, 2**20 // len(row)))
    packed = b"".join(packer.compress(row * rows) for _ in range(height // rows))
    packed += packer.compress(row * (height % rows)) + packer.flush()
    header = struct.pack(">2I5B", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def resized(data: bytes, at: int, layout: str, *sides: int) -> bytes:
    """A file whose header says that it has other sides."""
    return data[:at] + struct.pack(layout, *sides) + data[at + struct.calcsize(layout) :]


def blank(format: str, width: int, height: int, **options: object) -> bytes:  # noqa: A002 - Pillow's word for it
    """A blank image as a compact file."""
    return encoded(Image.new("RGB", (width, height)), format, **options)


def bmp_of_runs(pairs: int) -> bytes:
    """A small run-length encoded BMP that goes on with runs beyond its pixels."""
    data = encoded(Image.new("P", (8, 8)), "BMP")
    (offset,) = struct.unpack_from("<I", data, 10)
    header = bytearray(data[:offset])
    struct.pack_into("<I", header, 30, 1)  # RLE8
    return bytes(header) + b"\x08\x01" * pairs


def plain_ppm(numbers: int) -> bytes:
    """A PPM in digits, which is read by code that is not compiled."""
    side = int((numbers / 3) ** 0.5)
    return b"P3 %d %d 255\n" % (side, side) + b"1 2 3 " * (side * side)


HEAVY: dict[str, tuple[Callable[[], bytes], str]] = {
    "JPEG of many scans": (lambda: many_scans(blank("JPEG", 1000, 1000, progressive=True), 20_000), "scans of"),
    "large JPEG of some scans": (lambda: many_scans(_tall_jpeg(), 60), "scans of"),
    "JPEG within a TIFF": (lambda: _tiff_of(many_scans(blank("JPEG", 64, 64, progressive=True), 20_000)), "scans of"),
    "column as PNG": (lambda: png(1, 49_999_999), "the limit of a side is 32,768"),
    "row as PNG": (lambda: png(49_999_999, 1), "the limit of a side is 32,768"),
    "column as BMP": (lambda: resized(blank("BMP", 8, 8), 18, "<2i", 1, 40_000_000), "the limit of a side is"),
    "row as GIF": (lambda: resized(blank("GIF", 8, 8), 6, "<2H", 65_535, 8), "the limit of a side is"),
    "blank TIFF": (lambda: blank("TIFF", 40_000, 8, compression="tiff_lzw"), "the limit of a side is"),
    "large blank WebP": (lambda: blank("WEBP", 5000, 5000, lossless=True), "pixels per byte"),
    "BMP of endless runs": (lambda: bmp_of_runs(3_000_000), "bytes of this kind of BMP"),
    "PPM in digits": (lambda: plain_ppm(3_000_000), "bytes of this kind of PPM"),
    "more pixels than Pillow's own limit": (
        lambda: png(20_000, 20_000, bits=1),
        "20000 pixels; the limit is 50,000,000",
    ),
}


def _tall_jpeg() -> bytes:
    return encoded(Image.new("L", (6000, 6000)), "JPEG", progressive=True)


def _tiff_of(jpeg: bytes) -> bytes:
    """A TIFF with one strip, which is a JPEG."""
    sides = (64, 64)
    entries = [
        (256, 3, 1, sides[0]),
        (257, 3, 1, sides[1]),
        (258, 3, 1, 8),
        (259, 3, 1, 7),  # JPEG
        (262, 3, 1, 6),  # YCbCr
        (273, 4, 1, 8),
        (277, 3, 1, 3),
        (278, 3, 1, sides[1]),
        (279, 4, 1, len(jpeg)),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<2H2I", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + directory + bytes(4)
