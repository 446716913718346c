import pytest

from lit_infer.errors import InputError, UsageError
from lit_infer.images.limits import DEFAULT_LIMITS, FORMATS, Limits

NUMBERS = ("max_bytes", "max_pixels", "max_side", "max_scans", "max_ratio")


def test_the_default_is_64_megabytes_and_50_megapixels_in_nine_formats() -> None:
    assert (DEFAULT_LIMITS.max_bytes, DEFAULT_LIMITS.max_pixels, len(FORMATS)) == (67_108_864, 50_000_000, 9)


def test_what_is_at_the_limit_passes_and_one_more_does_not() -> None:
    limits = Limits(max_bytes=10, max_pixels=12)
    limits.check_bytes(10)
    limits.check_pixels(3, 4)

    with pytest.raises(InputError, match="11 bytes; the limit is 10") as caught:
        limits.check_bytes(11)
    assert caught.value.code == "too_many_bytes"
    with pytest.raises(InputError, match="13 x 1 pixels; the limit is 12") as caught:
        limits.check_pixels(13, 1)
    assert caught.value.code == "too_many_pixels"
    with pytest.raises(InputError, match="3 x 4 pixels; the limit of a side is 3"):
        Limits(max_side=3).check_pixels(3, 4)


def test_large_images_have_a_share_of_bytes_and_small_ones_need_none() -> None:
    limits = Limits(max_ratio=1000)
    limits.check_ratio(4000, 4000, 1)
    limits.check_ratio(5000, 5000, 25_000)

    with pytest.raises(InputError, match="5000 x 5000 pixels in 24,999 bytes; the limit is 1,000 pixels per byte"):
        limits.check_ratio(5000, 5000, 24_999)


def test_the_more_pixels_the_fewer_scans() -> None:
    limits = Limits(max_scans=100)

    assert limits.most_scans(100, 100) == 100
    assert limits.most_scans(5000, 5000) == 40
    assert limits.most_scans(10_000, 5000) == 20
    assert limits.most_scans(1, 1) == 100
    with pytest.raises(InputError, match="over 40 scans of 5000 x 5000 pixels, which is the limit"):
        limits.check_scans(41, 5000, 5000)


@pytest.mark.parametrize(
    "wrong",
    [{"max_bytes": 0}, {"max_pixels": -1}, {"max_side": 0}, {"max_scans": 0}, {"formats": ()}, {"formats": ("PSD",)}],
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"limits must be at least 1|formats must be among JPEG"):
        Limits(**wrong)  # type: ignore[arg-type]
