"""Boxes and masks in YOLO's text files: one for each image, a line for each thing.

    root/data.yaml            names: [cat, dog], perhaps train: and val:   (or classes.txt, a name on each line)
    root/images/val/a.jpg
    root/labels/val/a.txt     class, centre x, centre y, width, height; or class and the corners x, y of its outline

All are shares of the image's sides. A label file lies where its image does, in `labels/` for the last `images/` of the
path; an image without one shows nothing. As Ultralytics reads it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import InputError, NotFoundError, UsageError, require
from lit_infer.folder.coco import BoxTruth
from lit_infer.folder.coco_masks import filled
from lit_infer.folder.listing import list_images
from lit_infer.images import rle
from lit_infer.images.header import open_header
from lit_infer.images.limits import DEFAULT_LIMITS

YoloSplit = Literal["train", "val", "test"]
TABLES = ("data.yaml", "data.yml", "dataset.yaml")
NAMES = "classes.txt"
_IMAGES, _LABELS = "images", "labels"
_BYTES = 2**24
"""Of the largest file that is read."""
_EXIF_ORIENTATION = 0x0112
_DIGITS = 64
"""Of the longest number."""
_BEYOND = 1e-3
"""How far a share may be above 1, by rounding."""


@dataclass(frozen=True)
class YoloFolder:
    """What a folder says of its data set."""

    root: Path
    names: tuple[str, ...]
    """By the numbers of classes."""
    names_in: Path
    table: Mapping[str, Any]
    """Of the folder's own `data.yaml`; empty without one."""
    is_pose: bool = False
    """Whether points follow the box on a line."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that `data.yaml` names."""
        return tuple(name for name in ("train", "val", "test") if self.table.get(name))


def is_there(folder: Path) -> bool:
    """Whether a folder is laid out so."""
    return _table(folder) is not None or ((folder / _IMAGES).is_dir() and (folder / _LABELS).is_dir())


def read(
    folder: Path, *, labels: Sequence[str] | None, with_masks: bool = False, split: YoloSplit = "val"
) -> tuple[tuple[str, ...], list[BoxTruth]]:
    """The classes' names and the images with what is in them, in the order of their paths.

    `labels`: the model's, by which classes are numbered; None: as the data set numbers them. `split`: which images,
    where `data.yaml` names some of several splits; else all in `images/`. Raises NotFoundError, and UsageError for a
    line that is damaged.
    """
    found = data_set(folder)
    names = found.names if labels is None else tuple(labels)
    for name in found.names:
        if name not in names:
            raise UsageError(f"{found.names_in}: {name} is not a class of the model, which has {', '.join(names[:8])}")
    index = [names.index(name) for name in found.names]
    folders = _folders(found, split)
    files = {image: _label_file(image, found.root) for image in list_images(folders)}
    _check_files(files)
    return names, [_truth(image, file, index, found, with_masks=with_masks) for image, file in files.items()]


def data_set(folder: Path) -> YoloFolder:
    """The classes of a folder, which it says itself, or the one above it. Raises NotFoundError and UsageError."""
    for root in (folder, folder.absolute().parent):
        if (path := _table(root)) is not None:
            table = _yaml(path)
            own = table if root == folder else {}
            return YoloFolder(folder, _names_of(table, path), path, own, is_pose="kpt_shape" in table)
        for path in (root / NAMES, root / _LABELS / NAMES):
            if path.is_file():
                return YoloFolder(folder, _listed(path), path, {})
    raise NotFoundError(
        f"which classes the numbers in {_LABELS}/ are is not known: expected {TABLES[0]} with names, or "
        f"{NAMES} with one on each line, in {folder}"
    )


def splits(folder: Path) -> tuple[str, ...]:
    """Those that a folder's `data.yaml` names; none without one."""
    return () if _table(folder) is None else data_set(folder).splits


def _table(folder: Path) -> Path | None:
    return next((path for name in TABLES if (path := folder / name).is_file()), None)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _BYTES:
            raise UsageError(f"{path} has more than {_BYTES:,} bytes, too many for a list of what is in an image")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def _yaml(path: Path) -> dict[str, Any]:
    yaml = require("yaml", extra="export", purpose=f"Reading {path.name}")
    try:
        found: Any = yaml.safe_load(_text(path))
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: expected names, and perhaps train and val, as YOLO's data sets have them")
    return found


def _names_of(table: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    names = table.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise UsageError(f"{path}: names must be numbered 0, 1, 2, …; they are {', '.join(map(str, names))[:60]}")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise UsageError(f"{path}: expected names, a list of the classes")
    if table.get("nc", len(names)) != len(names):
        raise UsageError(f"{path}: nc is {table['nc']}, and there are {len(names)} names")
    return tuple(map(str, names))


def _listed(path: Path) -> tuple[str, ...]:
    names = tuple(line.strip() for line in _text(path).splitlines() if line.strip())
    if not names:
        raise UsageError(f"{path} has no names of classes")
    return names


def _folders(found: YoloFolder, split: YoloSplit) -> list[Path]:
    """Where the images of a split are."""
    if not found.splits:
        folder = found.root / _IMAGES
        if not folder.is_dir():
            raise NotFoundError(
                f"expected {_IMAGES}/ and {_LABELS}/ in {found.root}, or {TABLES[0]} with train and val"
            )
        return [folder]
    if split not in found.splits:
        raise NotFoundError(f"{found.names_in} names no {split}; it has {', '.join(found.splits)}")
    given = found.table[split]
    return [_folder(found, str(one), split) for one in (given if isinstance(given, list) else [given])]


def _folder(found: YoloFolder, named: str, split: str) -> Path:
    base = found.root / str(found.table.get("path") or "")
    tried = [base / named, found.root / named, found.root / named.removeprefix("../")]  # as Roboflow writes it
    for path in tried:
        if path.is_dir():
            return path
    if any(path.is_file() for path in tried):
        raise UsageError(f"{found.names_in}: {split}: {named} is a file; expected a folder of images")
    raise NotFoundError(f"{found.names_in}: {split}: there is no folder {tried[0]}")


def _label_file(image: Path, root: Path) -> Path:
    """Beside the image, in `labels/` where its path has `images/`."""
    is_below = image.is_relative_to(root)
    parts = list((image.relative_to(root) if is_below else image).parts)
    if _IMAGES in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index(_IMAGES)] = _LABELS
    return (root if is_below else Path()).joinpath(*parts).with_suffix(".txt")


def _check_files(files: Mapping[Path, Path]) -> None:
    """Whether images and label files belong together: one that is elsewhere would be an image that shows nothing."""
    known = set(files.values())
    if len(known) < len(files):
        ((twice, _),) = Counter(files.values()).most_common(1)
        raise UsageError(f"{twice} belongs to more than one image: give each image a name of its own")
    there = {path for folder in {file.parent for file in known} for path in folder.glob("*.txt") if path.name != NAMES}
    if not there & known:
        image, file = next(iter(files.items()))
        raise NotFoundError(f"none of {len(files)} images has a label file; expected {file} for {image}, and so on")
    if stray := sorted(there - known):
        raise UsageError(f"{stray[0]} has no image of its name")


def _truth(image: Path, file: Path, index: Sequence[int], found: YoloFolder, *, with_masks: bool) -> BoxTruth:
    things = _things(file, len(index), is_pose=found.is_pose) if file.is_file() else []
    width, height = _size(image)
    boxes, masks = [], []
    for number, _, values in things:
        if with_masks:
            if len(values) == len(_BOX):
                raise UsageError(f"{file}, line {number}: a box; masks need the corners of the outline")
            masks.append(rle.of_mask(filled(values.reshape(-1, 2) * (width, height), (height, width))))
        boxes.append(_corners(values) * (width, height, width, height))
    return BoxTruth(
        image,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([index[one] for _, one, _ in things], np.int64),
        tuple(masks),
    )


_BOX = ("centre x", "centre y", "width", "height")


def _corners(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Left, top, right, bottom, none of them beyond the image."""
    if len(values) == len(_BOX):
        low, high = values[:2] - values[2:] / 2, values[:2] + values[2:] / 2
    else:
        points = values.reshape(-1, 2)
        low, high = points.min(0), points.max(0)
    return np.clip(np.concatenate((low, high)), 0, 1)


def _things(file: Path, classes: int, *, is_pose: bool) -> list[tuple[int, int, NDArray[np.float64]]]:
    """The number of each line that is not empty, its class and its shares: of a box, or of an outline."""
    found = []
    for number, line in enumerate(_text(file).splitlines(), start=1):
        if cells := line.split():
            try:
                found.append((number, *_thing(cells, classes, is_pose=is_pose)))
            except ValueError as error:
                raise UsageError(f"{file}, line {number}: {error}") from None
    return found


def _thing(cells: Sequence[str], classes: int, *, is_pose: bool) -> tuple[int, NDArray[np.float64]]:
    """A class and its shares. Raises ValueError."""
    count = len(cells)
    if count < 5 or (count != 5 and not is_pose and (count < 7 or count % 2 == 0)):
        what = f"{count} numbers, expected a class and {', '.join(_BOX)}, or the x and y of three corners or more"
        raise ValueError(f"{what}. A sixth one is a score: these are predictions" if count == 6 else what)
    values = np.array([_number(cell) for cell in (cells[:5] if is_pose else cells)], np.float64)
    if values[0] != int(values[0]) or not 0 <= values[0] < classes:
        raise ValueError(f"class {cells[0]}; there are {classes}, from 0 to {classes - 1}")
    shares = values[1:]
    if (shares < 0).any() or (shares > 1 + _BEYOND).any():
        raise ValueError("a number beyond 0 and 1: positions are shares of the image's sides, not pixels")
    if len(shares) == len(_BOX) and not (shares[2:] > 0).all():
        raise ValueError("a box without a width or a height")
    return int(values[0]), shares


def _number(cell: str) -> float:
    try:
        value = float(cell) if len(cell) <= _DIGITS else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{cell[:40]} is no number")
    return value


def _size(path: Path) -> tuple[int, int]:
    """Width and height of an image, of which only the beginning is decoded."""
    try:
        with open_header(path.read_bytes(), DEFAULT_LIMITS) as image:
            if image.getexif().get(_EXIF_ORIENTATION, 1) != 1:
                raise UsageError(f"{path} has an EXIF orientation, and shares could be of either side: save it upright")
            return image.width, image.height
    except (OSError, InputError) as error:
        raise UsageError(f"{path}: {error}") from None
