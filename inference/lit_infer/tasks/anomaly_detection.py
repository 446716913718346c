"""Task `anomaly-detection`: how unusual an image is, and where."""

import io
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lit_infer.images.blending import Blend
from lit_infer.images.png import base64_text
from lit_infer.images.tiles import Tile
from lit_infer.tasks.spec import (
    Agreement,
    AnswerFile,
    Ask,
    Column,
    Known,
    Metric,
    Outputs,
    Reading,
    Row,
    Shown,
    Sources,
    TaskSpec,
    Tiled,
)

NORMAL, ANOMALOUS = "normal", "anomalous"
GOOD = "good"
"""The folder of images without an anomaly, as MVTec's data sets have it."""
_AT_THRESHOLD = 127.5
_HEAT = ((0, (0, 0, 90)), (64, (40, 0, 160)), (128, (220, 60, 60)), (192, (255, 160, 0)), (255, (255, 255, 190)))
"""Colours of levels, between which the others lie."""


class AnomalyFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which score on an image is anomalous, and where its score and its map come from."""

    threshold: float | None = None
    """An image whose score is above it is anomalous. None: found out at export."""
    low: float = 0.0
    """The value of a map without any heat; the threshold is half-way from there to the most."""
    score: Literal["max", "mean"] | None = None
    """Of a module that answers a map alone: what of it is the score. None: the maximum."""
    reconstruction: bool = False
    """Whether the module answers the image as it should be: the map is then the mean squared difference to it."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for a threshold that means nothing."""
        del labels, size
        if self.threshold is not None and not self.low < self.threshold < np.inf:
            raise ValueError(f"threshold {self.threshold:g} must be above {self.low:g}, the score of nothing (low)")


_PNG = msgspec.Meta(
    extra_json_schema={"type": ["string", "null"], "contentEncoding": "base64", "contentMediaType": "image/png"},
    description="A PNG whose values are levels: 0 is `low`, 127 the threshold, 255 twice as much or more",
)


class Anomaly(msgspec.Struct, frozen=True, eq=False):
    """How unusual an image is."""

    score: float
    is_anomalous: bool | None
    """None where no threshold is known."""
    threshold: float | None
    """Above which score an image is anomalous."""
    map: Annotated[NDArray[np.float32] | None, _PNG]
    """float32 [height, width] of the image as it was given, on the scale of the scores; None for a model without."""
    width: int | None
    height: int | None
    low: float = 0.0
    """The value of a map without any heat."""

    def parts(self) -> dict[str, Any]:
        """As JSON has it: the map as a PNG in base64."""
        made = heat_map(self)
        return {**msgspec.structs.asdict(self), "map": None if made is None else base64_text(made[1])}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Anomaly):
            return NotImplemented
        same = (self.score, self.is_anomalous) == (other.score, other.is_anomalous)
        if self.map is None or other.map is None:
            return same and self.map is other.map
        return same and np.array_equal(self.map, other.map)

    def __hash__(self) -> int:
        return hash((self.score, self.is_anomalous))


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Anomaly]:
    """Scores [batch], and maps [batch, 1, height, width] if there are some, as those of the images as they were."""
    maps = outputs[1] if len(outputs) > 1 else [None] * len(asks)
    return [_read(*one, reading.facts) for one in zip(outputs[0], maps, asks, strict=True)]


def _read(score: Any, row: NDArray[Any] | None, ask: Ask, facts: AnomalyFacts) -> Anomaly:
    threshold = facts.threshold if ask.threshold is None else ask.threshold
    value = float(np.reshape(score, -1)[0])
    width, height = (None, None) if ask.way is None else ask.way.original
    found = None
    if row is not None:
        plane = np.asarray(row[0], np.float32)
        found = plane.copy() if ask.way is None else ask.way.smooth(plane, outside=facts.low)
        height, width = found.shape
    is_anomalous = None if threshold is None else value > threshold
    return Anomaly(value, is_anomalous, threshold, found, width, height, facts.low)


class MergedAnomaly:
    """An image in tiles is as unusual as the most unusual of them; if scores are means of maps, as their mean."""

    def __init__(self, of: Tiled, how: Literal["mean", "max"]) -> None:
        self._of, self._facts = of, of.reading.facts
        self._joined = Blend(of.grid, of.way, how, self._take)
        self._map: NDArray[np.float32] | None = None
        self._score: float | None = None

    def add(self, row: Outputs, tile: Tile) -> None:
        """Take a score, and a map [1, height, width] if there is one."""
        score = float(np.reshape(row[0], -1)[0])
        if self._facts.score == "mean":
            self._score = (self._score or 0.0) + score * self._joined.share(tile)
        else:
            self._score = score if self._score is None else max(score, self._score)
        if len(row) > 1:
            if self._map is None:
                self._map = np.full((self._of.grid.height, self._of.grid.width), self._facts.low, np.float32)
            self._joined.add(self._of.way.smooth(np.asarray(row[1][0], np.float32))[None], tile)

    def _take(self, block: NDArray[np.float32], top: int, left: int) -> None:
        rows, columns = slice(top, top + block.shape[1]), slice(left, left + block.shape[2])
        seen = self._joined.rows_seen[rows, None] & self._joined.columns_seen[columns]
        if self._map is not None:
            np.copyto(self._map[rows, columns], block[0], where=seen)

    def answer(self) -> Anomaly:
        """The highest score and the whole map."""
        grid, facts, ask, value = self._of.grid, self._facts, self._of.ask, self._score or 0.0
        threshold = facts.threshold if ask.threshold is None else ask.threshold
        is_anomalous = None if threshold is None else value > threshold
        return Anomaly(value, is_anomalous, threshold, self._map, grid.width, grid.height, facts.low)


def row(answer: Anomaly) -> Row:
    """An answer as columns; whoever writes the map to a file adds its path."""
    sides = {"width": answer.width, "height": answer.height}
    return {"score": answer.score, "is_anomalous": answer.is_anomalous, **sides, "map": None}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    state = {True: ANOMALOUS, False: NORMAL}.get(line["is_anomalous"], "no threshold")
    return Shown(f"{state} {line['score']:.4g}", None, (("score", line["score"]),), in_title=1, groups=(state,))


def heat_map(answer: Anomaly) -> tuple[str, bytes] | None:
    """A PNG of levels in the colours of heat, transparent where there is none."""
    image = _coloured(answer)
    if image is None:
        return None
    file = io.BytesIO()
    image.save(file, "PNG", transparency=_ALPHA)
    return ".png", file.getvalue()


def drawn(answer: Anomaly) -> Image.Image | None:
    """The same as a picture with alpha."""
    image = _coloured(answer)
    if image is None:
        return None
    made = image.convert("RGB")
    made.putalpha(Image.fromarray(np.frombuffer(_ALPHA, np.uint8)[np.asarray(image)]))
    return made


def _coloured(answer: Anomaly) -> Image.Image | None:
    if answer.map is None or answer.threshold is None:
        return None
    room = answer.threshold - answer.low
    if room > 0:
        shares = (answer.map - np.float32(answer.low)) / np.float32(room)
    else:  # of a threshold that was asked for: all that is above it is as hot as can be
        shares = np.where(answer.map > answer.threshold, np.float32(np.inf), np.float32(0))
    image = Image.fromarray(np.clip(shares * _AT_THRESHOLD, 0, 255).astype(np.uint8))
    image.putpalette(_PALETTE)
    return image


def _palette() -> bytes:
    at = [level for level, _ in _HEAT]
    channels = [np.interp(np.arange(256), at, [colour[channel] for _, colour in _HEAT]) for channel in range(3)]
    return np.rint(np.stack(channels, 1)).astype(np.uint8).tobytes()


_PALETTE = _palette()
_ALPHA = np.minimum(2 * np.arange(256), 255).astype(np.uint8).tobytes()
"""By level: from the threshold on nothing is seen through."""


class AnomalyTally:
    """Counts anomalous images; where folders are called as in MVTec's data sets, those that are rightly so."""

    def __init__(self, reading: Reading) -> None:
        del reading
        self._states: Counter[str] = Counter()
        self._right: Counter[bool] = Counter()
        self._known: Counter[bool] = Counter()
        self._least, self._most = np.inf, -np.inf

    def add(self, line: Row, truths: Sources) -> None:
        """Count a row."""
        (state,) = show(line).groups
        self._states[state] += 1
        self._least, self._most = min(self._least, line["score"]), max(self._most, line["score"])
        if (truth := _truth(line, truths)) is None:
            return
        is_bad = truth == ANOMALOUS
        self._known[is_bad] += 1
        self._right[is_bad] += line["is_anomalous"] == is_bad

    def lines(self) -> list[str]:
        """How many of each, and the range of the scores."""
        if not self._states:
            return []
        counts = ", ".join(f"{state} {count}" for state, count in self._states.most_common())
        return [f"images: {counts}", f"scores: {self._least:.4g} to {self._most:.4g}"]

    def verdict(self) -> str:
        """Only where there is a folder `good`: all others are then of anomalies."""
        if not self._known[False]:
            return ""
        found = f"of {self._known[False]} images in {GOOD}/ {self._right[False]} are called {NORMAL}"
        bad = f"; of {self._known[True]} in other folders {self._right[True]} {ANOMALOUS}" if self._known[True] else ""
        return found + bad


def _truth(line: Row, truths: Sources) -> str | None:
    """What an image is by its folder, if that was asked: where no threshold is known, no answer is right or wrong."""
    if line["is_anomalous"] is None:
        return None
    return NORMAL if truths.get("folder") == GOOD else ANOMALOUS


def same_decisions(one: NDArray[Any], other: NDArray[Any], reading: Reading) -> NDArray[np.bool_]:
    """For each row, whether both scores are above the threshold, or neither is; without one, whether they are equal."""
    threshold = reading.facts.threshold
    same: NDArray[np.bool_] = one == other if threshold is None else (one > threshold) == (other > threshold)
    return same


_COLUMNS: dict[str, Column] = {
    "score": "number",
    "is_anomalous": "boolean",
    "width": "integer",
    "height": "integer",
    "map": "text",
}

TASK = TaskSpec(
    name="anomaly-detection",
    does="finds images that are unusual, and where",
    kind="anomaly",
    facts=AnomalyFacts,
    answer=Anomaly,
    read=read,
    columns=lambda _: _COLUMNS,
    row=row,
    show=show,
    headings=("state and score", "", ""),
    tally=AnomalyTally,
    known=Known(
        truths=lambda line, truths, _: {"folder": _truth(line, truths)},
        names=lambda _: (NORMAL, ANOMALOUS),
        needed=NORMAL,
    ),
    agreement=Agreement("same decisions", same_decisions),
    metric=Metric("AUROC", better="max"),
    size_of=lambda _: None,
    maps_back=True,
    merges=lambda _: {"max": lambda of: MergedAnomaly(of, "max"), "mean": lambda of: MergedAnomaly(of, "mean")},
    takes_threshold=True,
    threshold_is_share=False,
    drawn=drawn,
    file=AnswerFile("maps", "map", heat_map),
    cautions=("What is unusual need not be wrong: it knows only what was normal in training.",),
)
