"""lit_infer.images.cut: an image by boxes, upright where that is a step."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images.cut import open_cut
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.images.preprocess import Step
from lit_infer.images.strips import Strips
from lit_infer.images.values import ExifTranspose
from tests.inference.tiny import encoded, noise, save

TURNED = Step(exif_transpose=ExifTranspose())


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_boxes_have_the_pixels_of_the_file(tmp_path: Path, suffix: str) -> None:
    pixels = noise(90, 70)
    path = save(tmp_path / f"a.{suffix}", pixels)

    cut = open_cut(path, steps=(), limits=DEFAULT_LIMITS)

    assert cut.size == (90, 70)
    assert isinstance(cut._source, Strips) == (suffix == "tif")
    np.testing.assert_array_equal(np.asarray(cut.crop(10, 20, 50, 70)), pixels[20:70, 10:50])
    cut.close()


def test_an_array_and_a_jpeg_are_cut_too() -> None:
    pixels = noise(40, 30)
    jpeg = encoded(Image.fromarray(pixels), "JPEG")

    assert open_cut(pixels, steps=(), limits=DEFAULT_LIMITS).size == (40, 30)
    assert np.asarray(open_cut(jpeg, steps=(), limits=DEFAULT_LIMITS).crop(0, 0, 9, 8)).shape == (8, 9, 3)


def test_a_photo_is_turned_before_it_is_cut() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(noise(40, 30)), "PNG", exif=exif)

    assert open_cut(data, steps=(TURNED,), limits=DEFAULT_LIMITS).size == (30, 40)
    flat = open_cut(data, steps=(), limits=DEFAULT_LIMITS)
    assert (flat.size, flat.notes) == ((40, 30), ("orientation",))


def test_what_is_too_large_is_refused_with_what_lets_it_through(tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        path = save(tmp_path / name, noise(90, 70))
        with pytest.raises(InputError, match="90 x 70 pixels; the limit is 6,299: raise --max-pixels") as caught:
            open_cut(path, steps=(), limits=Limits(max_pixels=6299))
        assert caught.value.code == "too_many_pixels"
        with pytest.raises(InputError, match="the limit is 100: raise --max-bytes"):
            open_cut(path, steps=(), limits=Limits(max_bytes=100))


def test_what_is_no_file_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_cut(tmp_path / "none.tif", steps=(), limits=DEFAULT_LIMITS)
    with pytest.raises(InputError, match="not a regular file"):
        open_cut(tmp_path, steps=(), limits=DEFAULT_LIMITS)
