"""Your own images with boxes, as COCO's JSON or YOLO's text files have them.

    root/train/annotations.json   root/annotations.json  root/data.yaml (train:, val:, names:)
    root/train/a.jpg              root/images/a.jpg      root/images/train/a.jpg
    root/val/annotations.json     …                      root/labels/train/a.txt …

Without a split for it, a part is held out. Boxes of `iscrowd` are left out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms import v2

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import box_truths, coco, yolo
from lit_infer.tasks import object_detection
from lit_trainer.data.base import HeldOut, ImageDataModule, as_stored, hold_out_share, to_tensor
from lit_trainer.data.boxed import BoxedPart
from lit_trainer.data.image_folder import MEAN, STD
from lit_trainer.data.instanced import InstancePart


class CocoBoxesDataModule(ImageDataModule):
    """Images and the boxes in them. `labels`: the classes, in the order in which they are learnt.

    Images are resized to `image_size`, (height, width), and flipped half of the time in training. Without `root/val`,
    `val_fraction` of the images validates. `most`: the largest number of boxes in an image; `answers`: which boxes
    count when the model is deployed, such as `{threshold: 0.3}`.
    """

    usual_task = object_detection.TASK.name

    with_masks: ClassVar[bool] = False
    """Whether the pixels of each thing are read as well."""

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str,
        labels: list[str],
        *,
        image_size: tuple[int, int] = (256, 256),
        flip: bool = True,
        most: int = 32,
        answers: dict[str, Any] | None = None,
        batch_size: int = 8,
        num_workers: int | None = None,
        val_fraction: float = 0.2,
        split_seed: int = 0,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self._labels, self._answers, self.most = Path(root), tuple(labels), answers or {}, most
        self.val_fraction, self.split_seed = val_fraction, split_seed
        size, tail = list(image_size), to_tensor(mean, std)
        self.eval_transform = v2.Compose([v2.Resize(size), *tail])
        self.train_transform = v2.Compose([v2.Resize(size), *([v2.RandomHorizontalFlip()] if flip else []), *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """As given."""
        return self._labels

    @property
    def answers(self) -> Mapping[str, Any]:
        """As given."""
        return self._answers

    def setup(self, stage: str) -> None:
        """Read the boxes that the stage needs."""
        if self.needs("train", stage) or self.needs("val", stage):
            self.train_set, self.val_set = self._train_and_val()
        if self.needs("test", stage) or self.needs("predict", stage):
            if not ((self.root / "test").is_dir() or "test" in self._splits):
                raise NotFoundError(
                    f"no {self.root / 'test'}/ with images and {coco.NAMES[0]}. Make it, or test on what validates: "
                    "--data.test_on '[val]'"
                )
            self.test_set = self.predict_set = self._split("test", self.eval_transform)

    @property
    def _splits(self) -> tuple[str, ...]:
        """Those that YOLO's table names."""
        return yolo.splits(self.root)

    def _split(self, split: yolo.YoloSplit, transform: v2.Compose) -> Dataset[Any]:
        """All of one: a folder, or what the table says it is."""
        return self._all(self.root if split in self._splits else self.root / split, transform, split)

    def _train_and_val(self) -> tuple[Dataset[Any], Dataset[Any]]:
        if {"train", "val"} <= set(self._splits):
            return self._split("train", self.train_transform), self._split("val", self.eval_transform)
        train = self.root / "train" if (self.root / "train").is_dir() else self.root
        if train != self.root and (self.root / "val").is_dir():
            return self._split("train", self.train_transform), self._split("val", self.eval_transform)
        boxed = self._boxed(train, "train")
        rest, out = hold_out_share(len(boxed), self.val_fraction, seed=self.split_seed)
        return self._part(boxed, rest, self.train_transform), self._part(boxed, out, self.eval_transform)

    def _boxed(self, folder: Path, split: yolo.YoloSplit) -> "_Listed":
        found = box_truths.read(folder, labels=self._labels, with_masks=self.with_masks, split=split)
        return _Listed(found[1], with_masks=self.with_masks)

    def _all(self, folder: Path, transform: v2.Compose, split: yolo.YoloSplit) -> Dataset[Any]:
        boxed = self._boxed(folder, split)
        return self._part(boxed, range(len(boxed)), transform)

    def _part(self, boxed: "_Listed", indices: Sequence[int], transform: v2.Compose) -> Dataset[Any]:
        return BoxedPart(boxed, indices, transform, most=self.most)


class CocoInstancesDataModule(CocoBoxesDataModule):
    """Images and what is in them with its pixels, from COCO's `segmentation` or YOLO's outlines.

    Otherwise as `CocoBoxesDataModule`.
    """

    with_masks = True

    def _part(self, boxed: "_Listed", indices: Sequence[int], transform: v2.Compose) -> InstancePart:
        return InstancePart(boxed, indices, transform, most=self.most)


class _Listed:
    """(RGB image, (boxes, classes)) pairs of a data set; `with_masks`: (boxes, classes, masks)."""

    def __init__(self, truths: list[coco.BoxTruth], *, with_masks: bool = False) -> None:
        self.truths, self._with_masks = truths, with_masks

    def __len__(self) -> int:
        return len(self.truths)

    def __getitem__(self, index: int) -> tuple[Image.Image, tuple[NDArray[Any], ...]]:
        one = self.truths[index]
        image = as_stored(one.path)
        if not self._with_masks:
            return image, (one.boxes, one.labels)
        size = (image.height, image.width)
        for mask in one.masks:
            if mask.size != size:
                raise UsageError(f"{one.path} is {size[1]} x {size[0]}, and its masks {mask.size[1]} x {mask.size[0]}")
        masks = np.array([mask.mask() for mask in one.masks], bool).reshape(-1, *size)
        return image, (one.boxes, one.labels, masks)
