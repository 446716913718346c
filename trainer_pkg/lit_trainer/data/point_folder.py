"""Your own images with points: a table beside them, or COCO's JSON of keypoints.

    root/train/metadata.csv       root/metadata.csv      or annotations.json
    root/train/a.jpg              root/a.jpg
    root/val/metadata.csv         …                      of which a part is held out

The table has the columns `file_name`, `nose_x`, `nose_y`, … in pixels; an empty cell is a point that nobody marked.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import NotFoundError
from lit_infer.folder import point_truths
from lit_infer.folder.point_truths import PointTruth, TrueFolder
from lit_infer.tasks import keypoint_detection
from lit_trainer.data.base import HeldOut, ImageDataModule, as_stored, hold_out_share, to_tensor
from lit_trainer.data.image_folder import MEAN, STD
from lit_trainer.data.pointed import PointedPart


class PointFolderDataModule(ImageDataModule):
    """Images and the points of one thing in each.

    `names`: the points that are learnt, in this order; all of them if not given. Images are resized to `image_size`,
    (height, width). Without `root/val`, `val_fraction` of the images validates. `answers`: how answers are read when
    the model is deployed, such as `{skeleton: [[nose, chin]]}`; else the skeleton is the data set's own.
    """

    usual_task = keypoint_detection.TASK.name

    def __init__(  # noqa: PLR0913 - each is an option of the configuration
        self,
        root: str,
        *,
        names: list[str] | None = None,
        image_size: tuple[int, int] = (256, 256),
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
        self.root, self._names, self._answers = Path(root), names, answers or {}
        self.val_fraction, self.split_seed = val_fraction, split_seed
        self.eval_transform = v2.Compose([v2.Resize(list(image_size)), *to_tensor(mean, std)])
        self.train_transform = self.eval_transform
        self._known: TrueFolder | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The points that are learnt."""
        return self._training().names

    @property
    def answers(self) -> Mapping[str, Any]:
        """As given, and the data set's skeleton."""
        skeleton = [list(edge) for edge in self._training().skeleton]
        return {**({"skeleton": skeleton} if skeleton else {}), **self._answers}

    def setup(self, stage: str) -> None:
        """Read the points that the stage needs."""
        if self.needs("train", stage) or self.needs("val", stage):
            self.train_set, self.val_set = self._train_and_val()
        if self.needs("test", stage) or self.needs("predict", stage):
            if not (self.root / "test").is_dir():
                raise NotFoundError(
                    f"no {self.root / 'test'}/ with images and their points. Make it, or test on what validates: "
                    "--data.test_on '[val]'"
                )
            self.test_set = self.predict_set = self._all(self.root / "test", self.eval_transform)

    def _training(self) -> TrueFolder:
        """What is learnt from, read once."""
        if self._known is None:
            train = self.root / "train" if (self.root / "train").is_dir() else self.root
            self._known = point_truths.read(train, labels=self._names)
        return self._known

    def _train_and_val(self) -> tuple[PointedPart, PointedPart]:
        truths = self._training().truths
        if (self.root / "train").is_dir() and (self.root / "val").is_dir():
            val = self._all(self.root / "val", self.eval_transform)
            return PointedPart(_Listed(truths), range(len(truths)), self.train_transform), val
        rest, out = hold_out_share(len(truths), self.val_fraction, seed=self.split_seed)
        listed = _Listed(truths)
        return PointedPart(listed, rest, self.train_transform), PointedPart(listed, out, self.eval_transform)

    def _all(self, folder: Path, transform: v2.Compose) -> PointedPart:
        truths = point_truths.read(folder, labels=self.labels).truths
        return PointedPart(_Listed(truths), range(len(truths)), transform)


class _Listed:
    """(RGB image, (points, scale)) pairs of a data set."""

    def __init__(self, truths: list[PointTruth]) -> None:
        self.truths = truths

    def __len__(self) -> int:
        return len(self.truths)

    def __getitem__(self, index: int) -> tuple[Image.Image, tuple[NDArray[Any], float]]:
        one = self.truths[index]
        image = as_stored(one.path)
        return image, (one.points, one.scale)
