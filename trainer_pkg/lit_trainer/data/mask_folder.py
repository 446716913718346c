"""Your own images with a mask of each.

    root/train/images/a.jpg   root/images/a.jpg
    root/train/masks/a.png    root/masks/a.png
    root/val/images/b.jpg     …               of which a part is held out
    root/val/masks/b.png

A mask is a grey or palette PNG whose values are class indices; 255 is a pixel that nobody labelled.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from lit_infer.folder.mask_folder import MaskFolder, sizes_match
from lit_infer.tasks import image_segmentation
from lit_trainer.data.base import HeldOut, as_stored, to_tensor
from lit_trainer.data.folder_splits import FolderSplits, Pairs
from lit_trainer.data.image_folder import MEAN, STD
from lit_trainer.data.masked import MaskedPart


class MaskFolderDataModule(FolderSplits):
    """Images and the class of each pixel. `labels`: the classes' names, in the order of their indices.

    Images are resized to `image_size`, (height, width); in training a part of them is cut out, and flipped half of the
    time. Without `root/val`, `val_fraction` of the images validates.
    """

    usual_task = image_segmentation.TASK.name

    holds = "images/ and masks/"

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str,
        labels: list[str],
        *,
        image_size: tuple[int, int] = (256, 256),
        flip: bool = True,
        batch_size: int = 8,
        num_workers: int | None = None,
        val_fraction: float = 0.2,
        split_seed: int = 0,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self._labels = Path(root), tuple(labels)
        self.val_fraction, self.split_seed = val_fraction, split_seed
        size, tail = list(image_size), to_tensor(mean, std)
        self.eval_transform = v2.Compose([v2.Resize(size), *tail])
        varied = [v2.RandomResizedCrop(size, scale=(0.5, 1.0)), *([v2.RandomHorizontalFlip()] if flip else [])]
        self.train_transform = v2.Compose([*varied, *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """As given."""
        return self._labels

    def pairs(self, folder: Path) -> "_MaskPairs":
        """(RGB image, mask) pairs."""
        return _MaskPairs(MaskFolder.of(folder, classes=len(self._labels)))

    def part(self, pairs: Pairs, indices: Sequence[int], *, varied: bool) -> MaskedPart:
        """Cut and flipped to train on."""
        return MaskedPart(pairs, indices, self.train_transform if varied else self.eval_transform)


class _MaskPairs:
    """(RGB image, mask) pairs of a folder."""

    def __init__(self, folder: MaskFolder) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return len(self.folder.pairs)

    def __getitem__(self, index: int) -> tuple[Image.Image, NDArray[Any]]:
        path = self.folder.pairs[index][0]
        image = as_stored(path)
        mask = self.folder.mask(index)
        sizes_match(mask, image.size, path)
        return image, mask
