"""lit_infer.images.strips: a TIFF in parts has the pixels that it has as a whole."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.images.strips import open_strips
from tests.inference.tiny import noise

WIDTH, HEIGHT = 203, 151


def written(path: Path, mode: str, **options: object) -> Path:
    """A TIFF of many strips."""
    image = Image.fromarray(noise(WIDTH, HEIGHT))
    made = Image.fromarray(noise(WIDTH, HEIGHT, 1)[:, :, 0].astype(np.uint16) * 200) if mode == "I;16" else image
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("PIL.TiffImagePlugin.STRIP_SIZE", 4096)
        made.convert(mode).save(path, "TIFF", **options)
    return path


def check(path: Path) -> None:
    """Every box of a grid is what Pillow has there."""
    with Image.open(path) as image:
        whole = np.asarray(image)
    strips = open_strips(path, DEFAULT_LIMITS)
    assert strips is not None
    assert strips.size == (WIDTH, HEIGHT)
    for top in (0, 40, 40, 101):
        for left in (0, 77, 103):
            box = (left, top, left + 100, top + 50)
            np.testing.assert_array_equal(np.asarray(strips.crop(*box)), whole[top : top + 50, left : left + 100])
    strips.close()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "I;16"])
def test_each_part_is_decoded_to_the_pixels_of_the_whole(tmp_path: Path, mode: str, compression: str | None) -> None:
    if mode == "I;16" and compression == "jpeg":
        pytest.skip("JPEG has 8 bits")
    check(written(tmp_path / "a.tif", mode, compression=compression))


@pytest.mark.parametrize("predictor", [None, 2])
def test_tiled_files_and_predictors_are_read_too(tmp_path: Path, predictor: int | None) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = noise(WIDTH, HEIGHT)
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(64, 48), compression="zlib", predictor=predictor, bigtiff=True)
    check(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", pixels, rowsperstrip=7, byteorder=">")
    check(tmp_path / "b.tif")


def test_what_cannot_be_read_in_parts_is_left_to_others(tmp_path: Path) -> None:
    image = Image.fromarray(noise(WIDTH, HEIGHT))
    image.save(tmp_path / "a.png")
    assert open_strips(tmp_path / "a.png", DEFAULT_LIMITS) is None
    for mode in ("RGBA", "P"):
        assert open_strips(written(tmp_path / f"{mode}.tif", mode), DEFAULT_LIMITS) is None
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_strips(written(tmp_path / "turned.tif", "RGB", exif=exif), DEFAULT_LIMITS) is None
    image.resize((20, 20)).save(tmp_path / "small.tif")
    assert open_strips(tmp_path / "small.tif", DEFAULT_LIMITS) is None
    whole = written(tmp_path / "whole.tif", "RGB")
    assert open_strips(whole, Limits(formats=("PNG",))) is None
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[:20])
    assert open_strips(tmp_path / "cut.tif", DEFAULT_LIMITS) is None


def test_limits_hold_before_anything_is_decoded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", "RGB")
    for limits, code in (
        (Limits(max_pixels=WIDTH * HEIGHT - 1), "too_many_pixels"),
        (Limits(max_side=WIDTH - 1), "too_many_pixels"),
        (Limits(max_bytes=100), "too_many_bytes"),
    ):
        with pytest.raises(InputError) as caught:
            open_strips(path, limits)
        assert caught.value.code == code


def test_a_damaged_part_is_an_error_where_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", "RGB", compression="tiff_adobe_deflate")
    data = bytearray(path.read_bytes())
    with Image.open(io.BytesIO(bytes(data))) as image:
        offset, count = image.tag_v2[273][-1], image.tag_v2[279][-1]  # type: ignore[attr-defined] # of a TIFF
    data[offset : offset + count] = bytes(count)
    path.write_bytes(data)
    strips = open_strips(path, DEFAULT_LIMITS)
    assert strips is not None
    strips.crop(0, 0, WIDTH, 20)

    with pytest.raises(InputError) as caught:
        strips.crop(0, HEIGHT - 20, WIDTH, HEIGHT)

    assert caught.value.code == "undecodable"
    strips.close()


def test_a_file_that_ends_too_early_is_an_error_where_it_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", "RGB")
    whole = path.read_bytes()
    strips = open_strips(path, DEFAULT_LIMITS)
    assert strips is not None
    path.write_bytes(whole[:-1000])

    with pytest.raises(InputError, match="ends within its pixels"):
        strips.crop(0, HEIGHT - 20, WIDTH, HEIGHT)

    strips.close()
    assert open_strips(path, DEFAULT_LIMITS) is None
