"""lit_export.front.tried: functions among the parts of a transform are taken for what they do."""

import functools
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision import transforms as v1
from torchvision.transforms import functional, v2

from lit_export.front.transform import TrainingTransform, facts
from lit_export.front.tried import known
from tests.support.transforms import assert_read_as_it_is

FLOAT = (v2.ToImage(), v2.ToDtype(torch.float32, scale=True))
SMALL = v1.Resize((12, 10))


def to_rgb(image: Image.Image) -> Image.Image:
    return image.convert("RGB")


def alternating(image: Image.Image, seen: list[int] = []) -> Image.Image:  # noqa: B006 - that is its state
    seen.append(1)
    return image if len(seen) % 2 else Image.new("RGB", image.size)


@pytest.mark.parametrize(
    "parts",
    [
        [SMALL, to_rgb, v1.ToTensor()],
        [v1.Lambda(to_rgb), SMALL, v1.ToTensor()],
        [SMALL, v1.Lambda(lambda image: image.convert("L")), v1.ToTensor(), v1.Normalize(0.5, 0.5)],
        [v1.Grayscale(), SMALL, v1.ToTensor(), v1.Lambda(lambda x: x.repeat(3, 1, 1))],
        [SMALL, v1.ToTensor(), v1.Lambda(lambda x: x * 2 - 1)],
        [SMALL, v1.ToTensor(), lambda x: x * 255],
        [SMALL, v2.Lambda(functional.pil_to_tensor), FLOAT[1]],
        [SMALL, functools.partial(functional.to_tensor)],
    ],
)
def test_what_a_function_does_is_read_off_what_it_did(parts: list[Any]) -> None:
    image = Image.effect_noise((31, 23), 90).convert("RGB")

    assert_read_as_it_is(v1.Compose(parts), image)


@pytest.mark.parametrize(
    "function",
    [lambda image: image.rotate(90), lambda image: image.crop((1, 1, 9, 9)), alternating, lambda _: None],
)
def test_what_acts_like_nothing_known_or_otherwise_each_time_is_refused(function: Any) -> None:
    assert known([SMALL, function]) is None
    with pytest.raises(ValueError, match="cannot be expressed"):
        facts(TrainingTransform("lab:val", v1.Compose([SMALL, function, v1.ToTensor()])))


def test_values_that_are_bent_are_no_normalisation() -> None:
    assert known([v1.ToTensor(), torch.sqrt]) is None
