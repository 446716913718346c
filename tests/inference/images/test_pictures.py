"""A picture on its way through the steps, as PIL has it or as an array."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images.pictures import bands, in_dtype, joined, size_of, to_array, to_pil, unpacked_mode
from tests.inference.tiny import noise


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("LA", 2), ("CMYK", 4), ("1", 1), ("P", 3)]
)
def test_an_image_of_any_mode_is_an_array_of_its_channels(mode: str, channels: int) -> None:
    image = Image.fromarray(noise(9, 5)).convert(mode)

    assert to_array(image).shape == (5, 9, channels)
    assert to_array(image).dtype == np.uint8
    assert size_of(image) == size_of(to_array(image)) == (9, 5)


def test_a_palette_and_black_and_white_are_unpacked() -> None:
    palette = Image.fromarray(noise(9, 5)).quantize(7)
    bits = Image.fromarray(noise(9, 5)).convert("1")

    np.testing.assert_array_equal(to_array(palette), np.asarray(palette.convert("RGB")))
    assert set(np.unique(to_array(bits))) <= {0, 255}
    palette.info["transparency"] = 0
    assert (unpacked_mode(palette), to_array(palette).shape) == ("RGBA", (5, 9, 4))


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_are_kept(mode: str) -> None:
    array = np.arange(45, dtype=np.uint16).reshape(5, 9) * 1400
    image = Image.fromarray(array if mode == "I;16" else array.astype(np.int32))

    found = to_array(image)

    assert (image.mode, found.dtype) == (mode, np.uint16)
    np.testing.assert_array_equal(found[:, :, 0], array)


@pytest.mark.parametrize("value", [-1, 65536])
def test_what_needs_more_than_sixteen_bits_is_refused(value: int) -> None:
    with pytest.raises(InputError, match="more than 16 bits"):
        to_array(Image.fromarray(np.full((2, 2), value, np.int32)))


@given(channels=st.integers(1, 9), dtype=st.sampled_from(["uint8", "uint16", "float32"]))
def test_channels_are_taken_apart_and_joined_again(channels: int, dtype: str) -> None:
    array = np.arange(4 * 6 * channels).reshape(4, 6, channels).astype(dtype)

    np.testing.assert_array_equal(joined(bands(array)), array)
    assert joined(bands(array)).dtype == dtype


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_bytes_of_one_or_three_channels_are_an_image(channels: int, mode: str) -> None:
    array = noise(7, 4)[:, :, :channels]

    assert to_pil(array).mode == mode
    np.testing.assert_array_equal(to_array(to_pil(array)), array)


@pytest.mark.parametrize(
    ("dtype", "wanted"), [("uint8", "uint8"), ("uint8", "uint16"), ("uint16", "float32"), ("uint8", "float32")]
)
def test_values_go_where_there_is_room_for_them(dtype: Any, wanted: str) -> None:
    array = np.array([[[0, 200]]], dtype)

    assert in_dtype(array, wanted).dtype == wanted
    np.testing.assert_array_equal(in_dtype(array, wanted), array)


@pytest.mark.parametrize(("dtype", "wanted"), [("uint16", "uint8"), ("float32", "uint8"), ("float32", "uint16")])
def test_values_are_never_cut(dtype: Any, wanted: str) -> None:
    with pytest.raises(InputError, match=f"holds {dtype} values, and the model takes {wanted}"):
        in_dtype(np.zeros((1, 1, 1), dtype), wanted)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("size", [(3, 700_000), (1500, 1400), (2**20 + 1, 2), (1024, 1024)])
def test_a_large_image_is_copied_in_strips_to_the_same_values(mode: str, size: tuple[int, int]) -> None:
    small = Image.linear_gradient("L").resize((64, 48)).convert(mode if mode != "I;16" else "I;16")
    large = small.resize(size, Image.Resampling.NEAREST)

    found = to_array(large)

    np.testing.assert_array_equal(found, np.asarray(large).reshape(size[1], size[0], -1))
