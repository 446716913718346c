import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_infer.images.scans import at_most, is_single, scans
from tests.inference.tiny import encoded, noise
from tests.support.heavy_images import many_scans

MOST = 10**6


def jpeg(**options: object) -> bytes:
    return encoded(Image.fromarray(noise(40, 30)), "JPEG", **options)


def test_a_plain_jpeg_has_one_scan_and_a_progressive_one_some() -> None:
    assert scans(jpeg(), most=MOST) == at_most(jpeg()) == 1
    assert 1 < scans(jpeg(progressive=True), most=MOST) <= 12


def without_interleaving() -> bytes:
    """A sequential JPEG with a scan for each component, of which a decoder reads any number."""
    data = jpeg()
    start = data.index(b"\xff\xda")
    assert data[start + 4] == 3
    return data[: start + 2] + b"\0\x08\x01" + data[start + 5 : start + 7] + data[start + 11 :]


def test_only_a_sequential_image_whose_first_scan_has_all_components_is_known_to_have_one() -> None:
    assert is_single(jpeg())
    assert is_single(encoded(Image.fromarray(noise(40, 30)).convert("L"), "JPEG"))
    assert not is_single(jpeg(progressive=True))
    assert not is_single(without_interleaving())
    for end in range(len(jpeg().partition(b"\xff\xda")[0])):
        assert not is_single(jpeg()[:end])


@pytest.mark.parametrize("count", [1, 500, 20_000])
def test_scans_are_counted_however_many_there_are(count: int) -> None:
    progressive = jpeg(progressive=True)

    assert scans(many_scans(progressive, count), most=MOST) == scans(progressive, most=MOST) + count


def test_who_only_asks_whether_there_are_too_many_is_answered_at_the_first_too_many() -> None:
    assert scans(many_scans(jpeg(progressive=True), 500), most=100) == 101


def test_what_looks_like_a_scan_within_a_segment_or_after_the_end_is_none() -> None:
    thumbnail = b"Exif\0\0" + jpeg(progressive=True) * 20
    data = jpeg()
    with_thumbnail = data[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]

    assert scans(with_thumbnail, most=MOST) == 1
    assert at_most(with_thumbnail) > 20
    assert scans(data + jpeg(progressive=True), most=MOST) == 1


def test_a_marker_may_begin_with_several_bytes_of_filling() -> None:
    data = jpeg()

    assert scans(data.replace(b"\xff\xda", b"\xff\xff\xff\xff\xda"), most=MOST) == 1


@given(data=st.binary(max_size=80), at=st.integers(0, 400), cut=st.integers(0, 2000))
@settings(max_examples=200, deadline=None)
def test_damage_is_counted_to_its_end(data: bytes, at: int, cut: int) -> None:
    good = jpeg(progressive=True)
    damaged = good[:at] + data + good[at : len(good) - cut]

    assert 0 <= scans(damaged, most=MOST) <= at_most(damaged)
