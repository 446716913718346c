"""The basics of kornia: float32 tensors."""

from typing import Any

import kornia.augmentation as K  # noqa: N812 - as everybody writes it
import kornia.geometry.transform as geometry
import pytest
import torch
from hypothesis import given, settings
from torchvision.transforms import v2

from lit_infer.images.from_transform import read
from tests.support.transforms import assert_read_as_it_is, pictures

FLOAT = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True))
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

TRANSFORMS: dict[str, Any] = {
    "augmentation": [K.Resize((24, 31), align_corners=False), K.Normalize(MEAN, STD)],
    "augmentation, picked": [K.Resize((24, 31), resample="nearest")],
    "augmentation, bicubic": [K.Resize((24, 31), resample="bicubic", align_corners=False)],
    "functions as modules": [geometry.Resize((24, 31)), K.Normalize(MEAN, STD)],
    "augmentation, corners": [K.Resize((24, 31))],
    "augmentation, bicubic corners": [K.Resize((24, 31), resample="bicubic")],
    "functions as modules, area": [geometry.Resize((24, 31), interpolation="area")],
    "functions as modules, picked": [geometry.Resize((24, 31), interpolation="nearest")],
}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@given(image=pictures())
@settings(deadline=None, max_examples=10)
def test_what_is_read_off_a_transform_gives_its_pixels(name: str, image: Any) -> None:
    assert_read_as_it_is(v2.Compose([*FLOAT, *TRANSFORMS[name]]), image)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([*FLOAT, K.Resize((8, 8), align_corners=False, antialias=True)], "blurs first"),
        ([*FLOAT, K.Resize(8, align_corners=False)], "give both lengths"),
        ([v2.ToImage(), K.Resize((8, 8), align_corners=False), FLOAT[1]], "before the image is a tensor of float32"),
        ([*FLOAT, K.Resize((8, 8), align_corners=False, p=0.5)], "Resize is random"),
        ([*FLOAT, K.RandomHorizontalFlip()], "RandomHorizontalFlip is for training; drop it"),
        ([*FLOAT, K.Denormalize(MEAN, STD)], "Denormalize cannot be expressed"),
    ],
)
def test_what_is_not_ours_is_refused_by_name(parts: list[Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(v2.Compose(parts))
