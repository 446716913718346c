"""Limits on inputs, checked before anything is decoded: a small file can ask for a lot of work."""

from dataclasses import dataclass, fields

from lit_infer.errors import InputError, UsageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "HEIF")
"""The only decoders that are ever tried on a file's bytes; Pillow's names. HEIF needs the extra `heif`."""

_SMALL = 16_000_000
"""Pixels that any file may have, however short."""

_WHOLE_SCANS = 20
"""Scans that an image of the most pixels may have; encoders write about ten. A smaller one may have more."""


@dataclass(frozen=True)
class Limits:
    """The largest file and image, and the formats that are read; anything else is an InputError."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 50_000_000
    max_side: int = 32_768
    """Pixels in a row or in a column."""
    max_scans: int = 100
    """Passes over a progressive JPEG's pixels: each costs as much as the first."""
    max_ratio: int = 10_000
    """Pixels per byte of a large image: a blank one has up to 8,000 as PNG, and any number as WebP."""
    formats: tuple[str, ...] = FORMATS

    def __post_init__(self) -> None:
        numbers = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "formats"}
        if min(numbers.values()) < 1:
            given = ", ".join(f"{name} {number}" for name, number in numbers.items())
            raise UsageError(f"limits must be at least 1: {given}")
        if not self.formats or not set(self.formats) <= set(FORMATS):
            raise UsageError(f"formats must be among {', '.join(FORMATS)}, not {', '.join(self.formats) or 'none'}")

    def check_bytes(self, size: int) -> None:
        """Raise InputError for a file of more bytes."""
        if size > self.max_bytes:
            raise InputError(f"{size:,} bytes; the limit is {self.max_bytes:,}", code="too_many_bytes")

    def check_pixels(self, width: int, height: int) -> None:
        """Raise InputError for an image of more pixels, or of longer sides."""
        if width * height > self.max_pixels:
            message = f"{width} x {height} pixels; the limit is {self.max_pixels:,}"
            raise InputError(message, code="too_many_pixels")
        if max(width, height) > self.max_side:
            message = f"{width} x {height} pixels; the limit of a side is {self.max_side:,}"
            raise InputError(message, code="too_many_pixels")

    def check_ratio(self, width: int, height: int, size: int) -> None:
        """Raise InputError for a large image in a file of few bytes."""
        if width * height > max(_SMALL, size * self.max_ratio):
            message = f"{width} x {height} pixels in {size:,} bytes; the limit is {self.max_ratio:,} pixels per byte"
            raise InputError(message, code="too_much_work")

    def most_scans(self, width: int, height: int) -> int:
        """The scans that an image of this size may have."""
        return max(1, min(self.max_scans, _WHOLE_SCANS * self.max_pixels // max(1, width * height)))

    def check_scans(self, count: int, width: int, height: int) -> None:
        """Raise InputError for an image whose pixels would be passed over too often."""
        most = self.most_scans(width, height)
        if count > most:
            message = f"over {most:,} scans of {width} x {height} pixels, which is the limit"
            raise InputError(message, code="too_much_work")


DEFAULT_LIMITS = Limits()
