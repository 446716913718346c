"""albumentations' own transforms: what is read off them gives their pixels."""

from typing import Any

import albumentations as A  # noqa: N812 - as everybody writes it
import cv2
import numpy as np
import pytest
from albumentations.pytorch import ToTensorV2
from hypothesis import given, settings

from lit_infer.images.from_transform import read
from lit_infer.images.from_transform.albumentations import PARTS
from tests.support.transforms import assert_read_as_it_is, pictures

NORMAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
END = (A.Normalize(**NORMAL), ToTensorV2())
CONSTANT = {"border_mode": cv2.BORDER_CONSTANT}

TRANSFORMS: dict[str, Any] = {
    "resize": A.Compose([A.Resize(33, 41), *END]),
    "letterbox": A.Compose([A.LongestMaxSize(40), A.PadIfNeeded(40, 40, **CONSTANT, fill=114), *END]),
    "shorter side and crop": A.Compose([A.SmallestMaxSize(40), A.CenterCrop(32, 32), *END]),
    "area where it shrinks": A.Compose([A.LongestMaxSize(30, area_for_downscale="image"), A.CenterCrop(4, 4), *END]),
    "resize, area where it shrinks": A.Compose([A.Resize(30, 50, area_for_downscale="image"), *END]),
    "padded to a multiple": A.Compose(
        [A.PadIfNeeded(None, None, pad_height_divisor=32, pad_width_divisor=16, **CONSTANT), *END]
    ),
    "padded at the top left": A.Compose(
        [A.LongestMaxSize(40), A.PadIfNeeded(48, 44, position="top_left", **CONSTANT), *END]
    ),
    "reflected": A.Compose([A.PadIfNeeded(99, 97, border_mode=cv2.BORDER_REFLECT_101), A.Resize(20, 20), *END]),
    "replicated": A.Compose([A.PadIfNeeded(99, 97, border_mode=cv2.BORDER_REPLICATE), A.Resize(20, 20), *END]),
    "padded by amounts": A.Compose([A.Pad((3, 4), fill=7), A.Pad(2, fill=(1, 2, 3)), A.Pad((1, 2, 3, 4)), *END]),
    "crop that pads": A.Compose([A.CenterCrop(60, 61, pad_if_needed=True, **CONSTANT), *END]),
    "box": A.Compose([A.Crop(1, 2, 7, 8), *END]),
    "grey": A.Compose([A.ToGray(p=1), *END]),
    "one grey channel": A.Compose([A.ToGray(1, p=1), A.Normalize(0.5, 0.5), ToTensorV2()]),
    "to floats": A.Compose([A.ToFloat(255), ToTensorV2()]),
    "floats, then normalised": A.Compose([A.ToFloat(), A.Normalize(**NORMAL, max_pixel_value=1.0)]),
    "max_pixel_value": A.Compose([A.Normalize(**NORMAL, max_pixel_value=1.0), ToTensorV2()]),
    "min_max": A.Compose([A.Normalize(normalization="min_max"), ToTensorV2()]),
    "min_max_per_channel": A.Compose([A.Normalize(normalization="min_max_per_channel"), ToTensorV2()]),
    "image": A.Compose([A.Normalize(normalization="image"), ToTensorV2()]),
    "image_per_channel": A.Compose([A.Normalize(normalization="image_per_channel"), ToTensorV2()]),
    "grey, as RGB again": A.Compose([A.ToGray(1, p=1), A.Resize(30, 20), A.ToRGB(p=1), *END]),
    "grey as four": A.Compose([A.ToGray(4, p=1), A.ToFloat(255), ToTensorV2()]),
    "of floats by their own values": A.Compose([A.ToFloat(), A.Normalize(normalization="min_max")]),
    "done to no image": A.Compose([A.HorizontalFlip(p=0), A.Resize(9, 9, p=0), A.OneOf([A.Blur()], p=0), *END]),
    "replayed": A.ReplayCompose([A.Resize(9, 9), A.Normalize(**NORMAL)]),
    "nothing": A.Compose([A.NoOp(), A.Sequential([A.Resize(9, 9)], p=1), *END]),
}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@given(image=pictures())
@settings(deadline=None, max_examples=12)
def test_what_is_read_off_a_transform_gives_its_pixels(name: str, image: Any) -> None:
    assert_read_as_it_is(TRANSFORMS[name], image)


@pytest.mark.parametrize("flag", [0, 1, 2, 3, 4, 6])
@given(image=pictures())
@settings(deadline=None, max_examples=8)
def test_every_interpolation_that_can_be_expressed(flag: int, image: Any) -> None:
    assert_read_as_it_is(A.Compose([A.Resize(30, 31, interpolation=flag), *END]), image)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (A.Resize(9, 9, p=0.5), "Resize is random"),
        (A.Resize(9, 9, interpolation=cv2.INTER_LINEAR_EXACT), "cannot be expressed"),
        (A.LongestMaxSize([9, 10]), "LongestMaxSize"),
        (A.PadIfNeeded(9, 9, position="random"), "PadIfNeeded"),
        (
            A.PadIfNeeded(9, 9, border_mode=cv2.BORDER_WRAP),
            r"PadIfNeeded\(border_mode=3\) cannot be expressed: move it",
        ),
        (A.ToGray(method="max", p=1), "ToGray"),
        (A.RandomCrop(8, 8), "RandomCrop is for training; evaluate with a Resize and a CenterCrop"),
        (A.HorizontalFlip(p=1), "HorizontalFlip cannot be expressed: move it into forward"),
        (A.RGBShift(p=1), "RGBShift cannot be expressed: move it into forward"),
        (A.CLAHE(p=1), "CLAHE cannot be expressed"),
        (A.OneOf([A.Resize(9, 9), A.Resize(8, 8)], p=1), "OneOf is for training; drop it"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_random_or_unknown_is_refused_by_name(part: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(A.Compose([part, *END]))


def test_few_bright_pixels_of_a_dark_image_are_limited_as_albumentations_limits_them() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[0, 0] = 255

    assert_read_as_it_is(A.Compose([A.Normalize(normalization="image"), ToTensorV2()]), image)


def test_every_row_is_tried_here() -> None:
    tried = {type(part).__name__ for whole in TRANSFORMS.values() for part in whole.transforms}

    assert {name.partition(".")[2] for name in PARTS} - tried == set()


@pytest.mark.parametrize("random", [A.Sequential([A.Resize(9, 9)]), A.Compose([A.Resize(9, 9)], p=0.5)])
def test_a_composition_that_is_done_to_some_images_only_is_refused(random: Any) -> None:
    with pytest.raises(ValueError, match=r"is random \(p=0\.5\)"):
        read(A.Compose([random, *END]))
