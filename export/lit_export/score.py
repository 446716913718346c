"""Top-1 accuracy on labelled images: of the eager module, of each graph, and how far a graph may fall behind."""

import difflib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export import data
from lit_infer.errors import GateError, InputError, NotFoundError, UsageError
from lit_infer.folder import list_images
from lit_infer.hardware import DEFAULT_BATCH_SIZE
from lit_infer.images import ImageInput, Pixels
from lit_infer.predictor import Predictor

MAX_DROP = 0.005

Labelled = Iterable[tuple[ImageInput, int]]
"""Images and their classes; it can be gone through several times."""


def labelled_images(
    source: Path, labels: Sequence[str] | None, *, classes: int | None = None, trust: Collection[str] = ()
) -> Labelled:
    """The labelled images of a folder with one sub-folder per class, or of a lit-train configuration's validation.

    `labels` are the model's, `classes` their number where they have no names. Raises UsageError where it is not
    certain which class an image is of.
    """
    if data.is_configuration(source):
        return _of_configuration(data.stored(source, "val", trust=trust), labels, source)
    if not source.is_dir():
        raise NotFoundError(
            f"--data {source}: expected a folder with one sub-folder per class, or a lit-train config.yaml"
        )
    folders = sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise UsageError(f"--data {source} has no sub-folders: expected one per class, named after it")
    indices = _indices([path.name for path in folders], labels, classes, source)
    return [(path, index) for folder, index in zip(folders, indices, strict=True) for path in list_images([folder])]


def top1(predictor: Predictor, items: Labelled, *, batch_size: int = DEFAULT_BATCH_SIZE) -> float:
    """Share of images, 0 to 1, whose best class is theirs. Raises GateError for one that cannot be read."""
    truths: deque[int] = deque()

    def images() -> Iterator[ImageInput]:
        for image, truth in items:
            truths.append(truth)
            yield image

    right = count = 0
    for prediction in predictor.stream(_readable(images()), top_k=1, batch_size=batch_size):
        if prediction.error is not None:
            raise _unreadable(prediction.path or "an image", prediction.error)
        right += prediction.index == truths.popleft()
        count += 1
    return _share(right, count)


def eager_top1(
    module: Any, items: Labelled, *, prepare: Callable[[ImageInput], Pixels], batch_size: int = DEFAULT_BATCH_SIZE
) -> float:
    """As `top1`, of the eager module: uint8 [batch, height, width, channels] in, probabilities out, in eval mode.

    `prepare` is a predictor's, so that both see the same pixels.
    """
    import torch

    if any(part.training for part in module.modules()):
        raise GateError("the module is in training mode: its score would not be that of production")
    right = count = 0
    source = _readable(iter(items))
    while batch := list(islice(source, batch_size)):
        pixels = np.stack([_prepared(prepare, image) for image, _ in batch])
        with torch.no_grad():
            answers: NDArray[np.float32] = module(torch.from_numpy(pixels)).numpy()
        right += int((answers.argmax(-1) == [truth for _, truth in batch]).sum())
        count += len(batch)
    return _share(right, count)


def check_drop(graph: float, eager: float, *, max_drop: float = MAX_DROP) -> None:
    """Raise GateError where a graph's score is more than `max_drop` below the eager module's."""
    if not graph >= eager - max_drop - 1e-9:  # of the subtraction
        raise GateError(
            f"top-1 accuracy fell from {eager:.2%} (eager) to {graph:.2%}, by {(eager - graph) * 100:.2f} points; "
            f"{max_drop * 100:g} are allowed (--max-drop)"
        )


def _of_configuration(found: data.Stored, labels: Sequence[str] | None, source: Path) -> Labelled:
    if labels is not None and tuple(labels) != found.labels:
        raise UsageError(
            f"--data {source}: its classes are not the model's, in the model's order: "
            f"{', '.join(found.labels[:5])} ... against {', '.join(labels[:5])} ..."
        )
    return found


def _indices(names: Sequence[str], labels: Sequence[str] | None, classes: int | None, source: Path) -> list[int]:
    """The class that each sub-folder stands for."""
    if labels is None:
        return _unnamed(names, classes, source)
    for name in names:
        if labels.count(name) > 1:
            raise UsageError(f"--data {source}: {labels.count(name)} of the model's classes are called {name}")
        if name not in labels:
            nearest = ", ".join(difflib.get_close_matches(name, labels, n=3, cutoff=0.0))
            raise UsageError(f"--data {source}: {name}/ is not a class of the model; nearest: {nearest}")
    return [labels.index(name) for name in names]


def _unnamed(names: Sequence[str], classes: int | None, source: Path) -> list[int]:
    """Classes without names: by number where the folders are numbers, else by the folders' order if all are there."""
    count = len(names)
    if all(name.isdecimal() for name in names):
        numbers = [int(name) for name in names]
        # torchvision numbers folders in the order of their names: 1, 10, 2. Where that differs, only labels can tell.
        if (numbers == list(range(count)) and classes in (None, count)) or _same_either_way(names, classes or 0):
            return numbers
    elif classes == count:
        return list(range(count))
    raise UsageError(
        f"--data {source}: the model's classes have no names, so it is not certain which its {count} folders are. "
        "Give labels, in the order of training (labels: in --spec FILE)"
    )


def _same_either_way(names: Sequence[str], classes: int) -> bool:
    """Whether the classes 0, 1, 2, ... are in the same order as names and as numbers, and these are some of them."""
    every = [str(number) for number in range(classes)]
    return every == sorted(every) and set(names) <= set(every)


def _readable(items: Iterator[Any]) -> Iterator[Any]:
    """Items of a source that may itself have to read files."""
    try:
        yield from items
    except InputError as error:
        raise _unreadable("an image", str(error)) from None


def _prepared(prepare: Callable[[ImageInput], Pixels], image: ImageInput) -> Pixels:
    try:
        return prepare(image)
    except InputError as error:
        raise _unreadable(str(image), str(error)) from None


def _unreadable(what: str, why: str) -> GateError:
    return GateError(f"labelled data must be complete; {what} cannot be used: {why}")


def _share(right: int, count: int) -> float:
    if not count:
        raise UsageError("there are no labelled images to score on")
    return right / count
