import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lit_infer.images.notes import noticed
from lit_infer.images.pixels import prepare_noted
from lit_infer.images.preprocess import ExifTranspose, Step
from tests.inference.tiny import encoded, noise

UPRIGHT = Step(exif_transpose=ExifTranspose())
PLAIN = Image.fromarray(noise(30, 20))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def notes(item: Any, *steps: Step, channels: int = 3) -> tuple[str, ...]:
    return prepare_noted(item, steps=steps, channels=channels)[2]


def turned(format: str, orientation: int) -> bytes:  # noqa: A002
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = orientation
    return encoded(PLAIN, format, exif=exif)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF"])
def test_a_plain_image_has_nothing_to_note(format: str) -> None:  # noqa: A002
    assert notes(encoded(PLAIN, format)) == ()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(9))
def test_an_orientation_that_no_step_applies_is_noted(format: str, orientation: int) -> None:  # noqa: A002
    data = turned(format, orientation)

    assert notes(data) == (("orientation",) if orientation >= 2 else ())
    assert notes(data, UPRIGHT) == ()


def test_a_tiff_is_turned_by_its_decoder_so_there_is_nothing_to_note() -> None:
    assert notes(turned("TIFF", 6)) == ()
    assert prepare_noted(turned("TIFF", 6), steps=(), channels=3)[0].shape == (30, 20, 3)


def test_pixels_of_more_than_8_bits_are_noted() -> None:
    deep = np.full((8, 9), 40_000, dtype=np.uint16)
    for image in [Image.fromarray(deep.astype(dtype)) for dtype in (np.uint16, np.float32, np.int32)]:
        assert notes(image, channels=1) == ("depth",)
        assert notes(encoded(image, "TIFF"), channels=1) == ("depth",)
    assert notes(encoded(Image.fromarray(deep), "PNG"), channels=1) == ("depth",)
    assert notes(b"P6\n2 1\n65535\n" + bytes(12)) == ("depth",)


def test_bits_that_a_decoder_drops_before_anybody_sees_them_are_noted() -> None:
    plain = encoded(PLAIN, "AVIF")
    at = plain.index(b"av1C") + 6
    deep = plain[:at] + bytes([plain[at] | 0x40]) + plain[at + 1 :]  # what an image of 10 bits says
    photo = Image.open(io.BytesIO(plain))

    assert noticed(deep, photo, turns=False) == ("depth",)
    assert noticed(plain[: at - 2], photo, turns=False) == ()
    photo.format = "HEIF"
    for bits, found in ((8, ()), (10, ("depth",)), (None, ())):
        photo.info["bit_depth"] = bits  # by pillow-heif
        assert noticed(plain, photo, turns=False) == found
    photo.close()


def test_transparency_is_noted_where_there_is_any() -> None:
    clear, opaque = PLAIN.convert("RGBA"), PLAIN.convert("RGBA")
    clear.putpixel((3, 3), (0, 0, 0, 254))

    for format_ in ("PNG", "WEBP", "TIFF"):
        assert notes(encoded(clear, format_)) == ("alpha",)
        assert notes(encoded(opaque, format_)) == ()
    assert notes(clear) == notes(clear.convert("LA"), channels=1) == ("alpha",)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_colour_profile_is_noted_unless_it_is_srgb(format: str) -> None:  # noqa: A002
    assert notes(encoded(PLAIN, format, icc_profile=SRGB)) == ()
    assert notes(encoded(PLAIN, format, icc_profile=LAB)) == ("profile",)


@given(at=st.integers(2, 700), data=st.binary(max_size=30), cut=st.integers(0, 400))
@settings(max_examples=150, deadline=None)
def test_damage_in_what_is_looked_at_never_ends_the_run(at: int, data: bytes, cut: int) -> None:
    from lit_infer.images.notes import noticed

    good = turned("JPEG", 6)
    damaged = good[:at] + data + good[at + len(data) : len(good) - cut]

    assert set(noticed(damaged, PLAIN, turns=False)) <= {"orientation", "profile"}
    with io.BytesIO(good) as file, Image.open(file) as image:
        image.info["exif"] = damaged[:at]
        assert set(noticed(b"", image, turns=False)) <= {"orientation"}
