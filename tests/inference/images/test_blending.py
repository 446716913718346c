"""lit_infer.images.blending: values over tiles become those of the image, block by block, each pixel once."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lit_infer.images.blending import Blend, Cells, cells, shares
from lit_infer.images.framing import CenterCrop
from lit_infer.images.mapping import WayBack, to_original
from lit_infer.images.tiles import Grid, Tiles

SEED = np.random.default_rng(3)


def whole(how: str, grid: Grid, way: WayBack, tiles: dict[Any, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What is made of tiles, and how often each pixel was handed on."""
    made, count = np.zeros((2, grid.height, grid.width), np.float32), np.zeros((grid.height, grid.width), int)

    def emit(block: NDArray[Any], top: int, left: int) -> None:
        rows, columns = slice(top, top + block.shape[1]), slice(left, left + block.shape[2])
        made[:, rows, columns] = block
        count[rows, columns] += 1

    joined = Cells(grid, way, emit) if how == "centre" else Blend(grid, way, _mean_or_max(how), emit)
    for tile in grid:
        joined.add(tiles[tile], tile)
    return made, count


def _mean_or_max(how: str) -> Literal["mean", "max"]:
    return "mean" if how == "mean" else "max"


def grid_and_way(width: int, height: int, size: int, overlap: int, *, crop: int = 0) -> tuple[Grid, WayBack]:
    grid = Grid.of(Tiles(size=size, overlap=overlap), width, height)
    steps = [CenterCrop(size=(grid.tile_height - crop, grid.tile_width - crop))]
    return grid, to_original(steps, grid.tile_width, grid.tile_height)


@pytest.mark.parametrize("how", ["mean", "max", "centre"])
@given(st.integers(8, 90), st.integers(8, 90), st.integers(8, 30), st.integers(0, 4))
def test_tiles_that_are_cut_from_an_image_make_it_up_again(
    how: str, width: int, height: int, size: int, overlap: int
) -> None:
    grid, way = grid_and_way(width, height, size, overlap)
    image = SEED.normal(size=(2, height, width)).astype(np.float32)
    tiles = {
        tile: image[:, tile.top : tile.top + grid.tile_height, tile.left : tile.left + grid.tile_width] for tile in grid
    }

    made, count = whole(how, grid, way, tiles)

    assert (count == 1).all()
    np.testing.assert_allclose(made, image, atol=1e-6)


@pytest.mark.parametrize("overlap", [3, 8])
def test_means_and_maxima_are_those_of_whole_arrays(overlap: int) -> None:
    grid, way = grid_and_way(61, 45, 16, overlap)
    tiles = {tile: SEED.normal(size=(2, 16, 16)).astype(np.float32) for tile in grid}
    at = np.arange(16) + 0.5
    window = np.minimum(at, 16 - at)
    summed, weight = np.zeros((2, 45, 61)), np.zeros((45, 61))
    most = np.full((2, 45, 61), -np.inf)
    for tile, values in tiles.items():
        rows, columns = slice(tile.top, tile.top + 16), slice(tile.left, tile.left + 16)
        summed[:, rows, columns] += values * np.outer(window, window)
        weight[rows, columns] += np.outer(window, window)
        most[:, rows, columns] = np.maximum(most[:, rows, columns], values)

    np.testing.assert_allclose(whole("mean", grid, way, tiles)[0], summed / weight, atol=1e-5)
    np.testing.assert_array_equal(whole("max", grid, way, tiles)[0], most.astype(np.float32))


@pytest.mark.parametrize("how", ["mean", "max", "centre"])
def test_what_a_crop_leaves_out_of_a_tile_is_another_tile_s(how: str) -> None:
    grid, way = grid_and_way(61, 45, 16, 6, crop=4)
    image = SEED.normal(size=(2, 45, 61)).astype(np.float32)
    tiles = {}
    for tile in grid:
        tiles[tile] = np.full((2, 16, 16), 99, np.float32)  # is not seen
        inside = image[:, tile.top + 2 : tile.top + 14, tile.left + 2 : tile.left + 14]
        tiles[tile][:, 2:14, 2:14] = inside

    made, _ = whole(how, grid, way, tiles)

    np.testing.assert_allclose(made[:, 2:-2, 2:-2], image[:, 2:-2, 2:-2], atol=1e-6)


def test_shares_are_those_of_the_image_and_make_up_1() -> None:
    grid, way = grid_and_way(30, 10, 20, 5)
    joined = Blend(grid, way, "mean", lambda *_: None)

    assert [round(joined.share(tile), 6) for tile in grid] == [0.5, 0.5]
    weights, shown = shares((0, 4), np.array([False, True, True, True, True, False]), 10)
    np.testing.assert_array_equal(shown, [False, *[True] * 8, False])
    np.testing.assert_array_equal(weights[0], [0, 1, 1, 1, 1, 0])


def test_cells_end_in_the_middle_of_an_overlap() -> None:
    bounds, shown = cells((0, 6), np.ones(10, bool), 16)

    assert bounds == [(0, 8), (8, 16)]
    assert shown.all()
