"""OpenCV's own resize, as albumentations calls it."""

from typing import Any

import albumentations
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer.images.resampling import by_opencv
from tests.support.pixel_steps import arrays

FLAGS = {"nearest": 0, "bilinear": 1, "bicubic": 2, "area": 3, "lanczos": 4, "nearest_exact": 6}


@pytest.mark.parametrize("how", sorted(FLAGS))
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_it_is_albumentations_own_for_any_number_of_channels(how: Any, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["uint8", "float32"]))
    array = data.draw(arrays(data.draw(st.integers(1, 10)), dtype))
    width, height = data.draw(st.tuples(st.integers(3, 60), st.integers(3, 60)))
    wanted = albumentations.Resize(height, width, interpolation=FLAGS[how])(image=array)["image"]

    found = by_opencv.resized(array, (width, height), how, False)

    np.testing.assert_array_equal(found, wanted.reshape(found.shape))


def test_a_picture_that_is_no_array_of_its_own_is_taken_too() -> None:
    array = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    wanted = cv2.resize(np.ascontiguousarray(array[::-1]), (5, 4))

    np.testing.assert_array_equal(by_opencv.resized(array[::-1], (5, 4), "bilinear", False), wanted)
