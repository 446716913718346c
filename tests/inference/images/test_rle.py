"""lit_infer.images.rle: COCO's runs, there and back."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lit_infer.images import rle

# A mask [height, width] that is easy to write down, and its counts by pycocotools 2.0.11.
BARS = np.zeros((90, 70), bool)
BARS[20:60, 30:33] = BARS[5:80, 40] = True
KNOWN = [
    (np.zeros((3, 2), bool), "6"),
    (np.ones((3, 2), bool), "06"),
    (np.eye(5, dtype=bool), "0150000000"),
    (BARS, "Pe2X1b1000Wc0S1Sm1"),
]


def masks() -> list[NDArray[Any]]:
    generator = np.random.default_rng(0)
    shapes = [(1, 1), (1, 9), (7, 1), (37, 53), (300, 211)]
    fine = [generator.random(shape) > share for shape in shapes for share in (0.02, 0.5, 0.98)]
    return [*fine, *(np.kron(mask, np.ones((9, 5))) > 0 for mask in fine[:9])]


def test_a_mask_comes_back_as_it_was_and_its_area_is_counted() -> None:
    for mask in masks():
        found = rle.of_mask(mask)

        assert found.size == mask.shape
        assert np.array_equal(found.mask(), mask)
        assert found.area == mask.sum()
        assert np.array_equal(rle.unpacked(rle.packed(found.runs)), found.runs)


def test_runs_go_down_the_columns_and_begin_outside() -> None:
    mask = np.array([[0, 1, 1], [0, 0, 1]], bool)

    assert rle.of_mask(mask).runs.tolist() == [2, 1, 1, 2]
    assert rle.of_mask(~mask).runs.tolist() == [0, 2, 1, 1, 2]


def test_a_part_is_a_mask_with_nothing_around_it() -> None:
    whole = np.zeros((40, 31), bool)
    for top, left, rows, columns in [(0, 0, 40, 31), (3, 4, 9, 7), (31, 24, 9, 7), (0, 30, 40, 1), (39, 0, 1, 31)]:
        part = np.random.default_rng(1).random((rows, columns)) > 0.4
        mask = whole.copy()
        mask[top : top + rows, left : left + columns] = part
        assert rle.of_part(part, (top, left), (40, 31)) == rle.of_mask(mask)
    assert rle.of_part(np.zeros((0, 5), bool), (60, 2), (40, 31)) == rle.of_mask(whole)


def test_overlaps_are_those_of_the_masks() -> None:
    generator = np.random.default_rng(0)
    some = [generator.random((30, 41)) > share for share in (0.2, 0.5, 1)]
    others = [generator.random((30, 41)) > share for share in (0.5, 0.9, 1, -1)]

    found = rle.overlaps([rle.of_mask(one) for one in some], [rle.of_mask(one) for one in others])

    for (i, j), overlap in np.ndenumerate(found):
        union = (some[i] | others[j]).sum()
        assert overlap == pytest.approx((some[i] & others[j]).sum() / union if union else 0)


@pytest.mark.parametrize("counts", ["", " ", "P", "0~0", "o" * 20 + "0"])
def test_text_that_is_no_runs_is_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="these counts"):
        rle.unpacked(counts)


def test_runs_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="do not make up 3 x 4 pixels"):
        rle.of_runs(np.array([5, 6]), (3, 4))


@pytest.mark.parametrize(("mask", "counts"), KNOWN)
def test_counts_are_those_of_pycocotools(mask: NDArray[Any], counts: str) -> None:
    assert rle.of_mask(mask).counts == counts


def test_the_classes_of_a_mask_are_those_of_each_alone() -> None:
    generator = np.random.default_rng(2)
    for shape in [(1, 1), (1, 9), (7, 1), (37, 53), (40, 31)]:
        small = generator.choice([0, 3, 200, 255], shape).astype(np.uint8)
        for mask in (small, np.kron(small, np.ones((3, 4), np.uint8)), np.full(shape, 700, np.uint16)):
            assert rle.of_classes(mask) == {int(index): rle.of_mask(mask == index) for index in np.unique(mask)}


def test_the_box_is_around_all_that_is_inside() -> None:
    for mask in masks():
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        expected = (columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1) if mask.any() else (0, 0, 0, 0)
        assert rle.box(rle.of_mask(mask)) == expected
