"""Your own images with a table beside them: any number of labels, or values, for each.

    root/train/metadata.csv       root/metadata.csv
    root/train/1.jpg              root/1.jpg
    root/val/metadata.csv   or    root/2.jpg             of which a part is held out
    root/test/metadata.csv

The table has the column `file_name` and one for each label (0 or 1) or value; `metadata.jsonl` serves as well.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import NotFoundError
from lit_infer.folder import metadata
from lit_trainer.data.base import HeldOut, ImageDataModule, Part, as_stored, hold_out_share, to_tensor
from lit_trainer.data.image_folder import MEAN, STD


class ImageTableDataModule(ImageDataModule):
    """Images and the numbers that a table has for each, float32 [batch, n].

    `names`: the columns that are learnt, in this order; all of them if not given. `answers`: how answers are read when
    the model is deployed, such as `{units: [years]}`. `resize`: length of the shorter side, of which the central
    `image_size` square is cut. Without `root/val`, `val_fraction` of the images validates.
    """

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str,
        *,
        names: list[str] | None = None,
        answers: dict[str, Any] | None = None,
        image_size: int = 224,
        resize: int = 256,
        batch_size: int = 32,
        num_workers: int | None = None,
        val_fraction: float = 0.2,
        split_seed: int = 0,
        mean: tuple[float, float, float] = MEAN,
        std: tuple[float, float, float] = STD,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.root, self.names, self._answers = Path(root), names, answers or {}
        self.val_fraction, self.split_seed = val_fraction, split_seed
        tail = to_tensor(mean, std)
        self.eval_transform = v2.Compose([v2.Resize(resize), v2.CenterCrop(image_size), *tail])
        self.train_transform = v2.Compose([v2.RandomResizedCrop(image_size), v2.RandomHorizontalFlip(), *tail])

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns that are learnt."""
        return tuple(self.names or metadata.columns(metadata.table_of(self._train_root)))

    @property
    def answers(self) -> Mapping[str, Any]:
        """As given."""
        return self._answers

    def setup(self, stage: str) -> None:
        """Read the tables that the stage needs."""
        if self.needs("train", stage) or self.needs("val", stage):
            self.train_set, self.val_set = self._train_and_val()
        if self.needs("test", stage) or self.needs("predict", stage):
            self.test_set = self.predict_set = self._part(self._listed(self._split("test")), self.eval_transform)

    def _train_and_val(self) -> tuple[Part, Part]:
        listed = self._listed(self._train_root)
        if self._train_root != self.root and (self.root / "val").is_dir():
            val = self._part(self._listed(self.root / "val"), self.eval_transform)
            return self._part(listed, self.train_transform), val
        train, val_indices = hold_out_share(len(listed), self.val_fraction, seed=self.split_seed)
        return Part(listed, train, self.train_transform), Part(listed, val_indices, self.eval_transform)

    @property
    def _train_root(self) -> Path:
        train = self.root / "train"
        return train if train.is_dir() else self.root

    def _split(self, name: HeldOut) -> Path:
        if not (self.root / name).is_dir():
            raise NotFoundError(
                f"no {self.root / name}/ beside {self.root / 'train'}/. "
                "Make it, or test on what validates: --data.test_on '[val]'"
            )
        return self.root / name

    def _listed(self, folder: Path) -> "_Listed":
        return _Listed(list(metadata.read(metadata.table_of(folder), names=self.labels)))

    def _part(self, listed: "_Listed", transform: v2.Compose) -> Part:
        return Part(listed, range(len(listed)), transform)


class _Listed:
    """(RGB image, numbers) pairs of a table."""

    def __init__(self, rows: list[tuple[Path, tuple[float, ...]]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Image.Image, tuple[float, ...]]:
        path, numbers = self.rows[index]
        return as_stored(path), numbers
