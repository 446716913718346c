"""Your own images with a target of each: what should be made of it.

root/train/inputs/a.jpg    root/inputs/a.jpg
root/train/targets/a.png   root/targets/a.png
root/val/inputs/b.jpg      …                  of which a part is held out
root/val/targets/b.png
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from lit_infer.errors import UsageError
from lit_infer.folder.picture_folder import PictureFolder
from lit_infer.tasks import image_to_image
from lit_trainer.data.base import HeldOut, as_stored
from lit_trainer.data.folder_splits import FolderSplits, Pairs
from lit_trainer.data.noisy_digits import from_0_to_1
from lit_trainer.data.pictured import PicturedPart


class PictureFolderDataModule(FolderSplits):
    """Images and targets, resized to `image_size`, (height, width), from 0 to 1; to train, half of them flipped."""

    usual_task = image_to_image.TASK.name

    holds = "inputs/ and targets/"

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str,
        *,
        image_size: tuple[int, int] = (256, 256),
        flip: bool = True,
        batch_size: int = 8,
        num_workers: int | None = None,
        val_fraction: float = 0.2,
        split_seed: int = 0,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self.flip = Path(root), flip
        self.val_fraction, self.split_seed = val_fraction, split_seed
        self.eval_transform = self.train_transform = from_0_to_1(*image_size)

    @property
    def labels(self) -> tuple[str, ...]:
        """None: pictures have no classes."""
        return ()

    def pairs(self, folder: Path) -> "_PicturePairs":
        """(RGB image, target) pairs."""
        return _PicturePairs(PictureFolder.of(folder))

    def part(self, pairs: Pairs, indices: Sequence[int], *, varied: bool) -> PicturedPart:
        """Flipped to train on, where that was asked for."""
        return PicturedPart(pairs, indices, self.eval_transform, flip=varied and self.flip)


class _PicturePairs:
    """(RGB image, target) pairs of a folder."""

    def __init__(self, folder: PictureFolder) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return len(self.folder.pairs)

    def __getitem__(self, index: int) -> tuple[Image.Image, NDArray[Any]]:
        path, other = self.folder.pairs[index]
        image = as_stored(path)
        target = self.folder.target(index)
        if target.dtype != "uint8":
            raise UsageError(f"{other} has {target.dtype} values, and targets to train on have 8 bits")
        return image, target
