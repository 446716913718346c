"""Labelled images: those behind `--data`, and the truth of each.

Classes come from a folder with one sub-folder per class; masks and pictures from one beside that of the images;
boxes from COCO's JSON or YOLO's text files; points from COCO's JSON or a table; labels and values from a table beside
the images (`metadata.csv` or `metadata.jsonl`, as Hugging Face's ImageFolder reads it); all from a lit-train
configuration too.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_export import data
from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder import anomaly_folder, box_truths, list_images, metadata, point_truths
from lit_infer.folder.coco import BoxTruth
from lit_infer.folder.mask_folder import MaskFolder
from lit_infer.folder.picture_folder import PictureFolder
from lit_infer.images import SUFFIXES, ImageInput, rle
from lit_infer.rows.fields import Fields

_BOXES_CLASSES_MASKS = 3
"""Parts of what a data module of instances knows of an image."""
Labelled = Iterable[tuple[ImageInput, Any]]
"""Images and their truths, as the task defines them; can be iterated several times."""


@dataclass(frozen=True)
class Question:
    """The labelled images that are needed."""

    source: Path
    """A folder, or a lit-train configuration."""
    labels: Sequence[str] | None
    """The model's, in its order."""
    size: int
    """Numbers in a row of the model's answer."""
    option: str = "--data"
    """The option, for messages."""
    trust: Collection[str] = ()
    suffixes: frozenset[str] = SUFFIXES
    """Of the files that the model reads."""
    fields: Fields | None = None
    """What a row holds, for a task on rows."""
    target: tuple[str, ...] = ()
    """The columns that have the truth of a row."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """The facts of how answers are read."""

    def __str__(self) -> str:
        return f"{self.option} {self.source}"


def classes(question: Question) -> Labelled:
    """Images and the index of the class of each. Raises UsageError if that is not certain."""
    if data.is_configuration(question.source):
        return _of_configuration(question)
    if not question.source.is_dir():
        raise NotFoundError(f"{question}: expected a folder with one sub-folder per class, or a lit-train config.yaml")
    folders = sorted(path for path in question.source.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise UsageError(f"{question} has no sub-folders: expected one per class, named after it")
    indices = _indices([path.name for path in folders], question)
    return [
        (path, index)
        for folder, index in zip(folders, indices, strict=True)
        for path in list_images([folder], question.suffixes)
    ]


def values(question: Question) -> Labelled:
    """Images and a number for each of the model's labels, float [size]: 1 or 0 for a label that it has or not.

    From the columns of a table, by name; without names the columns in order. A cell that is not a number is an error.
    """
    if data.is_configuration(question.source):
        return _of_configuration(question)
    try:
        table = metadata.table_of(question.source)
    except NotFoundError as error:
        raise NotFoundError(f"{question}: {error}, or a lit-train config.yaml") from None
    return list(metadata.read(table, names=question.labels, size=question.size))


def masks(question: Question) -> Labelled:
    """Images and the mask of each, class indices [height, width], from `images/` and `masks/` below a folder."""
    if data.is_configuration(question.source):
        return _of_configuration(question)
    try:
        found = MaskFolder.of(question.source, classes=question.size or None, suffixes=question.suffixes)
    except (NotFoundError, UsageError) as error:
        raise type(error)(f"{question}: {error}") from None
    return _Masks(found)


def pictures(question: Question) -> Labelled:
    """Images and what should be made of each, [height, width, channels], from `inputs/` and `targets/`."""
    if data.is_configuration(question.source):
        return _of_configuration(question)
    try:
        found = PictureFolder.of(question.source, suffixes=question.suffixes)
    except (NotFoundError, UsageError) as error:
        raise type(error)(f"{question}: {error}") from None
    return _Pictures(found)


def anomalies(question: Question) -> Labelled:
    """Images and what is anomalous in each, `AnomalyTruth`, from MVTec's layout; from a configuration 0 or 1."""
    if data.is_configuration(question.source):
        return _of_configuration(question)
    try:
        return anomaly_folder.of(question.source, question.suffixes)
    except (NotFoundError, UsageError) as error:
        raise type(error)(f"{question}: {error}") from None


def boxes(question: Question) -> Labelled:
    """Images and what is in each: boxes float32 [n, 4] and classes int64 [n], from COCO's JSON or YOLO's text files."""
    if data.is_configuration(question.source):
        return _of_configuration(question)
    return [(one.path, (one.boxes, one.labels)) for one in _boxed(question)]


def instances(question: Question) -> Labelled:
    """Images and what is in each: masks (`Rle`) and classes int64 [n], from COCO's JSON with `segmentation`, or YOLO's
    text files with outlines."""
    if data.is_configuration(question.source):
        return _Instances(_of_configuration(question), str(question))
    return [(one.path, (one.masks, one.labels)) for one in _boxed(question, with_masks=True)]


def _boxed(question: Question, *, with_masks: bool = False) -> list[BoxTruth]:
    if question.labels is None and not question.size:
        raise UsageError(
            f"{question}: the model's classes have no names, so it is not certain which of them the file's are. Give "
            "labels, in the order of training (labels: in --spec FILE)"
        )
    try:
        return box_truths.read(question.source, labels=question.labels, with_masks=with_masks)[1]
    except (NotFoundError, UsageError) as error:
        raise type(error)(f"{question}: {error}") from None


def points(question: Question) -> Labelled:
    """Images and the points of each, float32 [k, 2], NaN where nobody marked one, with the longer side of the box of
    what they show, NaN if there is none: from a table or COCO's JSON beside the images.
    """
    if data.is_configuration(question.source):
        return _of_configuration(question)
    try:
        found = point_truths.read(question.source, labels=question.labels)
    except (NotFoundError, UsageError) as error:
        raise type(error)(f"{question}: {error}") from None
    return [(one.path, (one.points, one.scale)) for one in found.truths]


@dataclass(frozen=True)
class _Instances:
    """Those of a configuration, whose masks are arrays [n, height, width]."""

    items: Labelled
    option: str

    def __iter__(self) -> Iterator[tuple[ImageInput, Any]]:
        for image, known in self.items:
            if not isinstance(known, tuple) or len(known) != _BOXES_CLASSES_MASKS:
                raise UsageError(f"{self.option}: its images have no masks of instances")
            yield image, ([rle.of_mask(mask) for mask in known[2]], known[1])


@dataclass(frozen=True)
class _Masks:
    """Read one by one: all masks of a data set do not fit into memory."""

    folder: MaskFolder

    def __iter__(self) -> Iterator[tuple[ImageInput, Any]]:
        for index, (image, _) in enumerate(self.folder.pairs):
            yield image, self.folder.mask(index)


@dataclass(frozen=True)
class _Pictures:
    """Read one by one, as masks are."""

    folder: PictureFolder

    def __iter__(self) -> Iterator[tuple[ImageInput, Any]]:
        for index, (image, _) in enumerate(self.folder.pairs):
            yield image, self.folder.target(index)


def _of_configuration(question: Question) -> Labelled:
    found, labels = data.stored(question.source, "val", trust=question.trust), question.labels
    if labels is not None and tuple(labels) != found.labels:
        raise UsageError(
            f"{question}: its classes are not the model's, in the model's order: "
            f"{', '.join(found.labels[:5])} ... against {', '.join(labels[:5])} ..."
        )
    return found


def _indices(names: Sequence[str], question: Question) -> list[int]:
    """The class of each sub-folder."""
    labels = question.labels
    if labels is None:
        return _unnamed(names, question)
    for name in names:
        if labels.count(name) > 1:
            raise UsageError(f"{question}: {labels.count(name)} of the model's classes are called {name}")
        if name not in labels:
            nearest = ", ".join(difflib.get_close_matches(name, labels, n=3, cutoff=0.0))
            raise UsageError(f"{question}: {name}/ is not a class of the model; nearest: {nearest}")
    return [labels.index(name) for name in names]


def _unnamed(names: Sequence[str], question: Question) -> list[int]:
    """Classes without names: by number if the folders are numbers, else by the folders' order if all are there."""
    count = len(names)
    if all(name.isdecimal() for name in names):
        numbers = [int(name) for name in names]
        # torchvision numbers folders in the order of their names: 1, 10, 2. If that differs, labels are needed.
        if (numbers == list(range(count)) and question.size == count) or _same_either_way(names, question.size):
            return numbers
    elif question.size == count:
        return list(range(count))
    raise UsageError(
        f"{question}: the model's classes have no names, so it is not certain which classes the {count} folders are. "
        "Give labels, in the order of training (labels: in --spec FILE)"
    )


def _same_either_way(names: Sequence[str], classes: int) -> bool:
    """Whether the classes 0, 1, 2, ... are in the same order as names and as numbers, and these are some of them."""
    every = [str(number) for number in range(classes)]
    return every == sorted(every) and set(names) <= set(every)
