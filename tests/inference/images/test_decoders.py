"""Files that OpenCV, tifffile or NumPy turn into pixels, as training read them."""

import contextlib
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images import Limits, prepare
from lit_infer.images.decoders import DECODERS
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.values import ReadImage
from tests.inference.tiny import noise
from tests.support.pixel_steps import step


def decoded(data: bytes, limits: Limits = DEFAULT_LIMITS, **read: Any) -> NDArray[Any]:
    how = ReadImage(**{"mode": "unchanged", **read})
    return DECODERS[how.library](data, how, limits)


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def tiff(array: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["rgb", "gray", "unchanged"])
@pytest.mark.parametrize(("stored", "suffix"), [("RGB", ".png"), ("L", ".png"), ("RGBA", ".png"), ("RGB", ".jpg")])
def test_opencv_reads_as_imread_does_in_the_order_of_rgb(mode: Any, stored: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise(23, 17)).convert(stored).save(path)
    flag = {"rgb": cv2.IMREAD_COLOR, "gray": cv2.IMREAD_GRAYSCALE, "unchanged": cv2.IMREAD_UNCHANGED}[mode]
    wanted = np.atleast_3d(cv2.imread(str(path), flag))
    if wanted.shape[2] == 3:
        wanted = wanted[:, :, ::-1]
    if wanted.shape[2] == 4:
        wanted = wanted[:, :, [2, 1, 0, 3]]

    np.testing.assert_array_equal(decoded(path.read_bytes(), mode=mode, library="opencv"), wanted)


def test_sixteen_bits_of_a_png_are_kept(tmp_path: Path) -> None:
    array = (np.arange(20 * 30).reshape(20, 30) * 100).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), array)

    for library in ("opencv", "pil"):
        read = {"read": {"mode": "unchanged", "library": library, "depth": "uint16"}}
        found = prepare(tmp_path / "a.png", steps=(step(**read),), channels=1)
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found[:, :, 0], array)


@given(
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 32)),
    first=st.booleans(),
    order=st.sampled_from("<>"),
)
@settings(deadline=None)
def test_an_array_file_is_what_was_saved(dtype: str, shape: tuple[int, int, int], first: bool, order: str) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    stored = np.moveaxis(array, 2, 0) if first else array

    found = decoded(
        npy(stored.astype(np.dtype(dtype).newbyteorder(order))), library="numpy", layout="chw" if first else "hwc"
    )

    assert (found.dtype, found.dtype.isnative) == (dtype, True)
    np.testing.assert_array_equal(found, array)


def test_an_array_in_fortran_s_order_and_one_of_two_sides_are_read() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)

    np.testing.assert_array_equal(decoded(npy(np.asfortranarray(array)), library="numpy")[:, :, 0], array)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("bands", [1, 3, 5, 13])
@pytest.mark.parametrize("separate", [True, False], ids=["bands apart", "bands together"])
def test_a_tiff_has_its_bands_last_however_it_stores_them(dtype: str, bands: int, separate: bool) -> None:
    array = (np.random.default_rng(0).random((7, 9, bands)) * 250).astype(dtype)
    if bands == 1:
        data = tiff(array[:, :, 0])
    elif separate:
        data = tiff(np.moveaxis(array, 2, 0), photometric="minisblack", planarconfig="separate")
    else:
        data = tiff(array, photometric="minisblack", planarconfig="contig")

    np.testing.assert_array_equal(decoded(data, library="tifffile"), array)


@pytest.mark.parametrize(
    ("array", "code", "says"),
    [
        (np.zeros((4, 4, 3), np.float64), "bad_type", "float64"),
        (np.zeros((4, 4, 3), np.int64), "bad_type", "int64"),
        (np.zeros((4, 4, 3), bool), "bad_type", "bool"),
        (np.zeros((4,), np.uint8), "bad_shape", "three sides"),
        (np.zeros((1, 4, 4, 3), np.uint8), "bad_shape", "three sides"),
        (np.zeros((0, 4, 3), np.uint8), "bad_shape", "three sides"),
        (np.zeros((4, 4, 33), np.uint8), "bad_shape", "33 channels; the limit is 32"),
        (np.array([{"a": 1}], object), "undecodable", "no array of numbers"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(array: NDArray[Any], code: str, says: str) -> None:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)

    with pytest.raises(InputError, match=says) as caught:
        decoded(file.getvalue(), library="numpy")
    assert caught.value.code == code


LIBRARIES = {
    "opencv": cv2.imencode(".png", noise(40, 30))[1].tobytes(),
    "tifffile": tiff(noise(40, 30)),
    "numpy": npy(noise(40, 30)),
}


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_every_decoder_is_tried_here(library: str) -> None:
    assert set(LIBRARIES) == set(DECODERS)
    np.testing.assert_array_equal(decoded(LIBRARIES[library], library=library).shape, (30, 40, 3))


@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_too_many_pixels_are_refused_before_they_are_decoded(library: Any) -> None:
    with pytest.raises(InputError) as caught:
        decoded(LIBRARIES[library], Limits(max_pixels=1_000), library=library)

    assert caught.value.code == "too_many_pixels"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("library", sorted(LIBRARIES))
def test_a_damaged_file_is_pixels_or_an_error_of_its_own(library: str) -> None:
    whole, generator = LIBRARIES[library], np.random.default_rng(0)
    for cut in [0, 1, 5, 20, len(whole) // 2, len(whole) - 1]:
        _either(whole[:cut], library)
    for _ in range(60):
        changed = bytearray(whole)
        for at in generator.integers(0, min(len(whole), 300), 3):
            changed[at] = generator.integers(256)
        _either(bytes(changed), library)


def _either(data: bytes, library: str) -> None:
    """Pixels, or an error of this file: nothing else."""
    read = step(read={"mode": "unchanged", "library": library})
    with contextlib.suppress(InputError):
        found = prepare(data, steps=(read,), channels=3, limits=Limits(max_pixels=1_000_000))
        assert found.shape[2] == 3
