"""lit_export.tasks.inner_detector: a module that only hands images to a detector is taken for it, and no other is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator

from lit_export.tasks.inner_detector import detector_of
from lit_infer import progress
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.support.mask_rcnn import Backbone, InstanceLearner

FACTS = DeploymentFacts(task="object-detection", preprocess=(Step(resize=Resize(size=(64, 64))),))


def retina_net() -> RetinaNet:
    anchors = AnchorGenerator(sizes=((16,), (32,)), aspect_ratios=((1.0,), (1.0,)))
    return RetinaNet(Backbone(), num_classes=4, anchor_generator=anchors, min_size=64, max_size=90)


class Learner(nn.Module):
    """A module with a detector, and what it does with its answers."""

    def __init__(self, ending: Callable[[list[dict[str, Tensor]]], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = retina_net()
        self.ending = ending

    def forward(self, images: Tensor) -> Any:
        return self.ending(self.model(images))


def test_a_module_that_hands_images_on_is_its_detector_and_that_is_said() -> None:
    module, said = Learner(lambda found: found).eval(), list[str]()

    with progress.listening(progress.Listener(note=said.append)):
        detector = detector_of(module, FACTS)

    assert isinstance(detector, RetinaNet)
    assert detector.score_thresh == retina_net().score_thresh
    assert said == ["forward answers as its RetinaNet does: model is taken in its place"]


def test_a_two_stage_detector_is_found_too() -> None:
    module = InstanceLearner(4).eval()
    threshold = module.detector.roi_heads.score_thresh

    assert detector_of(module, FACTS) is module.detector
    assert module.detector.roi_heads.score_thresh == threshold


def confident(found: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    return [{name: value[one["scores"] > 0.05] for name, value in one.items()} for one in found]


@pytest.mark.parametrize(
    "ending",
    [
        confident,
        lambda found: [{**one, "boxes": one["boxes"] / 64} for one in found],
        lambda found: [one["boxes"] for one in found],
        lambda found: found[0],
        lambda found: found.missing,
    ],
)
def test_a_module_that_does_more_stays_itself(ending: Callable[[Any], Any]) -> None:
    module = Learner(ending).eval()

    assert detector_of(module, FACTS) is module


def test_a_module_with_two_detectors_stays_itself() -> None:
    module = Learner(lambda found: found).eval()
    module.other = retina_net()

    assert detector_of(module, FACTS) is module
