import tracemalloc
from collections.abc import Callable

import pytest
from PIL import Image

from lit_infer.errors import InputError
from lit_infer.images.header import open_header
from lit_infer.images.limits import FORMATS, Limits
from lit_infer.images.pixels import prepare
from tests.inference.tiny import encoded, noise
from tests.support.heavy_images import HEAVY, blank, many_scans, png


@pytest.fixture
def own_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pillow's own limit, which the test may change."""
    assert Image.MAX_IMAGE_PIXELS is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    return Image.MAX_IMAGE_PIXELS


@pytest.mark.usefixtures("own_limit")
@pytest.mark.parametrize(("make", "said"), HEAVY.values(), ids=HEAVY)
def test_a_small_file_that_asks_for_a_lot_of_work_is_refused_before_it_is_decoded(
    make: Callable[[], bytes], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make()
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("it was decoded"))
    monkeypatch.setattr("simplejpeg.decode_jpeg", lambda *_, **__: pytest.fail("it was decoded"))

    tracemalloc.start()
    with pytest.raises(InputError, match=said) as caught:
        prepare(data, steps=(), channels=3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert caught.value.code in {"too_many_pixels", "too_much_work"}
    assert peak < 30e6


def test_what_cameras_and_encoders_write_is_within_the_limits() -> None:
    for progressive in (False, True):
        data = encoded(Image.fromarray(noise(1200, 900)), "JPEG", progressive=progressive, quality=30)
        assert prepare(data, steps=(), channels=3).shape == (900, 1200, 3)
    assert prepare(png(3000, 2000, bits=1), steps=(), channels=1).shape == (2000, 3000, 1)
    assert prepare(blank("WEBP", 3000, 3000, lossless=True), steps=(), channels=3).shape == (3000, 3000, 3)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF", "BMP", "JPEG"])
def test_more_pixels_than_pillows_own_limit_are_read_by_who_asks_for_them(
    format: str,  # noqa: A002
    own_limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del own_limit
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = blank(format, 90, 60)  # more than twice the limit

    with pytest.raises(InputError, match=r"5,?400|90 x 60 pixels; the limit is 900") as caught:
        prepare(data, steps=(), channels=3, limits=Limits(max_pixels=900))
    assert caught.value.code == "too_many_pixels"
    assert "the limit is 900" in str(caught.value)

    assert prepare(data, steps=(), channels=3, limits=Limits(max_pixels=5400)).shape == (60, 90, 3)


@pytest.mark.filterwarnings("error")
def test_an_image_between_the_two_limits_is_read_without_a_warning_of_pillows(
    own_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    del own_limit
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4000)  # between it and its double Pillow warns

    with pytest.raises(InputError, match="90 x 60 pixels; the limit is 900"):
        open_header(blank("PNG", 90, 60), Limits(max_pixels=900))
    assert open_header(blank("PNG", 90, 60), Limits(max_pixels=10_000)).size == (90, 60)


def test_who_asks_for_less_leaves_pillows_own_limit_as_it_is(own_limit: int) -> None:
    open_header(blank("PNG", 9, 6), Limits(max_pixels=100))

    assert own_limit == Image.MAX_IMAGE_PIXELS


def test_a_limit_may_be_raised_and_lowered() -> None:
    data = many_scans(blank("JPEG", 64, 64, progressive=True), 150)

    assert prepare(data, steps=(), channels=3, limits=Limits(max_scans=200)).shape == (64, 64, 3)
    with pytest.raises(InputError, match="over 5 scans of 64 x 64 pixels, which is the limit"):
        prepare(blank("JPEG", 64, 64, progressive=True), steps=(), channels=3, limits=Limits(max_scans=5))
    assert prepare(png(40_000, 1), steps=(), channels=1, limits=Limits(max_side=40_000)).shape == (1, 40_000, 1)


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "HEIF"])
def test_only_formats_that_are_allowed_are_opened(format: str) -> None:  # noqa: A002
    data = blank(format, 9, 6)

    assert open_header(data, Limits(formats=(format,))).size == (9, 6)
    with pytest.raises(InputError, match="not an image in a known format"):
        open_header(data, Limits(formats=("GIF",) if format != "GIF" else ("BMP",)))


def test_without_its_extra_heic_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from lit_infer.images import header

    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    header._plugin.cache_clear()

    with pytest.raises(InputError, match=r'pip install "lit-deploy\[heif\]"') as caught:
        open_header(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), Limits())

    assert caught.value.code == "unknown_format"
