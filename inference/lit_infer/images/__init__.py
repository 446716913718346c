"""From an image, in any form, to the uint8 array that the graph takes.

`limits` says what an input may be, `pixels` reads and decodes it, `steps` are the manifest's preprocessing.
The names are imported when first used: a command that only checks its options needs no decoder.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lit_infer.images.limits import DEFAULT_LIMITS, FORMATS, Limits
    from lit_infer.images.pixels import (
        EVERY_SUFFIX,
        SUFFIXES,
        ImageInput,
        Pixels,
        decode,
        prepare,
        prepare_noted,
        read,
        suffixes,
        transform,
        turns,
    )

__all__ = [
    "DEFAULT_LIMITS",
    "EVERY_SUFFIX",
    "FORMATS",
    "SUFFIXES",
    "ImageInput",
    "Limits",
    "Pixels",
    "decode",
    "prepare",
    "prepare_noted",
    "read",
    "suffixes",
    "transform",
    "turns",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from lit_infer.images import pixels

        return getattr(pixels, name)
    raise AttributeError(f"module 'lit_infer.images' has no attribute {name!r}")
