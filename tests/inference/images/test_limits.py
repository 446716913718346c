import pytest

from lit_infer.errors import InputError, UsageError
from lit_infer.images.limits import DEFAULT_LIMITS, FORMATS, Limits


def test_the_default_is_64_megabytes_and_50_megapixels_in_six_formats() -> None:
    assert (DEFAULT_LIMITS.max_bytes, DEFAULT_LIMITS.max_pixels, len(FORMATS)) == (67_108_864, 50_000_000, 6)


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


@pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"max_pixels": -1}, {"formats": ()}, {"formats": ("PSD",)}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"limits must be at least 1|formats must be among JPEG"):
        Limits(**wrong)  # type: ignore[arg-type]
