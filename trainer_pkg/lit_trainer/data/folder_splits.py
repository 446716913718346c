"""The splits of a folder whose images have a file of their own each, such as a mask: `root/train`, `root/val`, …"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor
from torch.utils.data import Dataset

from lit_infer.errors import NotFoundError
from lit_trainer.data.base import ImageDataModule, hold_out_share


class Pairs(Protocol):
    """What a folder holds, by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class FolderSplits(ImageDataModule):
    """A subclass says how a folder is read, and how a part of it is prepared.

    Without `root/val`, `val_fraction` of the images in `root/train`, or of those in `root`, validates.
    """

    root: Path
    val_fraction: float
    split_seed: int
    holds: str
    """What is in a folder, in words: `images/ and masks/`."""

    def pairs(self, folder: Path) -> Pairs:
        """What a folder holds."""
        raise NotImplementedError

    def part(self, pairs: Pairs, indices: Sequence[int], *, varied: bool) -> Dataset[tuple[Tensor, Tensor]]:
        """Some of it, prepared. `varied`: to train on."""
        raise NotImplementedError

    def setup(self, stage: str) -> None:
        """List the files that the stage needs."""
        if self.needs("train", stage) or self.needs("val", stage):
            self.train_set, self.val_set = self._train_and_val()
        if self.needs("test", stage) or self.needs("predict", stage):
            if not (self.root / "test").is_dir():
                raise NotFoundError(
                    f"no {self.root / 'test'}/ with {self.holds}. Make it, or test on what validates: "
                    "--data.test_on '[val]'"
                )
            self.test_set = self.predict_set = self._whole(self.root / "test", varied=False)

    def _train_and_val(self) -> tuple[Dataset[tuple[Tensor, Tensor]], Dataset[tuple[Tensor, Tensor]]]:
        train = self.root / "train" if (self.root / "train").is_dir() else self.root
        if train != self.root and (self.root / "val").is_dir():
            return self._whole(train, varied=True), self._whole(self.root / "val", varied=False)
        pairs = self.pairs(train)
        rest, out = hold_out_share(len(pairs), self.val_fraction, seed=self.split_seed)
        return self.part(pairs, rest, varied=True), self.part(pairs, out, varied=False)

    def _whole(self, folder: Path, *, varied: bool) -> Dataset[tuple[Tensor, Tensor]]:
        pairs = self.pairs(folder)
        return self.part(pairs, range(len(pairs)), varied=varied)
