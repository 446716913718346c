"""The way back: from positions in a prepared image to positions in the image as it was read."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lit_infer.images import prepare
from lit_infer.images.framing import Crop, Pad
from lit_infer.images.mapping import Placement, WayBack, to_original
from lit_infer.images.preprocess import Step
from lit_infer.images.resizing import Letterbox
from tests.support.pixel_steps import crops, letterboxes, pads, resizes, step

MOVING = resizes() | letterboxes() | pads() | crops()
SOME = st.lists(MOVING, max_size=4)
SIZES = st.integers(3, 200)
quickly = settings(deadline=None, max_examples=100)


def way(some: list[Step], width: int, height: int) -> WayBack:
    return to_original([one.value for one in some], width, height)


def test_points_come_back_and_those_where_nothing_was_seen_are_told() -> None:
    back = way([step(center_crop={"size": 20}), step(pad={"amounts": [2, 4, 6, 8]})], 40, 30)

    points, outside = back.points(np.array([[2, 4], [22, 24], [1, 10], [12, 3.9], [29, 10], [12, 33]]))

    assert points.tolist()[:3] == [[10, 5], [30, 25], [9, 11]]
    assert outside.tolist() == [False, False, True, True, True, True]


def test_a_mask_of_what_was_padded_after_a_crop_says_nothing_of_what_was_cut_off() -> None:
    back = way([step(center_crop={"size": 4}), step(pad={"amounts": [2, 2, 2, 2]})], 8, 8)

    mask = back.mask(np.ones((8, 8), np.uint8), outside=9)

    assert (mask[2:6, 2:6] == 1).all()
    assert (mask == 9).sum() == 48
    assert [one.tolist() for one in back.counts(8, 8)] == [[0, 0, 1, 1, 1, 1, 0, 0]] * 2


@given(some=SOME, width=SIZES, height=SIZES, data=st.data())
@quickly
def test_a_box_that_was_moved_by_the_steps_comes_back(some: list[Step], width: int, height: int, data: Any) -> None:
    back = way(some, width, height)
    left, right = sorted(data.draw(st.tuples(st.floats(0, width), st.floats(0, width))))
    top, bottom = sorted(data.draw(st.tuples(st.floats(0, height), st.floats(0, height))))
    size, box = (width, height), np.array([left, top, right, bottom])
    for one in some:  # forth: each step says where an image lies in its output
        placed = one.value.placement(*size)
        box = box * ([placed.scale_x, placed.scale_y] * 2) + [placed.shift_x, placed.shift_y] * 2
        size = one.value.output_size(*size)

    assert back.size == size
    np.testing.assert_allclose(back.boxes(box[None]), [[left, top, right, bottom]], atol=1e-3 * max(width, height))


@given(some=SOME, width=SIZES, height=SIZES)
@quickly
def test_a_box_comes_back_inside_the_original(some: list[Step], width: int, height: int) -> None:
    back = way(some, width, height)

    found = back.boxes(np.array([[-1e6, -1e6, 1e6, 1e6], [0, 0, *back.size]]))

    assert found.min() >= 0
    assert (found[:, 2] <= width).all()
    assert (found[:, 3] <= height).all()
    assert found.dtype == np.float32


def test_no_box_comes_back_as_no_box() -> None:
    assert way([], 8, 8).boxes(np.zeros((0, 4))).shape == (0, 4)


@given(some=SOME, width=st.integers(3, 60), height=st.integers(3, 60))
@quickly
def test_steps_make_an_image_of_the_size_that_the_way_back_starts_from(
    some: list[Step], width: int, height: int
) -> None:
    made = prepare(np.zeros((height, width, 3), np.uint8), steps=some, channels=3)

    assert way(some, width, height).size == (made.shape[1], made.shape[0])


@given(width=st.integers(30, 90), height=st.integers(30, 90), data=st.data())
@quickly
def test_a_spot_is_where_the_way_back_says_that_it_is(width: int, height: int, data: Any) -> None:
    """Pixels themselves: a bright rectangle is prepared, found in the prepared image, and its box mapped back."""
    bigger = step(
        resize={"size": data.draw(st.integers(60, 120)), "library": data.draw(st.sampled_from(["pil", "opencv"]))}
    )
    frame = step(
        pad={"size": [130, 140], "position": data.draw(st.sampled_from(["center", "top_left", "bottom_right"]))}
    )
    some = data.draw(
        st.sampled_from([[bigger], [frame], [bigger, frame], [step(letterbox={"size": [90, 110], "fill": 0.0})]])
    )
    left, top = data.draw(st.integers(0, width - 12)), data.draw(st.integers(0, height - 12))
    image = bright(width, height, left, top)

    assert_spot_comes_back(image, some, way(some, width, height), left, top)


def bright(width: int, height: int, left: int, top: int) -> NDArray[np.uint8]:
    """A bright square of 12 pixels on black."""
    image = np.zeros((height, width, 3), np.uint8)
    image[top : top + 12, left : left + 12] = 255
    return image


def assert_spot_comes_back(image: Any, some: list[Step], back: WayBack, left: int, top: int) -> None:
    prepared = prepare(image, steps=some, channels=3)[:, :, 0] > 127
    rows, columns = np.flatnonzero(prepared.any(1)), np.flatnonzero(prepared.any(0))
    found = back.boxes(np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]))

    pixel = 1 / min(back.placement.scale_x, back.placement.scale_y, 1)
    np.testing.assert_allclose(found, [[left, top, left + 12, top + 12]], atol=pixel)


@given(
    crop=st.sampled_from(
        [
            step(center_crop={"size": 40}),
            step(center_crop={"size": [41, 60], "rounding": "down", "smaller": "pad_more_first"}),
            step(crop={"fraction": 0.8}),
            step(crop={"box": [3, 2, 42, 41]}),
        ]
    ),
    size=st.tuples(st.integers(45, 70), st.integers(45, 70)),
    scaled=st.floats(1.0, 2.0),
)
@quickly
def test_a_spot_inside_a_crop_is_where_it_was(crop: Step, size: tuple[int, int], scaled: float) -> None:
    width, height = size
    left, top = (width - 12) // 2, (height - 12) // 2
    some = [crop, step(resize={"scale": scaled, "library": "opencv"})]

    assert_spot_comes_back(bright(width, height, left, top), some, way(some, width, height), left, top)


@given(orientation=st.integers(1, 8), size=st.tuples(st.integers(30, 60), st.integers(30, 60)), data=st.data())
@quickly
def test_of_a_turned_file_the_way_leads_back_to_the_upright_picture(
    orientation: int, size: tuple[int, int], data: st.DataObject
) -> None:
    """As it is shown, and as a box is drawn on it; its file holds the picture turned."""
    width, height = size
    left, top = data.draw(st.integers(0, width - 12)), data.draw(st.integers(0, height - 12))
    upright = Image.fromarray(bright(width, height, left, top))
    turned = upright if orientation == 1 else upright.transpose(_BACK[orientation])
    exif = turned.getexif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    turned.save(file, "PNG", exif=exif)
    some = [step(exif_transpose={}), step(letterbox={"size": [90, 110], "fill": 0.0})]

    assert_spot_comes_back(file.getvalue(), some, way(some, width, height), left, top)


_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""By EXIF orientation: what makes the stored picture of the upright one."""


@given(before=st.integers(2, 60), after=st.integers(2, 60), how=st.sampled_from(["bilinear", "bilinear_corners"]))
@quickly
def test_the_middle_of_a_new_pixel_is_where_its_value_was(before: int, after: int, how: str) -> None:
    """Of a slope, each value says where it was; at the ends, where a filter has no neighbour, within half a pixel."""
    slope = (np.arange(before, dtype=np.float32) + 0.5)[None, :, None]
    resize = {"size": [1, after], "library": "torch", "antialias": False, "interpolation": how}
    some = [step(read={"mode": "unchanged", "library": "numpy", "depth": "float32"}), step(resize=resize)]
    made = prepare(slope, steps=[*some, step(channels={"order": [0]})], channels=1)[0, :, 0]
    middles = np.arange(after) + 0.5

    found = way(some, before, 1).boxes(np.stack([middles, middles * 0, middles, middles * 0], 1))[:, 0]

    tolerance = 1e-3 if how == "bilinear_corners" else 0.5
    np.testing.assert_allclose(found, made, atol=tolerance)


@given(some=SOME, width=st.integers(3, 60), height=st.integers(3, 60))
@quickly
def test_a_mask_comes_back_in_the_original_s_size_with_its_own_values(
    some: list[Step], width: int, height: int
) -> None:
    back = way(some, width, height)
    mask = np.ones((back.size[1], back.size[0]), np.uint8)

    found = back.mask(mask, outside=9)

    assert found.shape == (height, width)
    assert found.dtype == mask.dtype
    assert set(np.unique(found)) <= {1, 9}
    seen = back.boxes(np.array([back.view]))[0]
    centres_x, centres_y = np.arange(width) + 0.5, np.arange(height) + 0.5
    inside = ((centres_y > seen[1] + 1e-3) & (centres_y < seen[3] - 1e-3))[:, None] & (
        (centres_x > seen[0] + 1e-3) & (centres_x < seen[2] - 1e-3)
    )
    assert (found[inside] == 1).all()


@given(width=st.integers(3, 40), height=st.integers(3, 40), size=st.tuples(st.integers(40, 80), st.integers(40, 80)))
@quickly
def test_a_mask_of_a_larger_image_comes_back_as_it_was(width: int, height: int, size: tuple[int, int]) -> None:
    """Each pixel's centre lies in the pixel that it became, so that enlarging and the way back change nothing."""
    original = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)
    some = [step(resize={"size": size, "interpolation": "nearest_exact", "library": "torch"})]

    enlarged = prepare(original, steps=(*some, step(channels={"order": [0]})), channels=1)[:, :, 0]

    found = way(some, width, height).mask(enlarged)
    np.testing.assert_array_equal(found, original)


@pytest.mark.parametrize("position", ["center", "top_left", "top_right", "bottom_left", "bottom_right"])
def test_padding_is_cut_off_a_mask_exactly(position: str) -> None:
    original = np.arange(6 * 5).reshape(6, 5)
    pad = step(pad={"size": [11, 14], "position": position})
    left, top, right, bottom = pad.value.margins(5, 6)  # type: ignore[union-attr]
    padded = np.pad(original, ((top, bottom), (left, right)), constant_values=-1)

    np.testing.assert_array_equal(way([pad], 5, 6).mask(padded, outside=-7), original)


def test_what_a_crop_cut_off_is_outside() -> None:
    original = np.arange(36).reshape(6, 6)
    found = way([step(crop={"box": [1, 2, 5, 4]})], 6, 6).mask(original[2:4, 1:5], outside=-1)

    wanted = np.full((6, 6), -1)
    wanted[2:4, 1:5] = original[2:4, 1:5]
    np.testing.assert_array_equal(found, wanted)


def test_a_mask_of_fewer_values_than_pixels_is_spread_over_them() -> None:
    """Segmentation models answer at a quarter of their input's size."""
    found = way([], 8, 4).mask(np.array([[1, 2]]))

    np.testing.assert_array_equal(found, [[1, 1, 1, 1, 2, 2, 2, 2]] * 4)


@given(st.lists(st.tuples(*[st.floats(0.125, 8)] * 2, *[st.floats(-50, 50)] * 2), min_size=2, max_size=3))
@quickly
def test_placements_one_after_the_other_are_one(given_: list[tuple[float, float, float, float]]) -> None:
    joined, (x, y) = Placement(), (3.0, 7.0)
    for numbers in given_:
        one = Placement(*numbers)
        joined, x, y = joined.then(one), x * one.scale_x + one.shift_x, y * one.scale_y + one.shift_y

    assert (3 * joined.scale_x + joined.shift_x, 7 * joined.scale_y + joined.shift_y) == pytest.approx((x, y))


def test_smooth_values_lie_where_the_nearest_ones_do() -> None:
    steps = [Letterbox(size=(32, 48)), Crop(box=(4, 2, 44, 30))]
    way = to_original(steps, 37, 61)
    ramp = np.add.outer(np.arange(28) * 2.0, np.arange(40)).astype(np.float32)

    smooth, nearest = way.smooth(ramp, outside=-1), way.mask(ramp, outside=-1)

    assert smooth.shape == nearest.shape == (61, 37)
    assert np.array_equal(smooth == -1, nearest == -1)
    assert np.abs(smooth - nearest).max() <= 1.6  # half a step of the ramp in both directions
    inner = (slice(12, 50), slice(10, 28))
    rows, columns = (np.arange(size) + 0.5 for size in way.original[::-1])
    true = np.add.outer(
        2 * (rows * way.placement.scale_y + way.placement.shift_y - 0.5),
        columns * way.placement.scale_x + way.placement.shift_x - 0.5,
    )
    np.testing.assert_allclose(smooth[inner], true[inner], atol=1e-3)


def test_smooth_values_of_an_image_that_was_not_resized_are_the_very_ones() -> None:
    plane = np.random.default_rng(0).normal(size=(24, 24)).astype(np.float32)
    way = to_original([Pad(size=(24, 24))], 15, 20)

    assert np.array_equal(way.smooth(plane), way.mask(plane))
    double = np.random.default_rng(1).normal(size=(48, 48)).astype(np.float32)
    assert np.array_equal(way.enlarged(2).smooth(double), double[4:44, 8:38])


def test_what_a_crop_cut_off_is_outside_also_where_nothing_is_left() -> None:
    plane = np.ones((10, 10), np.float32)
    found = to_original([Crop(box=(20, 0, 30, 10))], 40, 12).smooth(plane, outside=-1)

    assert (found[:10, 20:30] == 1).all()
    assert (found == -1).sum() == 40 * 12 - 100
    beside = WayBack((10, 10), (10, 10), Placement(shift_x=50), (10, 0, 10, 10))
    assert (beside.smooth(plane, outside=7) == 7).all()
