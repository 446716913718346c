"""lit_infer.images.heatmaps: points of heatmaps."""

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_infer.images import heatmaps


def bump(x: float, y: float, shape: tuple[int, int] = (12, 16)) -> NDArray[np.float32]:
    """A round hill whose top is there, in cells from the left top corner."""
    rows, columns = np.indices(shape) + 0.5
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4).astype(np.float32)


def test_a_point_is_in_the_middle_of_the_highest_cell_or_at_its_corner() -> None:
    maps = np.stack([bump(4.5, 7.5), bump(15.5, 0.5)])

    places, most = heatmaps.decoded(maps, "argmax", "centre")

    assert places.tolist() == [[4.5, 7.5], [15.5, 0.5]]
    assert most.tolist() == [1, 1]
    assert heatmaps.decoded(maps, "argmax", "corner")[0].tolist() == [[4, 7], [15, 0]]


def test_a_quarter_of_a_cell_goes_towards_the_higher_neighbour_away_from_the_edges() -> None:
    maps = np.stack([bump(4.7, 7.3), bump(1.7, 7.3), bump(14.3, 7.7)])

    places, _ = heatmaps.decoded(maps, "quarter_offset", "centre")

    assert places.tolist() == [[4.75, 7.25], [1.5, 7.5], [14.25, 7.75]]
    flat = heatmaps.decoded(bump(4.5, 7.5)[None], "quarter_offset", "centre")[0]
    assert flat.tolist() == [[4.5, 7.5]]


def test_a_mean_is_between_cells_and_of_a_map_without_any_value_the_first_one() -> None:
    maps = np.stack([bump(6.3, 5.8), np.zeros((12, 16), np.float32)])

    places, _ = heatmaps.decoded(maps, "soft_argmax", "centre")

    assert places[0] == pytest.approx([6.3, 5.8], abs=0.02)
    assert places[1].tolist() == [0.5, 0.5]


def test_several_images_are_read_at_once() -> None:
    maps = np.stack([bump(6.3, 5.8), bump(3.2, 4.4)])
    batch = np.stack([maps, maps[::-1]])

    for peak in ("argmax", "quarter_offset", "soft_argmax"):
        places, most = heatmaps.decoded(batch, peak, "centre")
        assert places.shape == (2, 2, 2)
        assert np.array_equal(places[0], places[1, ::-1])
        assert np.array_equal(most[0], heatmaps.decoded(maps, peak, "centre")[1])
