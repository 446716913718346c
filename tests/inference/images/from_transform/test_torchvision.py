"""torchvision's own transforms, v1 and v2, of PIL images and tensors: what is read off them gives their pixels."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageOps
from torchvision import transforms as v1
from torchvision import tv_tensors
from torchvision.models import ResNet18_Weights
from torchvision.models.segmentation import FCN_ResNet50_Weights
from torchvision.transforms import InterpolationMode, functional, v2
from torchvision.transforms.v2 import functional as second

from lit_infer.images.from_transform import read
from lit_infer.images.from_transform.torchvision import PARTS
from tests.support.transforms import assert_read_as_it_is, pictures

NORMAL = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
FLOAT = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True))
MODES = [InterpolationMode(name) for name in ("nearest", "nearest-exact", "bilinear", "bicubic")]
some_pictures = settings(deadline=None, max_examples=12)

TRANSFORMS: dict[str, Any] = {
    "v2 of PIL": v2.Compose([v2.Resize(40), v2.CenterCrop(32), *FLOAT, v2.Normalize(**NORMAL)]),
    "v2 of tensors": v2.Compose([v2.ToImage(), v2.Resize((33, 41)), FLOAT[1], v2.Normalize(**NORMAL)]),
    "v2 of floats": v2.Compose([*FLOAT, v2.Resize((33, 41)), v2.Normalize(**NORMAL)]),
    "v2 not antialiased": v2.Compose([v2.ToImage(), v2.Resize((20, 21), antialias=False), FLOAT[1]]),
    "v2 normalised before it is resized": v2.Compose([*FLOAT, v2.Normalize(**NORMAL), v2.Resize((33, 41))]),
    "v2 of tensors, cropped": v2.Compose([v2.ToImage(), v2.Resize(40), v2.CenterCrop((32, 37)), FLOAT[1]]),
    "v2 cropped beyond the image": v2.Compose([*FLOAT, v2.Normalize(**NORMAL), v2.CenterCrop(64)]),
    "v2 max_size": v2.Compose([v2.Resize(24, max_size=40), v2.CenterCrop(24), *FLOAT]),
    "v2 longest side": v2.Compose([v2.Resize(None, max_size=40), v2.CenterCrop(40), *FLOAT]),
    "v2 unscaled": v2.Compose([v2.ToImage(), v2.Resize((9, 9)), v2.ToDtype(torch.float32)]),
    "v2 dtype of images": v2.Compose(
        [v2.ToImage(), v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True)]
    ),
    "v2 grey": v2.Compose([v2.Grayscale(), *FLOAT]),
    "v2 grey tensors": v2.Compose([v2.ToImage(), v2.Grayscale(3), FLOAT[1], v2.Normalize(**NORMAL)]),
    "v2 padded": v2.Compose([v2.Pad((3, 1), fill=7), *FLOAT]),
    "v2 padded in colours": v2.Compose([v2.ToImage(), v2.Pad([1, 2, 3, 4], fill=[1, 2, 3]), FLOAT[1]]),
    "v2 padded after normalising": v2.Compose([*FLOAT, v2.Normalize(**NORMAL), v2.Pad(2)]),
    "v2 reflected": v2.Compose([v2.Pad(5, padding_mode="reflect"), *FLOAT]),
    "v2 edge": v2.Compose([v2.ToImage(), v2.Pad(5, padding_mode="edge"), FLOAT[1]]),
    "v2 symmetric": v2.Compose([v2.Pad(5, padding_mode="symmetric"), *FLOAT]),
    "v2 padded by the kind of image": v2.Compose(
        [
            v2.Pad(2, fill={torch.Tensor: 9, "others": 5}),
            *FLOAT,
            v2.Pad(1, fill={torch.Tensor: 9, tv_tensors.Image: 0.5}),
        ]
    ),
    "v2 dtype of others": v2.Compose([v2.PILToTensor(), v2.ToDtype({"others": torch.float32}, scale=True)]),
    "v2 dtype of what it is not": v2.Compose(
        [v2.ToImage(), v2.ToDtype({torch.Tensor: torch.float32, "others": None}), v2.ToDtype(torch.float32)]
    ),
    "v2 dtype of PIL, which stays": v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Resize(30), *FLOAT]),
    "v2 grey, as RGB again": v2.Compose(
        [v2.Grayscale(), v2.Resize((30, 20)), v2.RGB(), *FLOAT, v2.Normalize(**NORMAL)]
    ),
    "v2 done to no image": v2.Compose([v2.RandomHorizontalFlip(0), *FLOAT, v2.RandomErasing(p=0)]),
    "v1 done to every image": v1.Compose([v1.RandomApply([v1.Grayscale(3)], p=1), v1.ToTensor()]),
    "functions": v1.Compose([ImageOps.grayscale, v1.Resize((9, 8)), functional.to_tensor]),
    "functions of bytes": v2.Compose([second.pil_to_tensor, v2.Resize((9, 8)), FLOAT[1]]),
    "functions of images": v2.Compose([second.to_image, v2.Resize((9, 8)), FLOAT[1]]),
    "v2 RGB": v2.Compose([v2.RGB(), v2.Identity(), *FLOAT, v2.ToPureTensor()]),
    "v2 and back to PIL": v2.Compose([v2.PILToTensor(), v2.ToPILImage(), v2.Resize((30, 20)), *FLOAT]),
    "v1": v1.Compose([v1.Resize((40, 30)), v1.ToTensor(), v1.Normalize(**NORMAL)]),
    "v1 of floats": v1.Compose([v1.ToTensor(), v1.Resize(30), v1.CenterCrop(28)]),
    "v1 of tensors": v1.Compose(
        [v1.PILToTensor(), v1.ConvertImageDtype(torch.float32), v1.Resize(30), v1.Normalize(**NORMAL)]
    ),
    "v1 of bytes, picked": v1.Compose(
        [v1.PILToTensor(), v1.Resize(30, InterpolationMode.NEAREST), v1.ConvertImageDtype(torch.float32)]
    ),
    "v1 one mean": v1.Compose([v1.ToTensor(), v1.Normalize(0.5, 0.5)]),
    "nested": v2.Compose(
        [v1.Compose([v1.Resize(30)]), v1.PILToTensor(), torch.nn.Sequential(v1.CenterCrop(24)), FLOAT[1]]
    ),
    "preset": ResNet18_Weights.DEFAULT.transforms(resize_size=40, crop_size=32),
    "preset of PIL segmentation": FCN_ResNet50_Weights.DEFAULT.transforms(resize_size=40),
}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@given(image=pictures())
@some_pictures
def test_what_is_read_off_a_transform_gives_its_pixels(name: str, image: Any) -> None:
    assert_read_as_it_is(TRANSFORMS[name], image)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("antialias", [True, False])
@given(image=pictures(), size=st.integers(5, 60) | st.tuples(st.integers(5, 60), st.integers(5, 60)))
@some_pictures
def test_every_interpolation_of_images_and_tensors(mode: Any, antialias: bool, image: Any, size: Any) -> None:
    resize = v2.Resize(size, interpolation=mode, antialias=antialias)

    assert_read_as_it_is(v2.Compose([v2.ToImage(), resize, FLOAT[1]]), image)
    if antialias:  # PIL's are always
        assert_read_as_it_is(v2.Compose([resize, *FLOAT]), image)


@pytest.mark.parametrize("name", ["BOX", "HAMMING", "LANCZOS"])
def test_what_only_pil_has_is_read_of_pil_images_and_refused_of_tensors(name: str) -> None:
    resize = v2.Resize((9, 9), interpolation=InterpolationMode[name])

    assert read(v2.Compose([resize, *FLOAT])).steps[0].value.interpolation == name.lower()  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=f"has no interpolation {name.lower()}"):
        read(v2.Compose([v2.ToImage(), resize, FLOAT[1]]))


def test_a_resize_of_bytes_by_v1_rounds_otherwise_and_is_refused() -> None:
    transform = v1.Compose([v1.PILToTensor(), v1.Resize(30), v1.ConvertImageDtype(torch.float32)])

    with pytest.raises(ValueError, match="computes bytes of a tensor in float32"):
        read(transform)


def test_every_row_is_tried_here() -> None:
    tried = {getattr(part, "__name__", type(part).__name__) for whole in TRANSFORMS.values() for part in _parts(whole)}

    assert {name.partition(".")[2] for name in PARTS} - tried == {"exif_transpose"}  # tests/trainer; test_pixels


def _parts(whole: Any) -> list[Any]:
    inner = getattr(whole, "transforms", list(whole) if isinstance(whole, torch.nn.Sequential) else None)
    return [whole] if inner is None else [part for one in inner for part in _parts(one)]
