"""The options for limits on images: the same for every command."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lit_infer.images.limits import Limits

MaxBytes = Annotated[int | None, typer.Option(min=1, help="Of an image's file; 64 MiB if not given.")]
MaxPixels = Annotated[int | None, typer.Option(min=1, help="Of an image; 50 million if not given.")]
MaxSide = Annotated[int | None, typer.Option(min=1, help="Pixels in an image's row or column; 32,768 if not given.")]
MaxScans = Annotated[int | None, typer.Option(min=1, help="Of a progressive JPEG; 100 if not given.")]


def limits(
    *,
    max_bytes: int | None = None,
    max_pixels: int | None = None,
    max_side: int | None = None,
    max_scans: int | None = None,
) -> "Limits":
    """The default limits, except those that are given."""
    from dataclasses import replace

    from lit_infer.images.limits import DEFAULT_LIMITS

    given = {"max_bytes": max_bytes, "max_pixels": max_pixels, "max_side": max_side, "max_scans": max_scans}
    changes: dict[str, Any] = {name: number for name, number in given.items() if number is not None}
    return replace(DEFAULT_LIMITS, **changes)
