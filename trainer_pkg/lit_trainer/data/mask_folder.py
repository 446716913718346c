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

from lit_infer import images
from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_infer.folder.mask_folder import MaskFolder, sizes_match
from lit_infer.tasks import image_segmentation
from lit_trainer.data.base import HeldOut, ImageDataModule, hold_out, to_tensor
from lit_trainer.data.image_folder import MEAN, STD
from lit_trainer.data.masked import MaskedPart


class MaskFolderDataModule(ImageDataModule):
    """Images and the class of each pixel. `labels`: the classes' names, in the order of their indices.

    Images are resized to `image_size`, (height, width); in training a part of them is cut out, and flipped half of the
    time. Without `root/val`, `val_fraction` of the images validates.
    """

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

    def setup(self, stage: str) -> None:
        """List the files that the stage needs."""
        if self.needs("train", stage) or self.needs("val", stage):
            self.train_set, self.val_set = self._train_and_val()
        if self.needs("test", stage) or self.needs("predict", stage):
            if not (self.root / "test").is_dir():
                raise NotFoundError(
                    f"no {self.root / 'test'}/ with images/ and masks/. Make it, or test on what validates: "
                    "--data.test_on '[val]'"
                )
            self.test_set = self.predict_set = self._part(self._pairs(self.root / "test"), self.eval_transform)

    def _train_and_val(self) -> tuple[MaskedPart, MaskedPart]:
        train = self.root / "train" if (self.root / "train").is_dir() else self.root
        pairs = self._pairs(train)
        if train != self.root and (self.root / "val").is_dir():
            val = self._part(self._pairs(self.root / "val"), self.eval_transform)
            return self._part(pairs, self.train_transform), val
        held = round(self.val_fraction * len(pairs))
        if not 0 < held < len(pairs):
            raise UsageError(
                f"val_fraction {self.val_fraction:g} of {len(pairs)} images leaves nothing to train or check"
            )
        rest, out = hold_out(len(pairs), held, seed=self.split_seed)
        return MaskedPart(pairs, rest, self.train_transform), MaskedPart(pairs, out, self.eval_transform)

    def _pairs(self, folder: Path) -> "_Pairs":
        return _Pairs(MaskFolder.of(folder, classes=len(self._labels)))

    def _part(self, pairs: "_Pairs", transform: v2.Compose) -> MaskedPart:
        return MaskedPart(pairs, range(len(pairs)), transform)

    @property
    def _task(self) -> str:
        module = getattr(self.trainer, "lightning_module", None)
        return getattr(module, "deployment_task", image_segmentation.TASK.name)


class _Pairs:
    """(RGB image, mask) pairs of a folder."""

    def __init__(self, folder: MaskFolder) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return len(self.folder.pairs)

    def __getitem__(self, index: int) -> tuple[Image.Image, NDArray[Any]]:
        path = self.folder.pairs[index][0]
        try:
            # As torchvision's loader: RGB, its EXIF orientation ignored.
            image = Image.fromarray(images.prepare(path, steps=(), channels=3))
        except InputError as error:
            raise InputError(f"{path}: {error}", code=error.code) from None
        mask = self.folder.mask(index)
        sizes_match(mask, image.size, path)
        return image, mask
