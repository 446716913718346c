"""lit_export.proof.pictures: real pictures, for tasks of which noise shows nothing."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lit_export.options import Options
from lit_export.proof.pictures import with_pictures
from lit_export.tasks import Target
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.conftest import ROOT
from tests.support.targets import target_for


class Boxes(nn.Module):
    """One candidate."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = images.mean((1, 2, 3))[:, None, None]
        return {"boxes": found.expand(-1, 1, 4), "scores": torch.cat((found * 9 - 4, 4 - found * 9), -1)}


def target(task: str) -> Target:
    module = Boxes() if task == "object-detection" else nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    return target_for(
        module.eval(),
        DeploymentFacts(task=task, preprocess=(Step(resize=Resize(size=(8, 8))),), labels=("no", "yes")),
    )


def test_those_behind_data_are_compared_on_where_no_others_are_given(tmp_path: Path) -> None:
    options = Options(data=tmp_path)

    assert with_pictures(options, target("object-detection"), tmp_path).images == tmp_path
    assert with_pictures(Options(data=tmp_path, images=ROOT), target("object-detection"), tmp_path).images == ROOT
    (tmp_path / "annotations.json").touch()
    named = with_pictures(Options(data=tmp_path / "annotations.json"), target("object-detection"), tmp_path)
    assert named.images == tmp_path


@pytest.mark.parametrize("options", [Options(), Options(images=ROOT)])
def test_without_data_nothing_is_added(options: Options, tmp_path: Path) -> None:
    assert with_pictures(options, target("object-detection"), tmp_path) is options


def test_other_tasks_are_compared_on_noise_as_ever(tmp_path: Path) -> None:
    options = Options(data=tmp_path)

    assert with_pictures(options, target("image-classification"), tmp_path) is options


def test_images_of_a_configuration_are_written_as_files(tmp_path: Path) -> None:
    options = Options(data=ROOT / "configs" / "detection.yaml")

    found = with_pictures(options, target("object-detection"), tmp_path).images

    assert found == tmp_path / "pictures"
    paths = sorted(found.iterdir())
    assert len(paths) == 16
    with Image.open(paths[0]) as image:
        assert image.size == (64, 64)
