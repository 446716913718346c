"""Pictures of one handwritten digit somewhere on a noisy canvas, and the corners and the centre of its strokes."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from lit_infer.folder import metadata
from lit_infer.tasks import keypoint_detection
from lit_trainer.data.base import HeldOut, ImageDataModule, to_tensor
from lit_trainer.data.pointed import PointedPart
from lit_trainer.data.scenes import Scene, Scenes, scenes

NAMES = ("top left", "top right", "bottom right", "bottom left", "centre")
SKELETON = ((0, 1), (1, 2), (2, 3), (3, 0), (0, 4), (2, 4))


def points_of(one: Scene) -> NDArray[np.float32]:
    """`NAMES` of the first digit, float32 [5, 2], in pixels."""
    left, top, right, bottom = one.boxes[0]
    middle = ((left + right) / 2, (top + bottom) / 2)
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom), middle], np.float32)


class DigitPointsDataModule(ImageDataModule):
    """Scenes of one handwritten digit each, with five points.

    Scenes of each split are made of that split's digits. `count`: how many there are to train on; a fifth of it
    validates, and a fifth tests.
    """

    usual_task = keypoint_detection.TASK.name

    def __init__(
        self,
        batch_size: int = 8,
        image_size: int = 64,
        count: int = 640,
        split_seed: int = 0,
        num_workers: int = 0,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        self.image_size, self.count, self.split_seed = image_size, count, split_seed
        size = [image_size, image_size]
        self.eval_transform = self.train_transform = v2.Compose([v2.Resize(size), *to_tensor([0.3] * 3, [0.25] * 3)])

    @property
    def labels(self) -> tuple[str, ...]:
        """The points."""
        return NAMES

    @property
    def answers(self) -> Mapping[str, Any]:
        """The outline is drawn."""
        return {"skeleton": [list(edge) for edge in SKELETON]}

    def setup(self, stage: str) -> None:
        """Make all scenes, whatever the stage: a second or two."""
        del stage
        train, val, test = (_Pointed(part) for part in scenes(self.count, self.image_size, self.split_seed, most=1))
        self.train_set = PointedPart(train, range(len(train)), self.train_transform)
        self.val_set = PointedPart(val, range(len(val)), self.eval_transform)
        self.test_set = self.predict_set = PointedPart(test, range(len(test)), self.eval_transform)


class _Pointed:
    """(PIL image, (points, scale)) pairs; the scale is that of the digit's box."""

    def __init__(self, scenes: Scenes) -> None:
        self._made = [scenes.scene(index) for index in range(len(scenes))]

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> tuple[Image.Image, tuple[NDArray[np.float32], float]]:
        one = self._made[index]
        left, top, right, bottom = one.boxes[0]
        return Image.fromarray(one.image), (points_of(one), float(max(right - left, bottom - top)))


def write_test_points(folder: Path, *, count: int = 20, size: int = 64, seed: int = 0) -> list[Path]:
    """Write held-out scenes of one digit and a table of their points: `0007.png`, `metadata.csv`."""
    made, written = scenes(5 * count, size, seed, most=1)[2], []
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / metadata.TABLES[0]).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([metadata.FILE_NAME, *(f"{name}_{axis}" for name in NAMES for axis in "xy")])
        for index in range(count):
            one, path = made.scene(index), folder / f"{index:04d}.png"
            Image.fromarray(one.image).save(path)
            table.writerow([path.name, *points_of(one).ravel().tolist()])
            written.append(path)
    return written
