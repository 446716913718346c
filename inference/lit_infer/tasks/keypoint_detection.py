"""Task `keypoint-detection`: named points in an image, which show one thing: a face, a hand, a body, a part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.images import heatmaps
from lit_infer.images.heatmaps import Peak, PlaceInCell
from lit_infer.tasks.choices import most_common
from lit_infer.tasks.correct_points import METRIC
from lit_infer.tasks.spec import Agreement, Ask, Metric, Outputs, Reading, Row, Shown, TaskSpec

_TITLE = 1
"""Points that a title names."""
SAME = 0.5
"""Pixels of the model's image: two points that are no farther apart are the same."""
_TIE = 1e-4
"""Of a map's maximum: a cell that is lower by no more is as high."""
PointNumber = Literal["x", "y", "score", "visibility"]
_ORDER: tuple[PointNumber, ...] = ("x", "y", "score", "visibility")
"""As graphs have them."""


class PointFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which points are reported, how they are joined, and what the module's numbers mean."""

    threshold: float | None = None
    """The least score of a point. None: all are reported, with their scores."""
    skeleton: tuple[tuple[int | str, int | str], ...] = ()
    """Which points are joined by a line in pictures: pairs of names or indices."""
    numbers: tuple[PointNumber, ...] | None = None
    """The module's for each point, in its order. None: x, y and, if there is a third one, a score."""
    flat: Literal["points", "numbers"] | None = None
    """Of a module that answers one row of numbers: point by point (x, y, x, y, …), or number by number (x, x, …, y, y,
    …). None: point by point."""
    positions: Literal["pixels", "relative", "signed"] | None = None
    """The module's: in pixels of its images; as shares of their sides, 0 to 1; or from -1 to 1, 0 being the middle.
    None: found out at export."""
    scores: Literal["as_given", "sigmoid", "softmax"] | None = None
    """What makes scores of the module's numbers, or of the values of its heatmaps; `softmax` is over all cells of a
    map. None: found out at export."""
    peak: Peak = "argmax"
    """Where in its heatmap a point is."""
    cell: PlaceInCell = "centre"
    """Where in its cell."""
    stride: tuple[float, float] | None = None
    """Pixels of the model's images from one cell of a heatmap to the next, across and down; found out at export."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for what means nothing."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold:g} must lie between 0 and 1")
        if self.numbers is not None and not (
            {"x", "y"} <= set(self.numbers) and len(set(self.numbers)) == len(self.numbers)
        ):
            raise ValueError(f"numbers {list(self.numbers)} must have x and y, and nothing twice")
        if self.stride is not None and min(self.stride) <= 0:
            raise ValueError(f"stride {list(self.stride)} must be positive")
        for edge in self.skeleton:
            for end in edge:
                _index(end, labels, size)

    def edges(self, labels: tuple[str, ...] | None) -> tuple[tuple[int, int], ...]:
        """The skeleton, as pairs of indices."""
        return tuple((_index(one, labels, None), _index(other, labels, None)) for one, other in self.skeleton)


def _index(end: int | str, labels: tuple[str, ...] | None, size: int | None) -> int:
    if isinstance(end, str):
        if labels is None:
            raise ValueError(f"skeleton: {end} is a name, and the points have none: give labels, or indices")
        if end not in labels:
            raise ValueError(f"skeleton: {end} is no point of {', '.join(labels[:8])}")
        return labels.index(end)
    count = size if labels is None else len(labels)
    if end < 0 or (count is not None and end >= count):
        raise ValueError(f"skeleton: there is no point {end}: they are numbered from 0")
    return end


class FoundPoint(msgspec.Struct, frozen=True, gc=False):
    """Where one point is."""

    label: str
    index: int
    x: float
    """In pixels of the image as it was given, from its left edge: the first pixel reaches from 0 to 1."""
    y: float
    score: float | None
    """0 to 1; None for a model that gives none."""
    visibility: float | None
    """0 to 1, of a model that says whether it sees the point; else None."""
    outside: bool
    """Whether it lies where the model saw nothing of the image: beyond the crop of its preprocessing, or the edge."""


class FoundPoints(msgspec.Struct, frozen=True, gc=False):
    """The points of an image, in the order of their indices."""

    points: tuple[FoundPoint, ...]
    width: int | None
    """Of the image."""
    height: int | None
    skeleton: tuple[tuple[int, int], ...]
    """Indices of points that are joined by a line."""


def size_of(shape: Sequence[int | str]) -> int | None:
    """Points, from [batch, points, numbers] or heatmaps [batch, points, height, width]."""
    count = shape[1] if len(shape) > 2 else None
    return count if isinstance(count, int) else None


def graph_numbers(numbers: Sequence[PointNumber]) -> tuple[PointNumber, ...]:
    """The same in the order that graphs have them in."""
    return tuple(name for name in _ORDER if name in numbers)


def located(rows: NDArray[Any], reading: Reading) -> NDArray[np.float64]:
    """Points [batch, points, (x, y, score, visibility)] in pixels of the prepared image; NaN is what is not answered.

    Of a graph's points [batch, points, numbers], or of its heatmaps [batch, points, height, width].
    """
    found = np.full((*rows.shape[:2], len(_ORDER)), np.nan)
    if rows.ndim == 4:
        places, most = heatmaps.decoded(rows, reading.facts.peak, reading.facts.cell)
        found[..., :2] = places * (reading.facts.stride or (1.0, 1.0))
        found[..., 2] = np.clip(most, 0, 1)
        return found
    numbers = graph_numbers(reading.facts.numbers or _ORDER[: rows.shape[2]])
    for column, name in enumerate(numbers):
        found[..., _ORDER.index(name)] = rows[..., column]
    return found


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[FoundPoints]:
    """Points or heatmaps as named points of the images as they were."""
    return [_read(one, ask, reading) for one, ask in zip(located(outputs[0], reading), asks, strict=True)]


def _read(points: NDArray[np.float64], ask: Ask, reading: Reading) -> FoundPoints:
    facts = reading.facts
    least = facts.threshold if ask.threshold is None else ask.threshold
    places, outside = points[:, :2].astype(np.float32), np.zeros(len(points), bool)
    if ask.way is not None:
        places, outside = ask.way.points(points[:, :2])
    found = []
    for index, (x, y) in enumerate(places.tolist()):
        score, visibility = (None if np.isnan(one) else float(one) for one in points[index, 2:].astype(np.float32))
        if least is None or score is None or np.float32(score) >= np.float32(least):
            name = reading.labels[index] if reading.labels else f"point {index}"
            found.append(FoundPoint(name, index, x, y, score, visibility, bool(outside[index])))
    width, height = (None, None) if ask.way is None else ask.way.original
    return FoundPoints(tuple(found), width, height, facts.edges(reading.labels))


def row(answer: FoundPoints) -> Row:
    """An answer as columns."""
    points = [msgspec.structs.asdict(point) for point in answer.points]
    return {"width": answer.width, "height": answer.height, "points": points}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    points = line["points"]
    named = [f"{one['label']} ({one['x']:.1f}, {one['y']:.1f})" for one in points[:_TITLE]]
    more = f", and {len(points) - _TITLE} more" if len(points) > _TITLE else ""
    scores = tuple((one["label"], one["score"]) for one in points if one["score"] is not None)
    mean = sum(score for _, score in scores) / len(scores) if scores else None
    groups = tuple(one["label"] for one in points) or ("",)
    return Shown((", ".join(named) or "nothing") + more, mean, scores, groups=groups)


class PointTally:
    """Counts points, and those that lie where the model saw nothing."""

    def __init__(self, reading: Reading) -> None:
        self._size = len(reading.labels) if reading.labels else reading.size
        self._points: Counter[str] = Counter()
        self._images = self._outside = 0

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row."""
        del truths
        self._images += 1
        self._points.update(one["label"] for one in line["points"])
        self._outside += sum(one["outside"] for one in line["points"])

    def lines(self) -> list[str]:
        """How many points there are, and what is amiss with some."""
        total, found = sum(self._points.values()), []
        if total:
            found.append(f"points: {total:,} in {self._images:,} images")
        if self._size is not None and (missing := self._size * self._images - total):
            found.append(f"not reported, since they score below the threshold: {missing:,}")
            found += [f"reported: {most_common(self._points)}"] if total else []
        if self._outside:
            found.append(f"outside of what the model saw of the images: {self._outside:,} points")
        return found

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


def near_points(one: NDArray[Any], other: NDArray[Any], reading: Reading) -> NDArray[np.float64]:
    """For each row, the share of its points that are the same, or as good: see `SAME`, and ties of heatmaps."""
    here, there = located(one, reading)[..., :2], located(other, reading)[..., :2]
    same = np.hypot(*np.moveaxis(here - there, -1, 0)) <= SAME
    if one.ndim == 4 and reading.facts.peak != "soft_argmax":
        flat, peaks = other.reshape(*other.shape[:2], -1), one.reshape(*one.shape[:2], -1).argmax(-1)
        most = flat.max(-1)
        same |= most - np.take_along_axis(flat, peaks[..., None], axis=-1)[..., 0] <= _TIE * np.abs(most)
    found: NDArray[np.float64] = same.mean(1)
    return found


TASK = TaskSpec(
    name="keypoint-detection",
    does="finds named points in images",
    kind="points",
    facts=PointFacts,
    answer=FoundPoints,
    read=read,
    columns=lambda _: {"width": "integer", "height": "integer", "points": "points"},
    row=row,
    show=show,
    headings=("points", "score", "scores"),
    tally=PointTally,
    agreement=Agreement("equal points", near_points),
    metric=Metric(METRIC, better="max"),
    size_of=size_of,
    maps_back=True,
    takes_threshold=True,
    has_scores=lambda reading: (
        any(len(one.shape) == 4 for one in reading.outputs) or "score" in (reading.facts.numbers or ("score",))
    ),
    nouns=("point", "points"),
    pipeline_tag="keypoint-detection",
    cautions=("It gives each of its points a place in every image, also in one that does not show it.",),
)
