"""Pictures with several handwritten digits each, under noise, and the same pictures without it: nothing to download."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from lit_infer.folder.picture_folder import INPUTS, TARGETS
from lit_infer.tasks import image_to_image
from lit_trainer.data.base import HeldOut, ImageDataModule
from lit_trainer.data.pictured import PicturedPart
from lit_trainer.data.scenes import Scenes, scenes

NOISE = 40.0  # grey levels: a digit can just be read


class NoisyDigitsDataModule(ImageDataModule):
    """Noisy scenes of handwritten digits and the clean ones, both from 0 to 1; splits are as in `DigitMasksDataModule`.

    `noise`: the standard deviation of what is added to each pixel, in grey levels of 255.
    """

    usual_task = image_to_image.TASK.name

    def __init__(  # noqa: PLR0913, PLR0917 - each is an option of the configuration
        self,
        batch_size: int = 8,
        image_size: int = 48,
        count: int = 480,
        noise: float = NOISE,
        split_seed: int = 0,
        num_workers: int = 0,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.image_size, self.count, self.noise, self.split_seed = image_size, count, noise, split_seed
        self.eval_transform = self.train_transform = from_0_to_1(image_size, image_size)

    @property
    def labels(self) -> tuple[str, ...]:
        """None: pictures have no classes."""
        return ()

    def setup(self, stage: str) -> None:
        """Make all scenes, whatever the stage: a second or two."""
        del stage
        made = scenes(self.count, self.image_size, self.split_seed)
        train, val, test = (_NoisyScenes(part, self.noise) for part in made)
        self.train_set = PicturedPart(train, range(len(train)), self.train_transform)
        self.val_set = PicturedPart(val, range(len(val)), self.eval_transform)
        self.test_set = self.predict_set = PicturedPart(test, range(len(test)), self.eval_transform)


class _NoisyScenes:
    """(Noisy PIL image, clean picture) pairs."""

    def __init__(self, made: Scenes, noise: float) -> None:
        self._pairs = [(made.scene(i, noise=noise).image, made.scene(i, noise=0).image) for i in range(len(made))]

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Image.Image, NDArray[Any]]:
        noisy, clean = self._pairs[index]
        return Image.fromarray(noisy), clean


def from_0_to_1(height: int, width: int) -> v2.Compose:
    """Of a size, float32 from 0 to 1: a picture that is made has to come out again as it went in."""
    return v2.Compose([v2.Resize([height, width]), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


def write_noisy_digits(folder: Path, *, count: int = 20, size: int = 48, seed: int = 0) -> list[Path]:
    """Write held-out scenes with noise and without: `inputs/0007.png`, `targets/0007.png`. Returns the noisy ones."""
    made = _NoisyScenes(scenes(5 * count, size, seed)[2], NOISE)
    written = []
    for index in range(count):
        noisy, clean = made[index]
        for name, image in ((INPUTS, noisy), (TARGETS, Image.fromarray(np.asarray(clean)))):
            path = folder / name / f"{index:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        written.append(folder / INPUTS / f"{index:04d}.png")
    return written
