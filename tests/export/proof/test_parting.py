"""Where the steps of the manifest and the parts of a transform part."""

from pathlib import Path
from typing import Any

import albumentations
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lit_export.front.transform import TrainingTransform
from lit_export.proof.parting import channels_first, first_step
from lit_infer.manifest import Normalize
from tests.inference.tiny import noise
from tests.support.pixel_steps import facts, step

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
END = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
NORMAL = Normalize(mean=MEAN, std=STD)
RIGHT = (step(resize={"size": 40}), step(center_crop={"size": 32}))


def parted(transform: Any, *steps: Any, normalize: Normalize | None = NORMAL) -> str:
    image = Image.fromarray(noise(61, 50))
    described = facts(*steps, normalize=normalize)
    return first_step(described, TrainingTransform("lab:val", transform), image, Path("a.png"))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([v2.Resize(41), v2.CenterCrop(32), *END], "They part at its part 1, Resize"),
        ([v2.Resize(40), v2.CenterCrop(30), *END], "They part at its part 2, CenterCrop"),
        ([v2.Resize(40), v2.CenterCrop(32), *END[:2], v2.Normalize(MEAN, MEAN)], "They part at its part 5, Normalize"),
        (
            [v2.Resize(40), v2.CenterCrop(32), END[0], v2.ToDtype(torch.float32), END[2]],
            "part at its part 5, Normalize",
        ),
        ([v2.RandomHorizontalFlip(1), v2.Resize(40), *END], "They part at its part 1, RandomHorizontalFlip"),
    ],
)
def test_the_first_part_whose_image_the_steps_never_have_is_named(parts: list[Any], says: str) -> None:
    found = parted(v2.Compose(parts), *RIGHT)

    assert says in found
    assert "The preprocessing " in found


def test_what_the_preprocessing_has_there_is_said() -> None:
    found = parted(v2.Compose([v2.Resize(40), v2.CenterCrop(30), *END]), *RIGHT)

    assert found.endswith("The preprocessing says here: crop the centre, 32 x 32 (height x width)")


def test_a_part_beyond_the_last_step_has_nothing_there() -> None:
    found = parted(v2.Compose([v2.Resize(40), v2.CenterCrop(32), *END, v2.Normalize(MEAN, STD)]), *RIGHT)

    assert "part at its part 6" in found
    assert found.endswith("has nothing there")


def test_parts_that_take_their_image_by_name_are_followed_too() -> None:
    transform = albumentations.Compose(
        [albumentations.Resize(32, 32), albumentations.CenterCrop(30, 30), albumentations.Normalize(MEAN, STD)]
    )
    steps = (step(resize={"size": [32, 32], "library": "opencv"}), step(center_crop={"size": 31}))

    assert "part at its part 2, CenterCrop" in parted(transform, *steps)


def test_of_a_transform_that_is_no_list_the_steps_are_told() -> None:
    found = parted(lambda image: np.zeros((3, 8, 8)) + np.asarray(image).size, *RIGHT)

    assert found.startswith("The preprocessing as stated: resize its shorter side to 40")


@pytest.mark.parametrize(
    ("shape", "wanted", "is_found"),
    [
        ((3, 4, 5), (3, 4, 5), True),
        ((4, 5, 3), (3, 4, 5), True),
        ((1, 3, 4, 5), (3, 4, 5), True),
        ((1, 4, 5, 3), (3, 4, 5), True),
        ((4, 5), (1, 4, 5), True),
        ((2, 3, 4, 5), (3, 4, 5), False),
        ((3, 5, 4), (3, 4, 5), False),
        ((4, 5), (3, 4, 5), False),
        ((60,), (3, 4, 5), False),
    ],
)
def test_an_array_is_taken_in_every_usual_layout_and_no_other(shape: Any, wanted: Any, is_found: bool) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

    found = channels_first(array, wanted)

    assert (found is not None) == is_found
    if found is not None:
        assert found.shape == wanted
        assert sorted(found.ravel()) == sorted(array.ravel())
