"""Data sets that torchvision downloads and reads: train and test files, of which part of train is held out."""

from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar

from lit_infer.errors import NotFoundError
from lit_trainer.data.base import ImageDataModule, Part, hold_out


class DownloadedDataModule(ImageDataModule):
    """A torchvision data set; a subclass says which one, where its files are, and which share validates."""

    dataset: ClassVar[Any]
    """A torchvision class that takes (root, train, download)."""
    files: ClassVar[str]
    """What it reads, below the root."""
    val_share: ClassVar[tuple[int, int]]
    """Images held out of how many, e.g. (5_000, 50_000)."""

    root: str
    download: bool
    split_seed: int

    def prepare_data(self) -> None:
        """Download, if asked to and not there yet. Lightning runs it in one process per machine."""
        if not self.download:
            return
        try:
            self.dataset(self.root, download=True)
        except (OSError, RuntimeError, HTTPException) as error:
            reason = str(error).strip().partition("\n")[0]
            raise NotFoundError(
                f"cannot download {self.dataset.__name__} to {self._folder}: {reason}\n"
                f"With no network, put {self.files} there yourself and leave out --data.download"
            ) from None

    def setup(self, stage: str) -> None:
        """Read the files that the stage needs; train and validation share one copy."""
        if self.needs("train", stage) or self.needs("val", stage):
            images = self._read(train=True)
            train, val = self.split(len(images))
            self.train_set = Part(images, train, self.train_transform)
            self.val_set = Part(images, val, self.eval_transform)
        if self.needs("test", stage) or self.needs("predict", stage):
            images = self._read(train=False)
            self.test_set = self.predict_set = Part(images, range(len(images)), self.eval_transform)

    def split(self, count: int) -> tuple[list[int], list[int]]:
        """Indices of train and validation; fewer images than the full set has keep its ratio."""
        held, whole = self.val_share
        return hold_out(count, round(count * held / whole), seed=self.split_seed)

    def _read(self, *, train: bool) -> Any:
        try:
            return self.dataset(self.root, train=train)
        except RuntimeError:  # torchvision raises it for files that are missing or have another checksum
            raise NotFoundError(
                f"no {self.dataset.__name__} in {self._folder} (looked for {self.files}, complete and unchanged). "
                "To download it: --data.download true"
            ) from None

    @property
    def _folder(self) -> Path:
        return Path(self.root).absolute()
