"""scikit-learn's handwritten digits: 1,797 real 8x8 grayscale images that ship inside the package."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import UsageError
from lit_trainer.data.base import HeldOut, ImageDataModule, Part, to_tensor

LABELS = tuple("0123456789")


class DigitsDataModule(ImageDataModule):
    """Handwritten digits in a fixed split: 64 % train, 16 % validation, 20 % test, stratified by class."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is an option of the configuration
        self,
        batch_size: int = 64,
        image_size: int = 16,
        split_seed: int = 0,
        num_workers: int = 0,  # an epoch takes less time than starting workers would
        test_on: Sequence[HeldOut] = ("test",),
        channels: Literal[1, 3] = 1,
        targets: list[list[float]] | None = None,
        names: list[str] | None = None,
        answers: dict[str, Any] | None = None,
    ) -> None:
        """`channels`: 3 for networks that take colour images.

        `targets`: what each of the ten digits stands for, where something else is learnt than the digit itself.

        `names` are those of the labels or values in it, `answers` how they are read when the model is deployed.
        """
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        if targets is not None and len(targets) != len(LABELS):
            raise UsageError(f"targets are for {len(targets)} digits, and there are {len(LABELS)}")
        self.split_seed, self.targets, self.names = split_seed, targets, names
        self._answers = answers or {}
        self.mode = "L" if channels == 1 else "RGB"
        size, tail = [image_size, image_size], to_tensor([0.3] * channels, [0.35] * channels)
        self.eval_transform = v2.Compose([v2.Resize(size), *tail])
        self.train_transform = v2.Compose([v2.Resize(size), v2.RandomAffine(degrees=10, translate=(0.08, 0.08)), *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """The ten digits, or what is learnt instead."""
        return LABELS if self.targets is None else tuple(self.names or map(str, range(len(self.targets[0]))))

    @property
    def answers(self) -> Mapping[str, Any]:
        """As given."""
        return self._answers

    def setup(self, stage: str) -> None:
        """Make the splits, whatever the stage: all of it is 115 KB."""
        del stage
        images, classes = load()
        digits = [
            (Image.fromarray(image).convert(self.mode), self._known(int(digit)))
            for image, digit in zip(images, classes, strict=True)
        ]
        train, val, test = split(classes, seed=self.split_seed)
        self.train_set = Part(digits, train, self.train_transform)
        self.val_set = Part(digits, val, self.eval_transform)
        self.test_set = self.predict_set = Part(digits, test, self.eval_transform)

    def _known(self, digit: int) -> int | tuple[float, ...]:
        return digit if self.targets is None else tuple(map(float, self.targets[digit]))


def write_test_images(folder: Path, *, split_seed: int = 0) -> list[Path]:
    """Write the held-out digits as 8x8 PNG files, one sub-folder per class: `folder/3/0042.png`."""
    images, classes = load()
    _, _, test = split(classes, seed=split_seed)
    written = []
    for index in test:
        path = folder / LABELS[classes[index]] / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).save(path)
        written.append(path)
    return written


def load() -> tuple[Any, Any]:
    """Images uint8 [1797, 8, 8], white on black, and classes int64 [1797]."""
    from sklearn.datasets import load_digits  # 2 s to import

    digits = load_digits()
    return np.round(digits.images * (255 / 16)).astype(np.uint8), digits.target


def split(classes: Any, *, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Indices of train, validation and test; sorted, disjoint, and the same for the same seed."""
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(np.arange(len(classes)), test_size=0.2, random_state=seed, stratify=classes)
    train, val = train_test_split(rest, test_size=0.2, random_state=seed, stratify=classes[rest])
    return sorted(train), sorted(val), sorted(test)
