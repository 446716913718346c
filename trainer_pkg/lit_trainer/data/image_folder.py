"""Your own images, in a folder per class.

    root/train/cat/1.jpg          root/cat/1.jpg
    root/train/dog/2.jpg    or    root/dog/2.jpg     of which a part of each class is held out
    root/val/cat/3.jpg
    root/test/dog/4.jpg

Files are listed and read by the runtime's own code, so that training sees an image as the deployed model will.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets.folder import find_classes, make_dataset
from torchvision.transforms import v2

from lit_infer import images
from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_infer.folder import list_images
from lit_trainer.data.base import HeldOut, ImageDataModule, Loader, Part, hold_out, to_tensor

# Of ImageNet, which torchvision's pretrained weights were trained on.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class ImageFolderDataModule(ImageDataModule):
    """Classes are the names of the folders below `root/train`, or below `root` if there is no such split.

    `resize`: length of the shorter side, of which the central `image_size` square is cut. Without `root/val`,
    `val_fraction` of each class validates. `predict_root`: a folder whose images, at any depth, are predicted.
    """

    predict_paths: list[Path]
    """What `predict_dataloader` gives, in lit-infer's order; its batches are (images, index into this)."""

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str,
        *,
        image_size: int = 224,
        resize: int = 256,
        batch_size: int = 32,
        num_workers: int | None = None,
        val_fraction: float = 0.2,
        split_seed: int = 0,
        predict_root: str | None = None,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self.predict_root = Path(root), predict_root
        self.val_fraction, self.split_seed, self.image_size = val_fraction, split_seed, image_size
        tail = to_tensor(mean, std)
        self.eval_transform = v2.Compose([v2.Resize(resize), v2.CenterCrop(image_size), *tail])
        self.train_transform = v2.Compose([v2.RandomResizedCrop(image_size), v2.RandomHorizontalFlip(), *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """The class folders' names, sorted."""
        return tuple(_classes(self._train_root))

    def setup(self, stage: str) -> None:
        """List the files that the stage needs."""
        if self.needs("train", stage) or self.needs("val", stage):
            self.train_set, self.val_set = self._train_and_val()
        if self.needs("test", stage):
            self.test_set = self._part(self._photos("test"), self.eval_transform)
        if self.needs("predict", stage):
            if self.predict_root is None:
                raise UsageError("nothing to predict: name a folder of images with --data.predict_root FOLDER")
            _classes(self._train_root)  # the rows will name them: fail now rather than after predicting everything
            self.predict_paths = list_images([Path(self.predict_root)])
            self.predict_set = _Listed(self.predict_paths, self.eval_transform)

    def predict_dataloader(self) -> Loader:
        """Images and their index in `predict_paths`. An index that is in no batch means an unreadable image."""
        return self._loader(self.predict_set, collate=self._readable)

    def _train_and_val(self) -> tuple[Part, Part]:
        photos = _Photos(self._train_root, _classes(self._train_root))
        if self._train_root != self.root and (self.root / "val").is_dir():
            return self._part(photos, self.train_transform), self._part(self._photos("val"), self.eval_transform)
        train, val = _hold_out_of_each(photos.targets, self.val_fraction, seed=self.split_seed)
        return Part(photos, train, self.train_transform), Part(photos, val, self.eval_transform)

    @property
    def _train_root(self) -> Path:
        """`root/train`, if it has folders in it: a class may be called train, too."""
        train = self.root / "train"
        return train if train.is_dir() and any(path.is_dir() for path in train.iterdir()) else self.root

    def _photos(self, name: HeldOut) -> "_Photos":
        if self._train_root == self.root or not (self.root / name).is_dir():
            raise NotFoundError(
                f"no {self.root / name}/ beside {self.root / 'train'}/. "
                "Make it, a folder per class, or test on what validates: --data.test_on '[val]'"
            )
        # Numbered as in train: numbered separately, a folder that lacks a class would shift those after it.
        return _Photos(self.root / name, _classes(self._train_root))

    def _part(self, photos: "_Photos", transform: v2.Compose) -> Part:
        return Part(photos, range(len(photos)), transform)

    def _readable(self, batch: list[tuple[Tensor, int] | None]) -> tuple[Tensor, Tensor]:
        read = [item for item in batch if item is not None]
        if not read:
            return torch.empty(0, 3, self.image_size, self.image_size), torch.empty(0, dtype=torch.int64)
        return torch.stack([image for image, _ in read]), torch.tensor([index for _, index in read])


class _Photos:
    """(RGB image, class) pairs of a folder per class."""

    def __init__(self, root: Path, classes: dict[str, int]) -> None:
        unknown = set(_classes(root)) - set(classes)
        if unknown:
            raise UsageError(f"{root}/ has folders that are not classes of train: {', '.join(sorted(unknown))}")
        samples = make_dataset(root, classes, is_valid_file=_is_image, allow_empty=True)
        self.paths = [path for path, _ in samples]
        self.targets = [label for _, label in samples]
        if not samples:
            raise NotFoundError(f"no images below {root}/ (looked for {' '.join(sorted(images.SUFFIXES))})")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        try:
            return _read(self.paths[index]), self.targets[index]
        except InputError as error:
            raise InputError(f"{self.paths[index]}: {error}", code=error.code) from None


class _Listed(Dataset[Any]):
    """(image, index) of each path; None for one that cannot be read."""

    def __init__(self, paths: Sequence[Path], transform: v2.Compose) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int] | None:
        try:
            return self.transform(_read(self.paths[index])), index
        except InputError:
            return None


def _read(path: str | Path) -> Image.Image:
    """As torchvision's loader: RGB, its EXIF orientation ignored."""
    return Image.fromarray(images.prepare(path, steps=(), channels=3))


def _is_image(path: str) -> bool:
    name = Path(path).name
    return not name.startswith(".") and Path(name).suffix.lower() in images.SUFFIXES


def _classes(root: Path) -> dict[str, int]:
    """Class to index; hidden folders are not classes."""
    try:
        names, _ = find_classes(root)
    except FileNotFoundError:
        names = []
    shown = [name for name in names if not name.startswith(".")]
    if not shown:
        raise NotFoundError(
            f"no class folders in {root.absolute()}: expected train/CLASS/*.jpg and val/CLASS/*.jpg there, "
            "or CLASS/*.jpg. Nothing is downloaded; name your folder with --data.root"
        )
    return {name: index for index, name in enumerate(shown)}


def _hold_out_of_each(classes: Sequence[int], share: float, *, seed: int) -> tuple[list[int], list[int]]:
    """Indices of train and validation, with the same share of each class, and at least one if it has two."""
    members: dict[int, list[int]] = {}
    for index, label in enumerate(classes):
        members.setdefault(label, []).append(index)
    train, val = [], []
    for own in members.values():
        held = min(max(round(share * len(own)), 1), len(own) - 1)
        rest, out = hold_out(len(own), held, seed=seed)
        train += [own[index] for index in rest]
        val += [own[index] for index in out]
    return sorted(train), sorted(val)
