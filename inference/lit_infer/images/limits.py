"""Limits on inputs, checked before anything is decoded."""

from dataclasses import dataclass

from lit_infer.errors import InputError, UsageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""The only decoders that are ever tried on a file's bytes; Pillow's names."""


@dataclass(frozen=True)
class Limits:
    """The largest file, the largest image and the formats that are read; anything else is an InputError."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 50_000_000
    formats: tuple[str, ...] = FORMATS

    def __post_init__(self) -> None:
        if min(self.max_bytes, self.max_pixels) < 1:
            raise UsageError(f"limits must be at least 1: {self.max_bytes} bytes, {self.max_pixels} pixels")
        if not self.formats or not set(self.formats) <= set(FORMATS):
            raise UsageError(f"formats must be among {', '.join(FORMATS)}, not {', '.join(self.formats) or 'none'}")

    def check_bytes(self, size: int) -> None:
        """Raise InputError for a file of more bytes."""
        if size > self.max_bytes:
            raise InputError(f"{size:,} bytes; the limit is {self.max_bytes:,}", code="too_many_bytes")

    def check_pixels(self, width: int, height: int) -> None:
        """Raise InputError for an image of more pixels."""
        if width * height > self.max_pixels:
            message = f"{width} x {height} pixels; the limit is {self.max_pixels:,}"
            raise InputError(message, code="too_many_pixels")


DEFAULT_LIMITS = Limits()
