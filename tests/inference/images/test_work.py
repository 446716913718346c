"""What counts as quick to decode."""

import pytest

from lit_infer.images.work import is_quick
from tests.inference.tiny import encoded
from tests.support.heavy_images import HEAVY, blank, many_scans, png
from tests.support.pictures import picture

QUICK = {
    "photo": encoded(picture(500, 375), "JPEG"),
    "progressive photo": encoded(picture(500, 375), "JPEG", progressive=True),
    "photo with a large thumbnail": encoded(picture(500, 375), "JPEG", exif=b"Exif\0\0" + bytes(65_000)),
    "PNG": encoded(picture(500, 375), "PNG"),
    "large photo": encoded(picture(3000, 2000), "JPEG"),
}
LONG = {
    "larger photo": blank("JPEG", 4000, 3000),
    "many scans": many_scans(blank("JPEG", 1000, 1000, progressive=True), 80),
    "blank PNG": png(4000, 4000),
    "a JPEG that is cut off": QUICK["photo"][:20],
    "a JPEG of scans only": b"\xff\xd8" + b"\xff\xda" * 100,
    "TIFF": encoded(picture(50, 37), "TIFF"),
    "text": b"no image",
    "nothing": b"",
    "a JPEG of empty segments": b"\xff\xd8" + b"\xff\xe0\0\2" * 2**18 + QUICK["photo"][2:],
    "quick, and then megabytes": QUICK["photo"] + bytes(2**21),
}


@pytest.mark.parametrize("name", QUICK)
def test_ordinary_images_are_quick(name: str) -> None:
    assert is_quick(QUICK[name])


@pytest.mark.parametrize("name", LONG)
def test_what_may_take_long_is_not(name: str) -> None:
    assert not is_quick(LONG[name])


@pytest.mark.parametrize("name", HEAVY)
def test_no_small_file_of_much_work_is(name: str) -> None:
    assert not is_quick(HEAVY[name][0]())
