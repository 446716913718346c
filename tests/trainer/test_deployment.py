"""lit_trainer.data.deployment: facts are read off the evaluation transform, or refused."""

from typing import Any

import pytest
import torch
from torchvision.transforms import InterpolationMode, v2

from lit_infer.manifest import CenterCrop, Normalize, Resize, Scale, Step
from lit_trainer.data.deployment import facts_from_transform

TAIL = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.25] * 3)]


@pytest.mark.parametrize(
    ("part", "step"),
    [
        (v2.Resize(256), Step(resize=Resize(size=256))),
        (v2.Resize([256]), Step(resize=Resize(size=256))),
        (v2.Resize((64, 96)), Step(resize=Resize(size=(64, 96)))),
        (v2.Resize(8, InterpolationMode.BICUBIC), Step(resize=Resize(size=8, interpolation="bicubic"))),
        (v2.Resize(8, InterpolationMode.NEAREST), Step(resize=Resize(size=8, interpolation="nearest"))),
        (v2.Resize(8, max_size=16), Step(resize=Resize(size=8, max_size=16))),
        (v2.Resize(8, InterpolationMode.LANCZOS), Step(resize=Resize(size=8, interpolation="lanczos"))),
        (v2.CenterCrop(224), Step(center_crop=CenterCrop(size=(224, 224)))),
        (v2.CenterCrop((10, 20)), Step(center_crop=CenterCrop(size=(10, 20)))),
    ],
)
def test_each_step_is_read(part: Any, step: Step) -> None:
    facts = facts_from_transform(v2.Compose([part, *TAIL]), task="image-classification", labels=("a", "b"))
    assert facts.preprocess == (step,)
    assert facts.normalize == Normalize(mean=(0.5,) * 3, std=(0.25,) * 3)
    assert facts.labels == ("a", "b")


def test_a_resize_of_tensors_is_that_of_tensors() -> None:
    parts = [v2.ToImage(), v2.Resize(8), *TAIL[1:]]

    facts = facts_from_transform(v2.Compose(parts), task="image-classification")

    assert facts.preprocess == (Step(resize=Resize(size=8, library="torch")),)


def test_values_that_are_not_scaled_stay_as_they_are_inside_the_graph() -> None:
    parts = [v2.Resize(8), v2.ToImage(), v2.ToDtype(torch.float32), TAIL[2]]

    assert facts_from_transform(v2.Compose(parts), task="image-classification").scale == Scale(by=1.0)


def test_of_two_normalisations_the_first_is_a_step() -> None:
    again = v2.Normalize([0.25] * 3, [0.5] * 3)

    facts = facts_from_transform(v2.Compose([v2.Resize(8), *TAIL, again]), task="image-classification")

    assert [step.kind for step in facts.preprocess] == ["resize", "scale", "normalize"]
    assert facts.normalize == Normalize(mean=(0.25,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize(
    "parts",
    [
        [v2.Resize(8), v2.RandomHorizontalFlip(), *TAIL],
        [v2.Resize(8), v2.ToImage(), v2.ToDtype(torch.float16, scale=True)],
        [v2.Resize(8), v2.ToImage()],
    ],
    ids=["random", "half", "no dtype"],
)
def test_a_transform_that_the_runtime_would_not_repeat_is_refused(parts: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        facts_from_transform(v2.Compose(parts), task="image-classification")
