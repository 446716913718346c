"""Tiles: how a large image is cut, as the deployment facts say it, and where the tiles of an image lie."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

from lit_infer.errors import InputError, UsageError
from lit_infer.images.preprocess import Step

Merge = Literal["nms", "mean", "max", "centre"]
"""How the answers of tiles become one: `nms`, of boxes that say the same the best; the `mean` or the `max` where tiles
overlap; or each tile's own up to the `centre` of the overlap."""

_SMALLEST = 8
"""Pixels of a side: with smaller ones the work is in the cutting."""
_SHARE = 8
"""What tiles overlap by if nothing is said: this part of the shorter side."""


class Tiles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images are cut into tiles, each of which is prepared and answered as an image would be."""

    size: int | tuple[int, int]
    """Pixels of a tile's sides, or its height and width, in the image as it is decoded (and turned upright, where
    that is a step). A smaller image is one tile, as large as it is."""
    overlap: int | None = None
    """Pixels that neighbouring tiles have in common, at least. None: an eighth of the shorter side."""
    merge: Merge | None = None
    """None: as is usual for the task."""

    def __post_init__(self) -> None:
        height, width = self.height_width
        if min(height, width) < _SMALLEST:
            raise ValueError(f"tiles of {height} x {width} pixels: a side has at least {_SMALLEST}")
        if not 0 <= self.pixels_shared <= min(height, width) // 2:
            raise ValueError(
                f"an overlap of {self.overlap} pixels: it is from 0 to half a tile's shorter side, "
                f"{min(height, width) // 2}"
            )

    @property
    def height_width(self) -> tuple[int, int]:
        """Of a tile."""
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @property
    def pixels_shared(self) -> int:
        """The overlap."""
        return min(self.height_width) // _SHARE if self.overlap is None else self.overlap

    def describe(self) -> str:
        """In words."""
        height, width = self.height_width
        sides = f"{height} x {width} pixels" + ("" if height == width else " (height x width)")
        return f"{sides} that overlap by {self.pixels_shared} or more"


class Tile(NamedTuple):
    """One tile: its row and column of tiles, and where it begins in the image."""

    row: int
    column: int
    top: int
    left: int


class Grid(Struct, frozen=True):
    """The tiles of an image, all of one size, spread evenly so that the last ones end with it."""

    height: int
    """Of the image."""
    width: int
    tile_height: int
    tile_width: int
    tops: tuple[int, ...]
    """Where each row of tiles begins."""
    lefts: tuple[int, ...]

    @classmethod
    def of(cls, tiles: Tiles, width: int, height: int) -> "Grid":
        """The tiles of an image of this size."""
        tall, wide = tiles.height_width
        shared = tiles.pixels_shared
        return cls(
            height,
            width,
            min(tall, height),
            min(wide, width),
            _starts(height, tall, shared),
            _starts(width, wide, shared),
        )

    @property
    def count(self) -> int:
        """Of tiles."""
        return len(self.tops) * len(self.lefts)

    def __iter__(self) -> Iterator[Tile]:
        """Row by row."""
        for row, top in enumerate(self.tops):
            for column, left in enumerate(self.lefts):
                yield Tile(row, column, top, left)

    def enlarged(self, factor: int) -> "Grid":
        """The same over an image of `factor` times the sides."""
        return Grid(
            self.height * factor,
            self.width * factor,
            self.tile_height * factor,
            self.tile_width * factor,
            tuple(top * factor for top in self.tops),
            tuple(left * factor for left in self.lefts),
        )


def _starts(length: int, size: int, overlap: int) -> tuple[int, ...]:
    """The beginnings of as few tiles as cover the length."""
    if length <= size:
        return (0,)
    last = -(-(length - size) // (size - overlap))
    return tuple(index * (length - size) // last for index in range(last + 1))


def check_view(tiles: Tiles, steps: Sequence[Step]) -> None:
    """Raise ValueError where what the steps leave of each tile, by a crop, does not make up the image."""
    from lit_infer.images.mapping import to_original  # a manifest is read without numpy

    height, width = tiles.height_width
    try:
        rows, columns = (int(seen.sum()) for seen in to_original([step.value for step in steps], width, height).seen())
    except (InputError, UsageError) as error:
        raise ValueError(f"tiles of {height} x {width} pixels cannot be prepared: {error}") from None
    left_out = max(height - rows, width - columns)
    if left_out > tiles.pixels_shared:
        raise ValueError(
            f"the preprocessing leaves {rows} x {columns} pixels of a tile of {height} x {width}: what lies between "
            f"tiles would not be seen. Let them overlap by at least {left_out} pixels, or be of another size"
        )
