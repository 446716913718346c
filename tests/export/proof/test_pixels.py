"""lit_export.proof.pixels: the way from a file to the module's input, against training's own transform."""

from pathlib import Path
from typing import Any

import albumentations
import cv2
import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms as v1
from torchvision.transforms import v2

from lit_export.front.transform import TrainingTransform
from lit_export.options import Options
from lit_export.proof import pixels
from lit_export.proof.samples import samples
from lit_export.spec import with_transform
from lit_export.tasks import TASKS, Target
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts, Normalize, PixelProof, Scale

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMAL = {"mean": MEAN, "std": STD}
PIL = v2.Compose(
    [v2.Resize(24), v2.CenterCrop(20), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**NORMAL)]
)
TENSOR = v1.Compose([v1.ToTensor(), v1.Resize((20, 22)), v1.Normalize(MEAN, STD)])
OPENCV = albumentations.Compose(
    [
        albumentations.LongestMaxSize(20),
        albumentations.PadIfNeeded(20, 20, border_mode=cv2.BORDER_CONSTANT),
        albumentations.Normalize(**NORMAL),
    ]
)


class Means(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def facts(*steps: dict[str, Any], **more: Any) -> DeploymentFacts:
    return msgspec.convert({"task": "image-embedding", "preprocess": list(steps), **more}, DeploymentFacts)


def target(found: DeploymentFacts) -> Target:
    return TASKS[found.task].target(Means(), found, Options())


def proven(transform: Any, stated: DeploymentFacts | None = None, scratch: Path = Path(), **options: Any) -> PixelProof:
    named = TrainingTransform("lab:val", transform)
    found = with_transform(stated or facts(), named)
    return pixels.proven(target(found), named, Options(**options), scratch)


@pytest.mark.parametrize("transform", [PIL, TENSOR, OPENCV], ids=["pil", "tensor", "opencv"])
def test_steps_read_off_a_transform_give_its_pixels(transform: Any, tmp_path: Path) -> None:
    found = proven(transform, scratch=tmp_path)

    assert found == PixelProof(
        transform="lab:val", images=24, source="made up, of odd sizes and modes", max_difference=0.0
    )


def test_a_typed_resize_that_is_not_training_s_is_refused_with_the_part_and_the_size(tmp_path: Path) -> None:
    stated = facts({"resize": {"size": [20, 22]}}, normalize={"mean": MEAN, "std": STD})
    transform = albumentations.Compose([albumentations.Resize(20, 22), albumentations.Normalize(**NORMAL)])

    with pytest.raises(GateError) as caught:
        proven(transform, stated, tmp_path)

    first, second, cure = str(caught.value).splitlines()
    assert "pixels are not those of lab:val" in first
    assert "of 24 images differ" in first
    assert "of 255 levels" in first
    assert "They part at its part 1, Resize" in second
    assert "resize to 20 x 22 (height x width), bilinear, antialiased, by Pillow" in second
    assert cure.startswith("Write what it does into --spec FILE")


def test_another_normalisation_is_seen_though_every_pixel_is_right(tmp_path: Path) -> None:
    stated = facts({"resize": {"size": 24}}, {"center_crop": {"size": 20}}, normalize={"mean": MEAN, "std": (1, 1, 1)})

    with pytest.raises(GateError, match="They part at its part 5, Normalize"):
        proven(PIL, stated, tmp_path)


def test_one_mean_for_three_channels_is_not_taken_for_a_grey_model_s(tmp_path: Path) -> None:
    transform = v1.Compose([v1.Resize((20, 20)), v1.ToTensor(), v1.Normalize((0.5,), (0.5,))])

    assert proven(transform, scratch=tmp_path).max_difference == 0


def test_a_difference_that_is_allowed_is_recorded_and_not_called_proven(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stated = facts({"resize": {"size": [20, 22]}}, normalize={"mean": MEAN, "std": STD})
    transform = v2.Compose(
        [v2.ToImage(), v2.Resize((20, 22)), v2.ToDtype(torch.float32, scale=True), v2.Normalize(**NORMAL)]
    )

    found = proven(transform, stated, tmp_path, allow_pixel_difference=2 / 255)

    assert found.allowed == 2 / 255
    assert 0 < found.max_difference <= 2 / 255
    with pytest.raises(GateError, match="pixels are not those"):
        proven(transform, stated, Path(_fresh(tmp_path)), allow_pixel_difference=0.1 / 255)


def _fresh(folder: Path) -> str:
    made = folder / "again"
    made.mkdir()
    return str(made)


def test_a_resize_that_differs_only_of_large_photographs_is_not_taken_for_equal(tmp_path: Path) -> None:
    def reduced(image: Image.Image) -> torch.Tensor:
        return v1.functional.to_tensor(image.resize((20, 22), Image.Resampling.BILINEAR, reducing_gap=3.0))

    with pytest.raises(GateError, match=r"1 of 24 images differ, odd-18-RGB\.jpg"):
        proven(reduced, facts({"resize": {"size": [22, 20]}}), tmp_path)


def test_a_transform_that_is_random_is_said_to_be(tmp_path: Path) -> None:
    noisy = v1.Compose([v1.Resize((20, 22)), v1.ToTensor(), v1.Lambda(lambda x: x + torch.rand(1) * 0.01)])

    with pytest.raises(GateError, match=r"makes something else of odd-.* each time: it is random, or has state"):
        proven(noisy, facts({"resize": {"size": [20, 22]}}), tmp_path)


def test_another_shape_is_told(tmp_path: Path) -> None:
    stated = facts({"resize": {"size": [20, 20]}})

    with pytest.raises(GateError, match=r"lab:val makes \[3, 20, 22\] of odd-0.*as stated \[3, 20, 20\]"):
        proven(v1.Compose([v1.Resize((20, 22)), v1.ToTensor()]), stated, tmp_path)


def test_images_that_are_given_are_compared(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (50 + index, 61, 3)).astype(np.uint8)
        Image.fromarray(noise).save(photos / f"{index}.png")

    found = proven(PIL, scratch=tmp_path, images=photos)

    assert (found.images, found.source) == (3, "those of --images")


def test_arrays_that_are_given_are_compared_and_asked_where_the_model_reads_them(tmp_path: Path) -> None:
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 256, (50 + index, 61, 4)).astype(np.uint8)
        np.save(tmp_path / f"{index}.npy", noise)
    Image.fromarray(noise[:, :, :3]).save(tmp_path / "preview.png")
    stated = facts({"read": {"mode": "unchanged", "library": "numpy"}})
    transform = albumentations.Compose(
        [albumentations.Resize(20, 22), albumentations.Normalize(mean=(0.5,) * 4, std=(0.2,) * 4)]
    )

    assert proven(transform, stated, tmp_path, images=tmp_path).images == 3
    found = with_transform(stated, TrainingTransform("lab:val", transform))
    assert samples(target(found), images=tmp_path, scratch=tmp_path)[-1].rows == 3


def test_a_part_that_cannot_be_expressed_is_named(tmp_path: Path) -> None:
    transform = v1.Compose([v1.Resize((20, 20)), v1.RandomErasing(), v1.ToTensor()])

    with pytest.raises(UsageError, match="lab:val: RandomErasing is for training; drop it"):
        proven(transform, scratch=tmp_path)


def test_a_transform_that_cannot_be_read_can_still_be_compared_with(tmp_path: Path) -> None:
    def by_hand(image: Image.Image) -> np.ndarray:
        array = cv2.resize(np.asarray(image), (22, 20), interpolation=cv2.INTER_AREA)
        return array.transpose(2, 0, 1).astype(np.float32) / 255

    stated = facts({"resize": {"size": [20, 22], "interpolation": "area", "library": "opencv"}})

    with pytest.raises(UsageError, match=r"by_hand cannot be expressed: .*--spec FILE --transform"):
        proven(by_hand, scratch=tmp_path)
    assert proven(by_hand, facts(*msgspec.to_builtins(stated.preprocess), scale={}), tmp_path).max_difference == 0


def test_values_that_are_no_numbers_are_never_within(tmp_path: Path) -> None:
    def broken(image: Image.Image) -> Tensor:
        return PIL(image) * float("nan")

    stated = facts(*msgspec.to_builtins(with_transform(facts(), TrainingTransform("lab:val", PIL)).preprocess))
    stated = msgspec.structs.replace(stated, normalize=Normalize(mean=MEAN, std=STD))

    with pytest.raises(GateError, match="24 of 24 images differ"):
        proven(broken, stated, tmp_path)


@pytest.mark.parametrize("by", [1, 255])
def test_a_difference_is_a_share_of_the_range_also_where_bytes_stay_as_they_are(tmp_path: Path, by: int) -> None:
    def one_level_off(image: Image.Image) -> Tensor:
        return (torch.from_numpy(np.array(image.resize((22, 20)))).permute(2, 0, 1).float() + 1) / by

    stated = facts({"resize": {"size": [20, 22], "interpolation": "bicubic"}}, scale={"by": by})

    with pytest.raises(GateError, match=r"\(1 of 255 levels\)"):
        proven(one_level_off, stated, tmp_path)
    (again := tmp_path / "again").mkdir()
    found = proven(one_level_off, stated, again, allow_pixel_difference=1.01 / 255)
    assert found.max_difference == pytest.approx(1 / 255, rel=1e-3)


def test_sixteen_bits_that_are_divided_by_255_are_not_taken_to_be_scaled_to_1() -> None:
    stated = facts({"read": {"mode": "unchanged", "depth": "uint16"}})

    found = with_transform(stated, TrainingTransform("lab:val", albumentations.Compose([albumentations.ToFloat(255)])))

    assert found.scale == Scale(by=255.0)


def test_options_about_pixels_without_pixels_are_refused() -> None:
    with pytest.raises(UsageError, match="--transform is for the image tasks"):
        pixels.check_options(Options(transform="lab:val"), takes_images=False, task="tensor")
    with pytest.raises(UsageError, match="--allow-pixel-difference needs a transform"):
        pixels.check_options(Options(allow_pixel_difference=0.1), takes_images=True, task="image-embedding")
    with pytest.raises(UsageError, match="expected a share of the range"):
        Options(allow_pixel_difference=3)
