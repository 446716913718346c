"""Pictures with several handwritten digits each, made from scikit-learn's on a noisy canvas: real strokes, no download.

Their truth is known exactly: the class of each pixel, and the box of each digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from lit_infer.folder import coco
from lit_infer.folder.mask_folder import IMAGES, MASKS
from lit_infer.images import masks, rle
from lit_infer.tasks import image_segmentation, object_detection
from lit_trainer.data.base import HeldOut, ImageDataModule, to_tensor
from lit_trainer.data.boxed import BoxedPart
from lit_trainer.data.digits import LABELS, load, split
from lit_trainer.data.instanced import InstancePart
from lit_trainer.data.masked import MaskedPart

_SIDES = (0.33, 0.5)  # of a digit, as shares of the canvas
_MOST, _TRIES = 4, 20
_NOISE = 18.0  # grey levels
_STROKE = 100  # grey levels from which a digit's pixel belongs to it


@dataclass(frozen=True)
class Scene:
    """A picture and its truth."""

    image: NDArray[np.uint8]
    """RGB [height, width, 3]."""
    mask: NDArray[np.uint8]
    """[height, width]: 0 is the background, 1 + d the digit d."""
    boxes: tuple[tuple[int, int, int, int], ...]
    """left, top, right, bottom of each digit's strokes, in pixels."""
    digits: tuple[int, ...]


def scene(
    images: Sequence[NDArray[np.uint8]],
    classes: Sequence[int],
    *,
    size: int,
    seed: int,
    most: int = _MOST,
    noise: float = _NOISE,
) -> Scene:
    """A canvas of `size` x `size` with one to `most` of these digits, which do not overlap; the same for a seed.

    `noise`, the standard deviation of its grey levels, changes nothing else: without any it is what was to be seen.
    """
    generator = np.random.default_rng(seed)
    canvas = generator.normal(generator.uniform(20, 90), noise, (size, size, 3))
    mask = np.zeros((size, size), np.uint8)
    taken = np.zeros((size, size), bool)
    boxes, digits = [], []
    for _ in range(generator.integers(1, most + 1)):
        index = int(generator.integers(len(images)))
        side = round(size * generator.uniform(*_SIDES))
        digit = np.asarray(Image.fromarray(images[index]).resize((side, side), Image.Resampling.BICUBIC), np.float64)
        for _ in range(_TRIES):
            left, top = (int(at) for at in generator.integers(0, size - side, 2))
            here = slice(top, top + side), slice(left, left + side)
            if not taken[here].any():
                break
        else:
            continue
        taken[here] = True
        canvas[here] += digit[..., None] * generator.uniform(0.55, 0.8, 3)
        strokes = digit > _STROKE
        mask[here][strokes] = 1 + classes[index]
        rows, columns = np.flatnonzero(strokes.any(1)), np.flatnonzero(strokes.any(0))
        boxes.append((left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
        digits.append(int(classes[index]))
    pixels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return Scene(pixels, mask, tuple(tuple(map(int, box)) for box in boxes), tuple(digits))  # type: ignore[misc]


class Scenes:
    """Scenes made of some of the digits, by index."""

    def __init__(self, indices: Sequence[int], *, count: int, size: int, seed: int, most: int = _MOST) -> None:
        images, classes = load()
        self._images, self._classes = [images[index] for index in indices], [int(classes[index]) for index in indices]
        self._count, self._size, self._seed, self._most = count, size, seed, most

    def __len__(self) -> int:
        return self._count

    def scene(self, index: int, *, noise: float = _NOISE) -> Scene:
        """One of them."""
        return scene(
            self._images, self._classes, size=self._size, seed=self._seed + index, most=self._most, noise=noise
        )


class DigitMasksDataModule(ImageDataModule):
    """Scenes of handwritten digits and the class of each pixel: `background`, and the ten digits.

    Scenes of each split are made of that split's digits. `count`: how many there are to train on; a fifth of it
    validates, and a fifth tests.
    """

    usual_task = image_segmentation.TASK.name

    def __init__(
        self,
        batch_size: int = 8,
        image_size: int = 48,
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
        """The background and the digits."""
        return ("background", *LABELS)

    def setup(self, stage: str) -> None:
        """Make all scenes, whatever the stage: a second or two."""
        del stage
        train, val, test = (_Masked(part) for part in scenes(self.count, self.image_size, self.split_seed))
        self.train_set = MaskedPart(train, range(len(train)), self.train_transform)
        self.val_set = MaskedPart(val, range(len(val)), self.eval_transform)
        self.test_set = self.predict_set = MaskedPart(test, range(len(test)), self.eval_transform)


class DigitBoxesDataModule(ImageDataModule):
    """Scenes of handwritten digits and the box of each; otherwise as `DigitMasksDataModule`."""

    usual_task = object_detection.TASK.name

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
        """The digits."""
        return LABELS

    @property
    def answers(self) -> Mapping[str, Any]:
        """A focal loss leaves scores low: a box is wanted from 0.3 on."""
        return {"threshold": 0.3}

    def setup(self, stage: str) -> None:
        """Make all scenes, whatever the stage: a second or two."""
        del stage
        train, val, test = (_Boxed(part) for part in scenes(self.count, self.image_size, self.split_seed))
        self.train_set = BoxedPart(train, range(len(train)), self.train_transform)
        self.val_set = BoxedPart(val, range(len(val)), self.eval_transform)
        self.test_set = self.predict_set = BoxedPart(test, range(len(test)), self.eval_transform)


class DigitInstancesDataModule(DigitBoxesDataModule):
    """Scenes of handwritten digits, and the box and the strokes of each; otherwise as `DigitBoxesDataModule`."""

    def setup(self, stage: str) -> None:
        """Make all scenes, whatever the stage: a second or two."""
        del stage
        train, val, test = (_Instances(part) for part in scenes(self.count, self.image_size, self.split_seed))
        self.train_set = InstancePart(train, range(len(train)), self.train_transform)
        self.val_set = InstancePart(val, range(len(val)), self.eval_transform)
        self.test_set = self.predict_set = InstancePart(test, range(len(test)), self.eval_transform)


class _Boxed:
    """(PIL image, (boxes, classes)) pairs."""

    def __init__(self, scenes: Scenes) -> None:
        self._made = [scenes.scene(index) for index in range(len(scenes))]

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> tuple[Image.Image, tuple[NDArray[Any], NDArray[Any]]]:
        one = self._made[index]
        return Image.fromarray(one.image), (np.array(one.boxes, np.float32), np.array(one.digits, np.int64))


class _Instances(_Boxed):
    """(PIL image, (boxes, classes, masks)) pairs."""

    def __getitem__(self, index: int) -> Any:
        image, (boxes, classes) = super().__getitem__(index)
        strokes = self._made[index].mask > 0
        masks = np.zeros((len(boxes), *strokes.shape), bool)
        for mask, (left, top, right, bottom) in zip(masks, self._made[index].boxes, strict=True):
            mask[top:bottom, left:right] = strokes[top:bottom, left:right]  # no other digit is in its box
        return image, (boxes, classes, masks)


class _Masked:
    """(PIL image, mask) pairs."""

    def __init__(self, scenes: Scenes) -> None:
        self._made = [scenes.scene(index) for index in range(len(scenes))]

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, index: int) -> tuple[Image.Image, NDArray[Any]]:
        return Image.fromarray(self._made[index].image), self._made[index].mask


def scenes(count: int, size: int, seed: int, *, most: int = _MOST) -> tuple[Scenes, Scenes, Scenes]:
    """Those to train on, to validate and to test, each of digits that the others do not have."""
    parts, held = split(load()[1], seed=seed), max(1, count // 5)
    train, val, test = (
        Scenes(part, count=many, size=size, seed=start, most=most)
        for part, many, start in zip(parts, (count, held, held), (0, 1_000_000, 2_000_000), strict=True)
    )
    return train, val, test


def write_test_scenes(folder: Path, *, count: int = 20, size: int = 48, seed: int = 0) -> list[Path]:
    """Write held-out scenes: `images/0007.png`, `masks/0007.png`, and `annotations.json` of boxes with a mask each."""
    written = []
    boxes: list[dict[str, Any]] = []
    made = scenes(5 * count, size, seed)[2]
    for name in (IMAGES, MASKS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        one, path = made.scene(index), folder / IMAGES / f"{index:04d}.png"
        Image.fromarray(one.image).save(path)
        (folder / MASKS / path.name).write_bytes(masks.png(one.mask))
        written.append(path)
        boxes.append({"path": path.name, "width": size, "height": size, "error": None, "boxes": _as_found(one)})
    coco.write(boxes, folder / coco.NAMES[0], labels=LABELS)
    return written


def _as_found(one: Scene) -> list[dict[str, Any]]:
    """The truth as a model that is always right would have it: boxes, and their masks."""
    return [
        {"label": LABELS[digit], "index": digit, "score": 1.0, "box": list(box), **_as_runs(one, box)}
        for box, digit in zip(one.boxes, one.digits, strict=True)
    ]


def _as_runs(one: Scene, box: tuple[int, int, int, int]) -> dict[str, Any]:
    """The strokes in a box, which no other digit is in."""
    left, top, right, bottom = box
    found = rle.of_part(one.mask[top:bottom, left:right] > 0, (top, left), one.mask.shape)
    return {"area": found.area, "segmentation": {"size": list(found.size), "counts": found.counts}}
