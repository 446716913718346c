"""Handwritten digits of one kind to learn what is normal, and all others as anomalies: nothing to download."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.transforms import v2

from lit_infer.errors import UsageError
from lit_infer.tasks import anomaly_detection
from lit_infer.tasks.anomaly_detection import GOOD
from lit_trainer.data.base import HeldOut, ImageDataModule, Part, to_tensor
from lit_trainer.data.digits import LABELS, load, split

NORMAL = 8


class DigitAnomaliesDataModule(ImageDataModule):
    """Images and 1 for an anomaly, 0 for the digit `normal`; the splits of `DigitsDataModule`.

    There is nothing but normal digits to train on; what validates and tests has all digits.
    """

    usual_task = anomaly_detection.TASK.name

    def __init__(
        self,
        batch_size: int = 32,
        image_size: int = 16,
        normal: int = NORMAL,
        split_seed: int = 0,
        num_workers: int = 0,
        test_on: Sequence[HeldOut] = ("test",),
    ) -> None:
        super().__init__(batch_size=batch_size, num_workers=num_workers, test_on=test_on)
        if not 0 <= normal < len(LABELS):
            raise UsageError(f"normal {normal} is none of the digits 0 to 9")
        self.normal, self.split_seed = normal, split_seed
        transform = v2.Compose([v2.Resize([image_size, image_size]), *to_tensor([0.3], [0.35])])
        self.eval_transform = self.train_transform = transform

    @property
    def labels(self) -> tuple[str, ...]:
        """None: there are scores."""
        return ()

    def setup(self, stage: str) -> None:
        """Make the splits, whatever the stage."""
        del stage
        images, classes = load()
        digits: Any = [
            (Image.fromarray(image), int(digit != self.normal)) for image, digit in zip(images, classes, strict=True)
        ]
        train, val, test = split(classes, seed=self.split_seed)
        self.train_set = Part(digits, [index for index in train if digits[index][1] == 0], self.train_transform)
        is_anomaly = [known for _, known in digits]
        self.val_set = Part(digits, _mixed(val, is_anomaly), self.eval_transform)
        self.test_set = self.predict_set = Part(digits, _mixed(test, is_anomaly), self.eval_transform)


def _mixed(indices: Sequence[int], is_anomaly: Sequence[int]) -> list[int]:
    """Both kinds in every batch, as evenly as can be: of one kind alone no metric says anything."""
    places = []
    for kind in (0, 1):
        of_kind = [index for index in indices if is_anomaly[index] == kind]
        places += [((rank + 0.5) / len(of_kind), index) for rank, index in enumerate(of_kind)]
    return [index for _, index in sorted(places)]


def write_digit_anomalies(folder: Path, *, normal: int = NORMAL, split_seed: int = 0) -> list[Path]:
    """Write the held-out digits as MVTec's data sets are laid out: `good/0042.png`, `3/0007.png`."""
    images, classes = load()
    written = []
    for index in split(classes, seed=split_seed)[2]:
        name = GOOD if classes[index] == normal else LABELS[classes[index]]
        path = folder / name / f"{index:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).save(path)
        written.append(path)
    return written
