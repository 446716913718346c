"""Pixels are compared with torchvision on PIL images, by equality: the contract is bit for bit."""

import io
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lit_infer import images
from lit_infer.errors import InputError
from lit_infer.images import Limits, prepare
from lit_infer.manifest import CenterCrop, ExifTranspose, Resize, Step
from tests.inference.tiny import encoded, noise
from tests.support.pictures import FILES, PIPELINES, chunk, crop, picture, png_header, resize

Transform = Callable[[Image.Image], Image.Image]
UPRIGHT = Step(exif_transpose=ExifTranspose())
SIZES = [(1, 1), (1, 400), (400, 1), (3, 5), (2, 2), (16, 16), (17, 33), (37, 53), (224, 225), (640, 480)]


def transform(steps: tuple[Step, ...]) -> Transform:
    """The training transform that these steps stand for."""
    from torchvision.transforms import v2

    modes = {
        "nearest": v2.InterpolationMode.NEAREST,
        "bilinear": v2.InterpolationMode.BILINEAR,
        "bicubic": v2.InterpolationMode.BICUBIC,
    }
    parts: list[Transform] = []
    for step in steps:
        if isinstance(step.resize, Resize):
            parts.append(v2.Resize(step.resize.size, modes[step.resize.interpolation]))
        else:
            assert isinstance(step.center_crop, CenterCrop)
            parts.append(v2.CenterCrop(step.center_crop.size))
    return v2.Compose(parts) if parts else lambda image: image


def trained_on(data: bytes, steps: tuple[Step, ...], channels: int = 3) -> NDArray[np.uint8]:
    """What the training loader and the training transform make of a file."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(transform(steps)(image.convert({1: "L", 3: "RGB"}[channels])))
    return pixels.reshape(*pixels.shape[:2], channels)


def assert_same(data: bytes, steps: tuple[Step, ...], channels: int = 3) -> None:
    found = prepare(data, steps=steps, channels=channels)

    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, trained_on(data, steps, channels))


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize(("width", "height"), SIZES, ids=str)
def test_every_format_at_every_size_gives_the_pixels_of_training(kind: str, width: int, height: int) -> None:
    data = FILES[kind](width, height)

    for channels in (1, 3):
        assert_same(data, PIPELINES["none"], channels)
        assert_same(data, PIPELINES["bilinear"], channels)


@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
@pytest.mark.parametrize(("width", "height"), SIZES, ids=str)
def test_every_pipeline_at_every_size_gives_the_pixels_of_training(
    steps: tuple[Step, ...], width: int, height: int
) -> None:
    for kind in ("png-rgb", "jpeg-420"):
        assert_same(FILES[kind](width, height), steps)
    assert_same(FILES["jpeg-gray"](width, height), steps, channels=1)


sides = st.integers(1, 90)


@given(
    width=sides,
    height=sides,
    subsampling=st.sampled_from(["444", "422", "420", "440", "411", "Gray"]),
    quality=st.integers(1, 100),
    steps=st.lists(
        st.builds(resize, sides | st.tuples(sides, sides), st.sampled_from(["bilinear", "bicubic", "nearest"]))
        | st.builds(crop, sides | st.tuples(sides, sides)),
        max_size=3,
    ).map(tuple),
    seed=st.integers(0, 100),
)
@settings(max_examples=150)
def test_any_jpeg_through_any_steps_gives_the_pixels_of_training(
    width: int, height: int, subsampling: str, quality: int, steps: tuple[Step, ...], seed: int
) -> None:
    gray = subsampling == "Gray"
    pixels = np.ascontiguousarray(
        noise(width, height, seed=seed)[:, :, :1] if gray else noise(width, height, seed=seed)
    )
    space = {"colorspace": "GRAY"} if gray else {"colorspace": "RGB"}

    assert_same(simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling=subsampling, **space), steps)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("side", "cut"), [(64, 64), (72, 64), (100, (31, 100)), (256, 224), (300, (224, 97))], ids=str)
def test_a_resize_that_leaves_out_what_the_crop_cuts_off_gives_the_pixels_of_training(
    interpolation: str, side: int, cut: Any
) -> None:
    steps = (resize(side, interpolation), crop(cut))
    for width, height in [(500, 375), (375, 500), (256, 256), (257, 256), (640, 64), (91, 66), (900, 333), (301, 901)]:
        pixels = noise(width, height)
        expected = np.asarray(transform(steps)(Image.fromarray(pixels)))
        np.testing.assert_array_equal(prepare(pixels, steps=steps, channels=3), expected)


def test_a_palette_with_transparency_is_read_as_in_training_and_without_a_warning() -> None:
    image = picture(20, 30).convert("RGBA")
    image.putalpha(100)
    data = encoded(image.quantize(17), "PNG")

    found = prepare(data, steps=(), channels=3)

    with Image.open(io.BytesIO(data)) as reference, pytest.warns(UserWarning, match="Palette images"):
        np.testing.assert_array_equal(found, np.asarray(reference.convert("RGB")))


def test_path_string_bytes_image_and_array_give_the_same_pixels(tmp_path: Path) -> None:
    data = encoded(picture(40, 30), "PNG")
    path = tmp_path / "image.png"
    path.write_bytes(data)
    steps = PIPELINES["bicubic"]
    expected = trained_on(data, steps)

    with Image.open(path) as image:
        for item in (path, str(path), data, image, np.asarray(image)):
            np.testing.assert_array_equal(prepare(item, steps=steps, channels=3), expected)


def test_a_gray_array_may_have_two_or_three_dimensions() -> None:
    pixels = noise(12, 9, 1)

    for item in (pixels, pixels[:, :, 0]):
        np.testing.assert_array_equal(prepare(item, steps=(), channels=1), pixels)


def test_an_array_that_is_a_view_with_strides_is_taken_as_it_looks() -> None:
    pixels = noise(20, 16)
    view = pixels[::-2, ::-1]

    np.testing.assert_array_equal(prepare(view, steps=(), channels=3), view)


def test_the_callers_image_and_array_stay_as_they_are() -> None:
    image, pixels = picture(40, 30, "RGBA"), noise(40, 30)
    before = image.copy(), pixels.copy()

    prepare(image, steps=PIPELINES["bilinear"], channels=1)
    prepare(pixels, steps=PIPELINES["bilinear"], channels=1)

    assert (image.mode, image.tobytes()) == ("RGBA", before[0].tobytes())
    np.testing.assert_array_equal(pixels, before[1])


def turned(orientation: int, format: str) -> bytes:  # noqa: A002
    image = picture(30, 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, format, exif=exif)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_ignored_unless_a_step_applies_it(format: str, orientation: int) -> None:  # noqa: A002
    data = turned(orientation, format)
    ignored = prepare(data, steps=(), channels=3)
    applied = prepare(data, steps=(UPRIGHT,), channels=3)

    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(ignored, np.asarray(image.convert("RGB")))
        np.testing.assert_array_equal(applied, np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
    assert applied.shape == ((30, 20, 3) if orientation >= 5 else (20, 30, 3))


def test_an_image_without_exif_is_upright_already() -> None:
    data = FILES["jpeg-420"](40, 30)

    steps = (UPRIGHT, *PIPELINES["bilinear"])

    np.testing.assert_array_equal(prepare(data, steps=steps, channels=3), trained_on(data, PIPELINES["bilinear"]))


def outcome(data: bytes, steps: tuple[Step, ...]) -> str | tuple[int, ...]:
    """The shape of the pixels, or the code of the error; nothing else may happen."""
    try:
        return prepare(data, steps=steps, channels=3).shape
    except InputError as error:
        return error.code


def jpeg_with_exif(payload: bytes) -> bytes:
    """A good JPEG with these bytes for its EXIF block."""
    data = FILES["jpeg-420"](24, 16)
    block = b"Exif\x00\x00" + payload
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def png_with_exif(payload: bytes) -> bytes:
    """A good PNG with these bytes for its EXIF chunk."""
    data = FILES["png-rgb"](24, 16)
    pixels = data.index(b"IDAT") - 4
    return data[:pixels] + chunk(b"eXIf", payload) + data[pixels:]


@given(
    container=st.sampled_from([jpeg_with_exif, png_with_exif]),
    payload=st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: b"II*\x00\x08\x00\x00\x00" + tail),
)
@settings(max_examples=200)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_never_ends_the_run(container: Callable[[bytes], bytes], payload: bytes) -> None:
    data = container(payload)

    assert prepare(data, steps=(), channels=3).shape == (16, 24, 3)
    assert outcome(data, (UPRIGHT,)) in ("undecodable", (16, 24, 3))


def code_of(item: Any, **limits: int) -> str:
    with pytest.raises(InputError) as caught:
        prepare(item, steps=(), channels=3, limits=Limits(**limits))
    assert str(caught.value).strip()
    return caught.value.code


def test_the_codes_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no image at all")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to("nowhere.png")

    assert code_of(tmp_path / "empty.png") == "empty"
    assert code_of(tmp_path / "text.jpg") == "unknown_format"
    assert code_of(tmp_path / "folder.png") == "not_a_file"
    assert code_of(tmp_path / "missing.png") == "not_found"
    assert code_of(tmp_path / "dangling.png") == "not_found"
    assert code_of("/dev/zero") == "not_a_file"
    assert code_of("a\0b.png") == "not_found"
    assert code_of("x" * 5000) in ("not_found", "unreadable")
    assert code_of(b"") == "empty"


def test_an_image_with_the_wrong_suffix_is_read_for_what_it_is(tmp_path: Path) -> None:
    data = FILES["png-rgb"](20, 10)
    path = tmp_path / "image.jpg"
    path.write_bytes(data)

    np.testing.assert_array_equal(prepare(path, steps=(), channels=3), trained_on(data, ()))


@pytest.mark.parametrize("format", ["TGA", "ICO", "EPS", "PDF"])
def test_a_format_that_is_not_offered_is_not_tried(format: str) -> None:  # noqa: A002
    assert code_of(encoded(picture(16, 16), format)) == "unknown_format"


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((4, 4, 3), dtype=np.float32), "bad_type"),
        (np.zeros((4, 4, 3), dtype=np.int64), "bad_type"),
        ([[1, 2], [3, 4]], "bad_type"),
        (None, "bad_type"),
        (np.zeros((4,), dtype=np.uint8), "bad_shape"),
        (np.zeros((), dtype=np.uint8), "bad_shape"),
        (np.zeros((4, 4, 4), dtype=np.uint8), "bad_shape"),
        (np.zeros((3, 4, 4), dtype=np.uint8), "bad_shape"),
        (np.zeros((1, 4, 4, 3), dtype=np.uint8), "bad_shape"),
        (np.zeros((0, 4, 3), dtype=np.uint8), "bad_shape"),
        (np.zeros((4, 0), dtype=np.uint8), "bad_shape"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(array: Any, code: str) -> None:
    assert code_of(array) == code


@pytest.mark.parametrize("size", [(0, 0), (5, 0)])
@pytest.mark.parametrize("steps", [(), (resize(8),), (crop(8),)], ids=["none", "resize", "crop"])
def test_an_image_without_pixels_is_refused(size: tuple[int, int], steps: tuple[Step, ...]) -> None:
    with pytest.raises(InputError):
        prepare(Image.new("RGB", size), steps=steps, channels=3)


def test_an_open_image_whose_file_is_truncated_is_refused() -> None:
    data = FILES["png-rgb"](64, 64)

    with Image.open(io.BytesIO(data[: len(data) // 2])) as image, pytest.raises(InputError):
        prepare(image, steps=(), channels=3)


def test_bytes_over_the_limit_are_refused_wherever_they_are(tmp_path: Path) -> None:
    data = FILES["png-rgb"](20, 10)
    path = tmp_path / "image.png"
    path.write_bytes(data)

    assert code_of(path, max_bytes=len(data) - 1) == "too_many_bytes"
    assert code_of(data, max_bytes=len(data) - 1) == "too_many_bytes"
    assert prepare(path, steps=(), channels=3, limits=Limits(max_bytes=len(data))).shape == (10, 20, 3)


@pytest.mark.parametrize("kind", ["jpeg-420", "jpeg-cmyk", "png-rgb", "webp", "gif", "bmp", "tiff"])
def test_pixels_over_the_limit_are_refused_in_every_format(kind: str) -> None:
    data = FILES[kind](20, 10)

    assert code_of(data, max_pixels=199) == "too_many_pixels"
    assert prepare(data, steps=(), channels=3, limits=Limits(max_pixels=200)).shape == (10, 20, 3)


def test_pixels_over_the_limit_are_refused_in_images_and_arrays_too() -> None:
    assert code_of(picture(20, 10), max_pixels=199) == "too_many_pixels"
    assert code_of(noise(20, 10), max_pixels=199) == "too_many_pixels"


def test_a_resize_may_not_blow_an_image_up_over_the_limit() -> None:
    with pytest.raises(InputError) as caught:
        prepare(np.zeros((1, 60_000), dtype=np.uint8), steps=(resize(224),), channels=3)

    assert caught.value.code == "too_many_pixels"


@pytest.mark.parametrize("side", [7_500, 10_000, 60_000], ids=["over-ours", "pillow-warns", "pillow-refuses"])
def test_a_png_bomb_is_refused_by_its_header(side: int) -> None:
    assert code_of(png_header(side, side)) == "too_many_pixels"
    assert code_of(png_header(100, 100)) == "undecodable"


def test_a_jpeg_bomb_is_refused_by_its_header() -> None:
    data = FILES["jpeg-420"](16, 16)
    frame = data.index(b"\xff\xc0")
    bomb = data[: frame + 5] + struct.pack(">HH", 60_000, 60_000) + data[frame + 9 :]

    assert code_of(bomb) == "too_many_pixels"


CUT = {kind: FILES[kind](64, 48) for kind in ("jpeg-420", "jpeg-progressive", "jpeg-cmyk", "png-rgb", "png-palette",
                                             "webp", "gif", "tiff", "tiff-deflate", "bmp")}  # fmt: skip


@given(
    kind=st.sampled_from(sorted(CUT)), cut=st.floats(0, 1, exclude_max=True), steps=st.sampled_from([(), (UPRIGHT,)])
)
@settings(max_examples=400)
def test_a_truncated_file_is_an_input_error_or_an_image(kind: str, cut: float, steps: tuple[Step, ...]) -> None:
    data = CUT[kind]
    found = outcome(data[: int(cut * len(data))], steps)

    assert found in ("empty", "unknown_format", "undecodable", (48, 64, 3))


@pytest.mark.parametrize("kind", ["jpeg-420", "jpeg-progressive", "png-rgb", "png-palette"])
def test_a_file_cut_in_half_is_not_answered_with_half_an_image(kind: str) -> None:
    data = CUT[kind]

    assert code_of(data[: len(data) // 2]) == "undecodable"


@given(
    kind=st.sampled_from(sorted(CUT)), place=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=8)
)
@settings(max_examples=400)
def test_a_damaged_file_is_an_input_error_or_what_training_would_have_seen(
    kind: str, place: float, junk: bytes
) -> None:
    start = int(place * len(CUT[kind]))
    data = CUT[kind][:start] + junk + CUT[kind][start + len(junk) :]
    try:
        found = prepare(data, steps=(), channels=3, limits=Limits(max_pixels=1_000_000))
    except InputError:
        return

    np.testing.assert_array_equal(found, trained_on(data, ()))


@given(data=st.binary(max_size=300))
@settings(max_examples=100)
def test_noise_is_an_input_error(data: bytes) -> None:
    with pytest.raises(InputError):
        prepare(data, steps=(), channels=3)


def test_every_suffix_that_a_folder_is_searched_for_has_its_decoder() -> None:
    registered = Image.registered_extensions()

    assert {registered[suffix] for suffix in images.SUFFIXES} | {"HEIF"} == set(images.FORMATS)


MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "I;16",
    "F",
]


def told(image: Any, steps: tuple[Step, ...], channels: int) -> str:
    """The shape of the pixels, or the error."""
    try:
        return str(prepare(image, steps=steps, channels=channels).shape[2])
    except InputError as error:
        return f"{error.code}: {error}"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", MODES)
def test_an_image_of_any_mode_is_converted_or_an_error_of_its_own(mode: str, channels: int) -> None:
    found = {told(Image.new(mode, (30, 20)), steps, channels) for steps in PIPELINES.values()}

    assert all(re.fullmatch(rf"{channels}|undecodable: cannot be converted: .+", one) for one in found), found


def test_a_file_that_cannot_be_converted_is_an_error_of_its_own() -> None:
    assert prepare(encoded(Image.new("CMYK", (30, 20)), "TIFF"), steps=(), channels=1).shape == (20, 30, 1)
    with pytest.raises(InputError, match=r"cannot be converted: conversion from LAB to \w+ not supported") as caught:
        prepare(encoded(Image.new("LAB", (30, 20)), "TIFF"), steps=(), channels=1)
    assert caught.value.code == "undecodable"


@pytest.mark.parametrize("error", [MemoryError(), SystemError("tile cannot extend"), KeyError(3), OverflowError("x")])
@pytest.mark.parametrize("place", ["PIL.ImageFile.ImageFile.load", "lit_infer.images.pixels.apply"])
def test_whatever_decoding_and_conversion_raise_is_the_items_own_error(
    place: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(place, fail)

    with pytest.raises(InputError, match=r"cannot be (decoded|converted): .") as caught:
        prepare(FILES["png-rgb"](9, 8), steps=(), channels=3)
    assert caught.value.code == "undecodable"


def test_any_kind_of_bytes_and_an_open_file_give_the_same_pixels(tmp_path: Path) -> None:
    data = FILES["png-rgb"](24, 16)
    (tmp_path / "a.png").write_bytes(data)
    expected = prepare(data, steps=(), channels=3)

    with (tmp_path / "a.png").open("rb") as file:
        for item in (bytearray(data), memoryview(data), io.BytesIO(data), file):
            np.testing.assert_array_equal(prepare(item, steps=(), channels=3), expected)
        assert not file.closed


def test_other_files_and_views_are_told_what_is_expected(tmp_path: Path) -> None:
    closed = (tmp_path / "a.png").open("wb")
    closed.close()

    assert told(io.StringIO("x"), (), 3).startswith("bad_type: expected a file opened in binary mode ('rb')")
    assert told(memoryview(np.zeros(4)), (), 3).startswith("bad_type: expected bytes, not a memoryview of 'd'")
    assert told(closed, (), 3).startswith("unreadable: cannot be read")
    assert code_of(io.BytesIO(bytes(100)), max_bytes=99) == code_of(bytearray(100), max_bytes=99) == "too_many_bytes"


@pytest.mark.parametrize("url", ["https://example.org/cat.jpg", "s3://bucket/cat.jpg", "data:image/png;base64,iVBO"])
def test_a_url_is_told_from_a_missing_file(url: str) -> None:
    assert told(url, (), 3).startswith("not_found: a URL, and only paths are opened: fetch it and give its bytes")
