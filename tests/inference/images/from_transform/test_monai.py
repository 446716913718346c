"""The basics of MONAI: sizes and intensities of arrays, channels first."""

from typing import Any

import monai.transforms as M  # noqa: N812 - as everybody writes it
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from lit_infer.images.from_transform import read
from tests.support.pixel_steps import step
from tests.support.transforms import assert_read_as_it_is, pictures

FIRST = M.EnsureChannelFirst(channel_dim=-1)
TRANSFORMS: dict[str, list[Any]] = {
    "scale intensity": [M.ScaleIntensity()],
    "each channel alone": [M.ScaleIntensity(channel_wise=True), M.EnsureType()],
    "range": [M.ScaleIntensityRange(0, 255, 0.0, 1.0)],
    "range, about zero": [M.Resize((24, 31), mode="bilinear"), M.ScaleIntensityRange(0, 255, -1.0, 1.0)],
    "range, of more": [M.EnsureType(dtype=torch.float32), M.ScaleIntensityRange(-1000, 1000, 0.0, 1.0)],
    "range, no end": [M.ScaleIntensity(), M.ScaleIntensityRange(0.25, 2), M.ScaleIntensityRange(0, 2, 0.0, 1.0)],
    "normalise": [M.NormalizeIntensity()],
    "normalise each channel": [M.NormalizeIntensity(channel_wise=True), M.ToTensor()],
    "normalise by numbers": [M.NormalizeIntensity(subtrahend=[9, 8, 7], divisor=[3, 2, 1], channel_wise=True)],
    "resize": [M.Resize((24, 31), mode="bilinear"), M.ScaleIntensityRange(0, 255, 0.0, 1.0)],
    "resize, picked": [M.Resize((24, 31), mode="nearest"), M.ScaleIntensity()],
    "resize, area": [M.Resize((24, 31)), M.ScaleIntensity()],
    "resize, corners": [M.Resize((24, 31), mode="bicubic", align_corners=True), M.ScaleIntensity()],
    "crop": [M.Resize((41, 40), mode="bicubic"), M.CenterSpatialCrop((24, 31)), M.ScaleIntensity()],
    "crop, the other way": [M.Resize((40, 41), mode="bilinear"), M.CenterSpatialCrop((31, 24)), M.ScaleIntensity()],
    "pad": [M.SpatialPad((99, 100)), M.ScaleIntensity()],
    "pad at the end": [M.SpatialPad((99, 100), method="end", mode="edge"), M.ScaleIntensity()],
}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@given(image=pictures())
@settings(deadline=None, max_examples=8)
def test_what_is_read_off_a_transform_gives_its_pixels(name: str, image: Any) -> None:
    read_by = (step(read={"mode": "unchanged", "library": "numpy"}),)
    transform = M.Compose([FIRST, *TRANSFORMS[name]])
    if name not in ("normalise by numbers",):  # whose numbers say how many channels there are
        read_by = ()

    # One mean for all channels: how many there are is found out with a PIL image.
    assert_read_as_it_is(transform, image if name.startswith("range,") else np.asarray(image), read_by=read_by)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (M.ScaleIntensity(minv=-1.0, maxv=1.0), "but to 0 and 1"),
        (M.ScaleIntensityRange(0, 255, 0.0, 1.0, clip=True), "clip=True"),
        (M.ScaleIntensityRange(10, 255, 0.0, 1.0), r"put EnsureType\(dtype=torch.float32\) before it"),
        (M.ScaleIntensityRange(0, 255, 1.0, 0.0), r"ScaleIntensityRange\(0, 255, 1.0, 0.0\) cannot be expressed"),
        (M.NormalizeIntensity(nonzero=True), "nonzero=True"),
        (M.NormalizeIntensity(subtrahend=0.5), "both of subtrahend and divisor"),
        (M.Resize((8, 8), mode="bilinear", anti_aliasing=True), "blurs first and cannot be expressed: move it"),
        (M.Resize(8, size_mode="longest", mode="bilinear"), "give both lengths"),
        (M.SpatialPad((8, 8), mode="wrap"), "mode=wrap"),
        (M.RandFlip(), "RandFlip is for training; drop it"),
        (M.GaussianSmooth(), "GaussianSmooth cannot be expressed"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_ours_is_refused_by_name(part: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(M.Compose([FIRST, part]))
