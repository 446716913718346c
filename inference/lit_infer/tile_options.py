"""The options that say how images are cut into tiles."""

from typing import TYPE_CHECKING, Annotated

import typer

from lit_infer.errors import UsageError

if TYPE_CHECKING:
    from lit_infer.images.tiles import Tiles

TileSize = Annotated[
    str | None,
    typer.Option(
        "--tiles", metavar="N|none", help="Cut images into tiles of N x N pixels; none: not, whatever the model says."
    ),
]
TileOverlap = Annotated[
    int | None, typer.Option("--tile-overlap", metavar="N", help="Pixels that tiles overlap by; N / 8 if not given.")
]


def tiles(size: str | None, overlap: int | None) -> "Tiles | bool":
    """As `load` takes them. Raises UsageError for a size or an overlap that means nothing."""
    if size is None or size == "none":
        if overlap is not None:
            raise UsageError("--tile-overlap is for tiles of a size: give --tiles N too")
        return size is None
    from lit_infer.images.tiles import Tiles

    if not (size.isascii() and size.isdigit() and len(size) < 7):
        raise UsageError(f"--tiles {size}: a number of pixels, as in --tiles 512, or none")
    try:
        return Tiles(size=int(size), overlap=overlap)
    except ValueError as error:
        raise UsageError(f"--tiles {size}: {error}") from None
