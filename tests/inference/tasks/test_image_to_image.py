"""Task `image-to-image`: pictures at the size of their images, and what their numbers are."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images.limits import Limits
from lit_infer.images.mapping import to_original
from lit_infer.images.resizing import Letterbox, Resize
from lit_infer.manifest import CenterCrop, Tensor
from lit_infer.tasks import TASKS, Ask, Reading
from lit_infer.tasks.image_to_image import equal_pixels

TASK = TASKS["image-to-image"]
PLAIN = Ask()


def reading(**answers: Any) -> Reading:
    return TASK.reading(labels=None, answers={"range": "0..1", "size": "original", **answers}, size=None)


def ramp(height: int = 8, width: int = 12, channels: int = 3) -> Any:
    """[1, channels, height, width], dark to bright from left to right."""
    return np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (1, channels, height, width)).copy()


def answer(output: Any, ask: Ask = PLAIN, **answers: Any) -> Any:
    (found,) = TASK.read([output], [ask], reading(**answers))
    return found


def test_a_picture_is_that_of_the_graph_in_eight_bits_or_sixteen() -> None:
    assert np.array_equal(answer(ramp()).image[0, :, 1], np.rint(np.linspace(0, 1, 12) * 255))
    deep = answer(ramp(), bits=16)
    assert deep.image.dtype == np.uint16
    assert np.array_equal(deep.image[3, :, 0], np.rint(np.linspace(0, 1, 12, dtype=np.float32) * 65535))
    beyond = answer(ramp() * 3 - 1)
    assert (beyond.image.min(), beyond.image.max()) == (0, 255)
    assert (beyond.min, beyond.max) == pytest.approx((-1, 2))


@pytest.mark.parametrize("steps", [[Resize(size=(8, 12))], [Letterbox(size=(8, 12))]], ids=["resize", "letterbox"])
def test_it_is_fitted_back_to_the_image_as_it_was(steps: Any) -> None:
    found = answer(ramp(), Ask(way=to_original(steps, 60, 33)))

    assert found.image.shape == (33, 60, 3)
    assert (found.width, found.height, found.outside) == (60, 33, 0)
    row = found.image[16, :, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[30] == pytest.approx(128, abs=4)


def test_a_crop_leaves_black_what_the_model_did_not_see_and_counts_it() -> None:
    found = answer(ramp() * 0 + 0.5, Ask(way=to_original([CenterCrop(size=(8, 12))], 20, 10)))

    assert found.outside == 20 * 10 - 8 * 12
    assert (found.image == 0).sum() == 3 * found.outside
    assert found.mean == pytest.approx(0.5)


def test_the_bars_of_a_letterbox_count_for_nothing() -> None:
    values = ramp(8, 8)
    values[:, :, :2] = 9
    found = answer(values, Ask(way=to_original([Letterbox(size=(8, 8))], 16, 8)))

    assert found.max == 1


def test_a_larger_picture_is_scaled_where_that_is_its_size() -> None:
    way = to_original([CenterCrop(size=(8, 12))], 12, 8)

    assert answer(ramp(16, 24), Ask(way=way), size="scaled").image.shape == (16, 24, 3)
    assert answer(ramp(16, 24), Ask(way=way)).image.shape == (8, 12, 3)


def test_a_picture_beyond_the_limits_is_an_error_of_that_image_alone() -> None:
    asks = [
        Ask(way=to_original([Resize(size=(8, 12))], *size), limits=Limits(max_pixels=500))
        for size in ((12, 8), (20, 12))
    ]

    fine, large = TASK.read([ramp(16, 24).repeat(2, 0)], asks, reading(size="scaled"))

    assert not isinstance(fine, InputError)
    assert isinstance(large, InputError)
    assert (str(large), large.code) == ("its picture would have 40 x 24 pixels; the limit is 500", "too_many_pixels")


def test_values_stay_as_they_are_and_are_a_sixteen_bit_png_in_json() -> None:
    found = answer(ramp(channels=1) * 40 - 10, range="values")

    assert found.image.dtype == np.float32
    assert (found.low, found.high) == (-10, 30)
    parts = found.parts()
    assert parts["media"] == "image/png"
    with Image.open(io.BytesIO(base64.b64decode(parts["image"]))) as image:
        back = np.asarray(image).astype(np.float64) / 65535 * 40 - 10
    np.testing.assert_allclose(back, found.image[:, :, 0], atol=1e-3)
    assert TASK.file is not None
    suffix, data = TASK.file.encode(found) or ("", b"")
    assert suffix == ".npy"
    assert np.array_equal(np.load(io.BytesIO(data)), found.image[:, :, 0])
    flow = answer(ramp(channels=2), range="values").parts()
    assert flow["media"] == "application/x-npy"
    assert np.load(io.BytesIO(base64.b64decode(flow["image"]))).shape == (8, 12, 2)


def test_what_is_drawn_has_eight_bits_whatever_it_was() -> None:
    assert TASK.drawn is not None
    for made in (answer(ramp(), bits=16), answer(ramp(channels=1) * 7 - 3, range="values")):
        drawn = TASK.drawn(made)
        assert drawn is not None
        values = np.asarray(drawn)
        assert (values.dtype, values.min(), values.max()) == (np.uint8, 0, 255)
    assert TASK.drawn(answer(ramp(channels=2), range="values")) is None


def test_pixels_agree_where_they_are_equal_in_eight_bits() -> None:
    one, other = ramp().repeat(2, 0), ramp().repeat(2, 0)
    one += 1e-7
    one[1, :, :, :3] += 0.1

    assert equal_pixels(one, other, reading()).tolist() == [1, 0.75]


def test_facts_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        reading(range="0..2")


def test_the_tally_says_the_range_and_what_was_not_seen() -> None:
    tally = TASK.tally(reading())
    for size in ((20, 10), (12, 8)):
        tally.add(TASK.row(answer(ramp(), Ask(way=to_original([CenterCrop(size=(8, 12))], *size)))), {})

    assert tally.lines()[0] == "values: 0 to 1, mean 0.5 (0 is black, 1 white; what lies beyond is cut off)"
    assert tally.lines()[1].endswith("cuts them off: 104 pixels")


@pytest.mark.parametrize(("channels", "is_picture"), [(1, True), (2, False), (3, True), (4, True), (5, False)])
def test_only_grey_and_colours_can_be_drawn(channels: int, is_picture: bool) -> None:
    output = Tensor(name="image", dtype="float32", shape=("batch", channels, 8, 8))
    of = TASKS["image-to-image"].reading(labels=None, answers={}, size=None, outputs=(output,))

    assert TASKS["image-to-image"].has_drawn(of) is is_picture
