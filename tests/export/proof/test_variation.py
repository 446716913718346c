"""lit_export.proof.variation: outputs that hardly vary show little, and are named."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from lit_export.proof import samples
from lit_export.proof.variation import hardly_varying, rows_of
from lit_infer.manifest import CenterCrop, DeploymentFacts, Resize, Step
from tests.support.targets import target_for

IMAGES = DeploymentFacts(
    task="image-classification", preprocess=(Step(resize=Resize(size=32)), Step(center_crop=CenterCrop(size=32)))
)


class Heads(nn.Module):
    """One output that follows the input, and one that does by `share`."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"scores": x.sum(1), "anchors": torch.ones(len(x), 3) + self.share * x[:, :3]}


def still(module: nn.Module, facts: DeploymentFacts, tmp_path: Path, *inputs: str) -> tuple[str, ...]:
    target = target_for(module.eval(), facts, inputs=inputs)
    return hardly_varying(target, samples.samples(target, images=None, scratch=tmp_path))


@pytest.mark.parametrize(("share", "named"), [(0.0, ("anchors",)), (1e-5, ("anchors",)), (0.1, ())])
def test_each_output_is_judged_by_itself(share: float, named: tuple[str, ...], tmp_path: Path) -> None:
    assert still(Heads(share), DeploymentFacts(task="tensor"), tmp_path, "4") == named


def test_a_network_fresh_from_its_constructor_hardly_varies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert still(torchvision.models.mobilenet_v3_small(weights=None, num_classes=4), IMAGES, tmp_path) == (
        "probabilities",
    )


def test_a_network_that_looks_at_its_input_varies(tmp_path: Path) -> None:
    torch.manual_seed(0)
    assert still(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), IMAGES, tmp_path) == ()


def test_answers_of_other_shapes_and_scalars_have_rows_too() -> None:
    assert rows_of([np.ones((2, 3)), np.ones((1, 3))]).shape == (3, 3)
    assert rows_of([np.ones((2, 3)), np.ones((2, 4))]).shape == (14,)
    assert rows_of([np.float32(1), np.float32(2)]).tolist() == [1, 2]  # type: ignore[list-item]
