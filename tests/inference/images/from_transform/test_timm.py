"""timm's own transforms: what is read off `create_transform` gives its pixels."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from timm.data import create_transform, transforms
from torchvision.transforms import InterpolationMode, v2

from lit_infer.images.from_transform import read
from lit_infer.images.from_transform.timm import PARTS
from tests.support.transforms import assert_read_as_it_is, pictures

SIZES = {"square": 32, "pair": (3, 32, 44), "three sides": (3, 40, 40)}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("how", ["bilinear", "bicubic", "nearest"])
@given(image=pictures())
@settings(deadline=None, max_examples=8)
def test_what_is_read_off_every_crop_mode_gives_its_pixels(size: Any, mode: str, how: str, image: Any) -> None:
    assert_read_as_it_is(create_transform(size, crop_mode=mode, crop_pct=0.9, interpolation=how), image)


@pytest.mark.parametrize("longest", [0, 1])
@given(image=pictures(least=3))
@settings(deadline=None, max_examples=60)
def test_a_ratio_is_kept_with_timm_s_rounding(longest: float, image: Any) -> None:
    keep = transforms.ResizeKeepRatio((24, 33), longest=longest, interpolation="bicubic")

    assert_read_as_it_is(
        v2.Compose([keep, transforms.CenterCropOrPad((20, 30), fill=9), transforms.MaybeToTensor()]), image
    )


@given(image=pictures())
@settings(deadline=None, max_examples=8)
def test_values_that_stay_as_they_are(image: Any) -> None:
    assert_read_as_it_is(v2.Compose([transforms.ToTensor()]), image)
    assert_read_as_it_is(v2.Compose([transforms.MaybePILToTensor(), v2.ToDtype(torch.float32, scale=True)]), image)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (transforms.ResizeKeepRatio(32, random_scale_prob=0.5), "random part is for training"),
        (transforms.ResizeKeepRatio(32, interpolation="random"), "random part is for training"),
        (transforms.ResizeKeepRatio(32, longest=0.5), r"longest=0.5\) cannot be expressed"),
        (transforms.RandomResizedCropAndInterpolation(32), "evaluate with a Resize"),
        (transforms.TrimBorder(4), "TrimBorder cannot be expressed"),
    ],
)
def test_what_is_random_or_unknown_is_refused_by_name(part: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(v2.Compose([part, transforms.MaybeToTensor()]))


def test_training_s_transform_is_refused() -> None:
    with pytest.raises(ValueError, match="for training; evaluate with a Resize"):
        read(create_transform(32, is_training=True))


def test_of_tensors_they_are_torch_s() -> None:
    found = read(v2.Compose([v2.ToImage(), transforms.ResizeKeepRatio(32), v2.ToDtype(torch.float32)]))

    assert found.steps[0].value.library == "torch"  # type: ignore[union-attr]
    assert InterpolationMode(found.steps[0].value.interpolation)  # type: ignore[union-attr]
    assert {row.partition(".")[0] for row in PARTS} == {"timm"}
