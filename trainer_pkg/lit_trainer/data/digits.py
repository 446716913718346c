"""scikit-learn's handwritten digits: 1,797 real 8x8 grayscale images that ship inside the package."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from lit_infer.manifest import DeploymentFacts
from lit_trainer.data.deployment import facts_from_transform

LABELS = tuple("0123456789")


class DigitsDataModule(pl.LightningDataModule):
    """Handwritten digits in a fixed split: 64 % train, 16 % validation, 20 % test, stratified by class."""

    def __init__(self, batch_size: int = 64, image_size: int = 16, split_seed: int = 0, num_workers: int = 0) -> None:
        super().__init__()
        # Of the data module these are not wanted in the checkpoint, where they would join the model's own.
        self.batch_size = batch_size
        self.split_seed = split_seed
        self.num_workers = num_workers  # 0: an epoch takes less time than starting workers would
        size = [image_size, image_size]
        tail = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.3], [0.35])]
        self.eval_transform = v2.Compose([v2.Resize(size), *tail])
        self.train_transform = v2.Compose([v2.Resize(size), v2.RandomAffine(degrees=10, translate=(0.08, 0.08)), *tail])

    @property
    def deployment_facts(self) -> DeploymentFacts:
        """What `DeploymentFacts`, the callback, stores in the checkpoint."""
        return facts_from_transform(self.eval_transform, task="image-classification", labels=LABELS)

    def setup(self, stage: str) -> None:
        """Make the splits that the stage needs."""
        del stage  # all of it is 115 KB
        images, classes = _load()
        train, val, test = _split(classes, seed=self.split_seed)
        self.train_set = _Digits(images[train], classes[train], self.train_transform)
        self.val_set = _Digits(images[val], classes[val], self.eval_transform)
        self.test_set = _Digits(images[test], classes[test], self.eval_transform)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """Augmented, shuffled."""
        return self._loader(self.train_set, shuffle=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """In order, not augmented."""
        return self._loader(self.val_set)

    def test_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """Held out: nothing was chosen by looking at it."""
        return self._loader(self.test_set)

    def predict_dataloader(self) -> DataLoader[tuple[Tensor, int]]:
        """The test images."""
        return self._loader(self.test_set)

    def _loader(self, dataset: "_Digits", *, shuffle: bool = False) -> DataLoader[tuple[Tensor, int]]:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )


class _Digits(Dataset[tuple[Tensor, int]]):
    def __init__(self, images: Any, classes: Any, transform: v2.Compose) -> None:
        self.images, self.classes, self.transform = images, classes, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index])), int(self.classes[index])


def write_test_images(folder: Path, *, split_seed: int = 0) -> list[Path]:
    """Write the held-out digits as 8x8 PNG files, one sub-folder per class: `folder/3/0042.png`."""
    images, classes = _load()
    _, _, test = _split(classes, seed=split_seed)
    written = []
    for index in test:
        path = folder / LABELS[classes[index]] / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).save(path)
        written.append(path)
    return written


def _load() -> tuple[Any, Any]:
    """Images uint8 [1797, 8, 8], white on black, and classes int64 [1797]."""
    from sklearn.datasets import load_digits  # 2 s to import

    digits = load_digits()
    return np.round(digits.images * (255 / 16)).astype(np.uint8), digits.target


def _split(classes: Any, *, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Indices of train, validation and test; sorted, disjoint, and the same for the same seed."""
    from sklearn.model_selection import train_test_split

    rest, test = train_test_split(np.arange(len(classes)), test_size=0.2, random_state=seed, stratify=classes)
    train, val = train_test_split(rest, test_size=0.2, random_state=seed, stratify=classes[rest])
    return sorted(train), sorted(val), sorted(test)
