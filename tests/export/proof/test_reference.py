"""lit_export.proof.reference: the independent side of the comparison is torchvision's own transform."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

from lit_export.proof.reference import training_pixels
from lit_infer import images
from lit_infer.manifest import CenterCrop, DeploymentFacts, Normalize, Resize, Step
from tests.inference.tiny import noise, save


@pytest.mark.parametrize("size", [(40, 31), (9, 200), (8, 8), (5, 6)])
def test_it_is_what_image_folder_and_the_transform_give_and_what_the_runtime_gives(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    path = save(tmp_path / "a.png", noise(*size))
    facts = DeploymentFacts(
        task="image-classification", preprocess=(Step(resize=Resize(size=10)), Step(center_crop=CenterCrop(size=8)))
    )
    trained = v2.Compose([v2.Resize(10), v2.CenterCrop(8)])(default_loader(str(path)))
    found = training_pixels(path, facts)
    assert np.array_equal(found, np.asarray(trained))
    assert np.array_equal(found, images.prepare(path, steps=facts.preprocess, channels=3))


def test_grayscale_has_one_channel(tmp_path: Path) -> None:
    Image.fromarray(noise(12, 12)).save(tmp_path / "a.png")
    facts = DeploymentFacts(task="image-classification", normalize=Normalize(mean=(0.5,), std=(0.5,)))
    assert training_pixels(tmp_path / "a.png", facts).shape == (12, 12, 1)
