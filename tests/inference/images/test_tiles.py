"""lit_infer.images.tiles: what tiles may be, and where those of an image lie."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.images.framing import CenterCrop
from lit_infer.images.preprocess import Step
from lit_infer.images.resizing import Resize
from lit_infer.images.tiles import Grid, Tile, Tiles, check_view


@given(st.integers(1, 400), st.integers(1, 400), st.integers(8, 64), st.integers(8, 64), st.integers(0, 4))
def test_tiles_of_one_size_cover_every_pixel_and_overlap_enough(
    width: int, height: int, tall: int, wide: int, overlap: int
) -> None:
    grid = Grid.of(Tiles(size=(tall, wide), overlap=overlap), width, height)

    for starts, size, length in ((grid.tops, grid.tile_height, height), (grid.lefts, grid.tile_width, width)):
        assert starts[0] == 0
        assert starts[-1] + size == length
        steps = [after - before for before, after in pairwise(starts)]
        assert all(0 < step <= size - overlap for step in steps)
    assert (grid.tile_height, grid.tile_width) == (min(tall, height), min(wide, width))
    assert len(list(grid)) == grid.count


def test_there_are_no_more_tiles_than_are_needed_and_they_come_row_by_row() -> None:
    grid = Grid.of(Tiles(size=10, overlap=2), 26, 10)

    assert list(grid) == [Tile(0, 0, 0, 0), Tile(0, 1, 0, 8), Tile(0, 2, 0, 16)]
    assert Grid.of(Tiles(size=10, overlap=2), 27, 10).count == 4
    assert list(grid.enlarged(2)) == [Tile(0, 0, 0, 0), Tile(0, 1, 0, 16), Tile(0, 2, 0, 32)]


def test_what_cannot_be_is_refused_and_the_usual_overlap_is_an_eighth() -> None:
    assert Tiles(size=(64, 48)).pixels_shared == 6
    assert Tiles(size=64).describe() == "64 x 64 pixels that overlap by 8 or more"
    assert Tiles(size=(64, 48)).describe() == "64 x 48 pixels (height x width) that overlap by 6 or more"
    with pytest.raises(ValueError, match="a side has at least 8"):
        Tiles(size=7)
    for overlap in (-1, 33):
        with pytest.raises(ValueError, match="from 0 to half a tile's shorter side, 32"):
            Tiles(size=64, overlap=overlap)


def test_a_crop_that_leaves_gaps_between_tiles_is_refused() -> None:
    cropped = (Step(center_crop=CenterCrop(size=24)),)

    check_view(Tiles(size=32, overlap=8), cropped)
    check_view(Tiles(size=32, overlap=0), (Step(resize=Resize(size=(8, 8))),))
    with pytest.raises(ValueError, match=r"leaves 24 x 24 pixels of a tile of 32 x 32.* overlap by at least 8"):
        check_view(Tiles(size=32, overlap=7), cropped)
