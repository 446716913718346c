"""Where the steps of the manifest and the parts of a transform part: the first at which an image is another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.front.transform import TrainingTransform, called
from lit_export.tasks.images import scale_of
from lit_infer.errors import LitError
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.images.pictures import to_array
from lit_infer.images.preprocess import on_file
from lit_infer.images.steps import apply
from lit_infer.manifest import DeploymentFacts

_CLOSE = 1e-4


def first_step(facts: DeploymentFacts, transform: TrainingTransform, image: Any, path: Path) -> str:
    """A line that names the part of the transform after which the images differ, and what the manifest has there."""
    ours = list(_ours(facts, image))
    at = 0  # of `ours`: up to there both are the same
    for index, part in enumerate(transform.parts):
        try:
            theirs = _prefix(transform, index, image, path)
        except LitError:  # a part alone may not be callable
            break
        found = next((place for place in range(at, len(ours)) if _same(ours[place][1], theirs)), None)
        if found is None:
            said = f"says here: {ours[at + 1][0]}" if at + 1 < len(ours) else "has nothing there"
            return f"They part at its part {index + 1}, {_words(part)}. The preprocessing {said}"
        at = found
    told = "; ".join(step.value.describe() for step in facts.preprocess) or "none"
    return f"The preprocessing as stated: {told}"


def _ours(facts: DeploymentFacts, image: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """What the steps make of an image, one after the other, and last the scaled and normalised values."""
    yield "the image as it was read", np.atleast_3d(np.asarray(image))
    steps = tuple(step for step in facts.preprocess if not on_file(step))
    channels = facts.channels
    made = np.atleast_3d(np.asarray(image))
    for index, step in enumerate(steps):
        try:
            picture = apply(steps[: index + 1], image, channels=channels, limits=DEFAULT_LIMITS)
        except LitError:
            return
        made = to_array(picture)
        yield step.value.describe(), made
    scaled = made.astype(np.float32) * np.float32(1 / scale_of(facts))
    yield f"divide by {scale_of(facts):g}, inside the graph", scaled
    if facts.normalize is not None:
        mean, std = (np.asarray(values, np.float32) for values in (facts.normalize.mean, facts.normalize.std))
        yield f"{facts.normalize.describe()}, inside the graph", (scaled - mean) / std


def _prefix(transform: TrainingTransform, last: int, image: Any, path: Path) -> NDArray[Any]:
    """What the parts up to `last` make of an image."""
    made: Any = image
    for part in transform.parts[: last + 1]:
        made = called(transform, part, made, path) if last == 0 else _through(transform, part, made, path)
    return np.asarray(made)


def _through(transform: TrainingTransform, part: Any, image: Any, path: Path) -> Any:
    call = transform.way(part, image, path)
    made = call(part, image, path)
    return made["image"] if isinstance(made, dict) else made


def _same(ours: NDArray[Any], theirs: NDArray[Any]) -> bool:
    fitted = channels_first(theirs, (ours.shape[2], *ours.shape[:2]))
    if fitted is None:
        return False
    ours = np.moveaxis(ours, 2, 0).astype(np.float64)
    return bool(np.abs(ours - fitted).max(initial=0) <= _CLOSE * max(1.0, np.abs(ours).max(initial=0)))


def channels_first(array: NDArray[Any], wanted: tuple[int, ...]) -> NDArray[np.float64] | None:
    """The array as [channels, height, width], where it can be of that shape."""
    plain = array.astype(np.float64)
    if plain.ndim == 4 and len(plain) == 1:
        plain = plain[0]
    if plain.ndim == 2:
        plain = plain[None]
    if plain.shape == tuple(wanted):
        return plain
    if plain.ndim == 3 and (plain.shape[2], *plain.shape[:2]) == tuple(wanted):
        return np.moveaxis(plain, 2, 0)
    return None


def _words(part: Any) -> str:
    return " ".join(str(part).split())[:120]
