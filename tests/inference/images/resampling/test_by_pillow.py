"""Pillow's own resize."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_infer.images.pictures import to_array
from lit_infer.images.resampling import by_pillow
from tests.support.pixel_steps import arrays


@pytest.mark.parametrize("how", sorted(by_pillow.RESAMPLING))
@given(data=st.data())
@settings(deadline=None, max_examples=20)
def test_each_band_is_resized_as_an_image_of_its_own(how: str, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(["uint8", "uint16", "float32"]))
    array = data.draw(arrays(data.draw(st.integers(1, 6)), dtype))
    size = data.draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))

    found = to_array(by_pillow.resized(array, size, how, True))  # type: ignore[arg-type]

    assert found.dtype == dtype
    for band in range(array.shape[2]):
        image = Image.fromarray(np.ascontiguousarray(array[:, :, band]))
        wanted = image.resize(size, by_pillow.RESAMPLING[how])  # type: ignore[index]
        np.testing.assert_array_equal(found[:, :, band], np.asarray(wanted))


def test_an_image_that_pillow_resizes_stays_an_image() -> None:
    image = Image.new("RGB", (8, 9))

    assert isinstance(by_pillow.resized(image, (4, 5), "nearest", True), Image.Image)
