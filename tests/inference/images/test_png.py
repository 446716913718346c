"""lit_infer.images.png: arrays as PNG files, as others read them."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from lit_infer.images import png as pngs
from lit_infer.images.png import base64_text, indexed, png


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_others_read_the_very_values(dtype: str, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (7, 5, channels)).astype(dtype)

    read = cv2.imdecode(np.frombuffer(png(values), np.uint8), cv2.IMREAD_UNCHANGED)

    assert read is not None
    read = read.reshape(7, 5, channels)
    assert read.dtype == dtype
    swapped = read if channels == 1 else read[..., [2, 1, 0, 3][:channels]]  # OpenCV has blue first
    assert np.array_equal(swapped, values)


def test_pillow_reads_sixteen_bits_of_grey_and_base64_is_text() -> None:
    values = np.arange(0, 60_000, 1000, dtype=np.uint16).reshape(6, 10, 1)

    with Image.open(io.BytesIO(png(values))) as image:
        assert np.array_equal(np.asarray(image), values[:, :, 0])
    assert base64_text(b"abc") == "YWJj"


def test_indices_in_strips_have_the_values_and_the_palette(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pngs, "_STRIP", 100)
    indices = np.random.default_rng(0).integers(0, 256, (21, 13)).astype(np.uint8)
    palette = bytes(range(256)) * 3

    with Image.open(io.BytesIO(indexed(indices, palette))) as image:
        assert (image.mode, image.size) == ("P", (13, 21))
        assert np.array_equal(np.asarray(image), indices)
        assert image.palette is not None
        assert image.palette.tobytes() == palette
