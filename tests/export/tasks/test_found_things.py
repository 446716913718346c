"""lit_export.tasks.found_things: modules that answer what they found, of a fixed number."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_export.options import Options
from lit_export.tasks.found_things import FoundModule, InstanceModule, answers_found
from lit_export.tasks.images import image_target
from lit_export.tasks.object_detection import target
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts, Resize, Step


def facts(task: str = "object-detection") -> DeploymentFacts:
    return DeploymentFacts(task=task, preprocess=(Step(resize=Resize(size=(16, 24))),), normalize=None)


class Finder(nn.Module):
    """Two boxes of each image, by its mean."""

    def __init__(self, *, scale: float = 1.0, more: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.scale, self.more = scale, more

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        mean = images.mean((1, 2, 3))[:, None] * self.scale
        found = {
            "boxes": (mean[..., None] * torch.tensor([[1.0, 2, 8, 9], [0, 0, 4, 4]])),
            "scores": torch.cat([mean, mean / 2], dim=1),
            "labels": torch.ones(len(images), 2, dtype=torch.int64),
        }
        others = {"masks": images[:, :2], "count": torch.ones(len(images), dtype=torch.int64)}
        return {**found, **{name: others[name] for name in self.more}}


def test_a_dict_of_what_was_found_is_taken_and_its_boxes_are_counted() -> None:
    made = target(Finder(), facts(), Options())

    assert isinstance(made.module, FoundModule)
    assert [one.name for one in made.outputs] == ["scores", "boxes", "labels", "count"]
    assert [one.dtype for one in made.outputs] == ["float32", "float32", "int32", "int32"]
    assert "at most 2 boxes of an image" in made.warnings[0]
    assert made.module(torch.zeros(3, 16, 24, 3, dtype=torch.uint8))[3].tolist() == [2, 2, 2]
    counted = target(Finder(more=("count",)), facts(), Options()).module
    assert counted(torch.zeros(3, 16, 24, 3, dtype=torch.uint8))[3].tolist() == [1, 1, 1]


def test_masks_of_the_whole_image_are_an_output_of_their_own() -> None:
    made = image_target(Finder(more=("masks",)), facts("instance-segmentation"), Options(), wrapper=InstanceModule)

    assert made.outputs[-1].name == "masks"
    assert made.outputs[-1].shape == ("batch", 2, 16, 24)


def test_a_module_without_masks_is_refused_with_what_it_answers() -> None:
    with pytest.raises(GateError, match=r"answers boxes \[2, 2, 4\], .* expected a dict of .* and masks \[batch"):
        image_target(Finder(), facts("instance-segmentation"), Options(), wrapper=InstanceModule)


def test_scores_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the module's scores are from .* expected from 0 to 1"):
        target(Finder(scale=9), facts(), Options())


class Candidates(nn.Module):
    def forward(self, images: Tensor) -> Any:
        return {"boxes": torch.zeros(len(images), 5, 4), "scores": torch.zeros(len(images), 5, 3)}


@pytest.mark.parametrize(("module", "expected"), [(Finder(), True), (Candidates(), False), (nn.Linear(3, 3), False)])
def test_what_was_found_is_told_from_candidates(module: nn.Module, expected: bool) -> None:
    assert answers_found(module, facts()) is expected
