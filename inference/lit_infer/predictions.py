"""What a model answers for one image."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

_FEW = 64
"""Classes that are sorted sooner than partitioned."""
_TOP = 8
"""Best classes of one row that are found sooner one after the other."""


# Structs, not dataclasses: a struct is made in a sixth of the time, and a prediction has five choices.
class Choice(msgspec.Struct, frozen=True, gc=False):
    """One class and its probability."""

    label: str
    index: int
    score: float


class Timings(msgspec.Struct, frozen=True, gc=False):
    """Milliseconds of work that one image was; waiting is not in them."""

    read_ms: float
    decode_ms: float
    resize_ms: float
    """All preprocessing: EXIF orientation, resize, crop."""
    infer_ms: float
    """Its share of the time its batch took in the graph."""


class Prediction(msgspec.Struct, frozen=True, eq=False):
    """The answer for one image. Either `error` and `code` are set, or what the model's task gives is.

    A value: `==` and `hash` go by everything but `embedding` and `timings`.
    """

    path: str | None
    """The path that was given; None for bytes, PIL images and arrays."""
    label: str | None = None
    index: int | None = None
    score: float | None = None
    """Probability of the best class, 0 to 1."""
    top: tuple[Choice, ...] = ()
    """The `top_k` best classes, best first."""
    error: str | None = None
    code: str | None = None
    """Stable name of the error, e.g. "empty", "not_found", "too_many_pixels"."""
    embedding: NDArray[np.float32] | None = None
    """float32 [size], for task image-embedding."""
    timings: Timings | None = None
    """Where they were asked for and the image could be read."""

    def __eq__(self, other: object) -> bool:
        return self._value() == other._value() if isinstance(other, Prediction) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())

    def _value(self) -> tuple[object, ...]:
        return (self.path, self.label, self.index, self.score, self.top, self.error, self.code)


def top_choices(scores: NDArray[np.float32], *, labels: Sequence[str] | None, top_k: int) -> tuple[Choice, ...]:
    """The best classes of one row of scores [classes], best first; of equal scores the lower index first."""
    places = _best_of_row(scores, min(top_k, len(scores)))
    return tuple(map(Choice, map(labels.__getitem__ if labels else str, places), places, scores[places].tolist()))


def batch_choices(rows: NDArray[np.float32], *, labels: Sequence[str] | None, top_k: int) -> list[tuple[Choice, ...]]:
    """As `top_choices`, for each row of scores [batch, classes]."""
    if len(rows) == 1:
        return [top_choices(rows[0], labels=labels, top_k=top_k)]
    columns = _best(rows, min(top_k, rows.shape[1]))
    scores = rows[np.arange(len(rows))[:, None], columns]
    name = labels.__getitem__ if labels else str
    return [
        tuple(map(Choice, map(name, places), places, values))
        for places, values in zip(columns.tolist(), scores.tolist(), strict=True)
    ]


def _best(rows: NDArray[np.float32], count: int) -> NDArray[Any]:
    """Column indices [batch, count]. A partition of all rows together is quicker than sorting long rows."""
    if rows.shape[1] <= _FEW:
        return np.argsort(-rows, axis=1, kind="stable")[:, :count]
    least = np.partition(rows, -count, axis=1)[:, -count]
    found = np.nonzero(rows >= least[:, None])
    if (
        len(found[0]) != count * len(rows)
        or (found[0].reshape(len(rows), count) != np.arange(len(rows))[:, None]).any()
    ):
        return np.array([_best_of_row(row, count) for row in rows])  # equal scores at the edge, or NaNs
    columns = found[1].reshape(len(rows), count)
    order = np.argsort(-np.take_along_axis(rows, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _best_of_row(row: NDArray[np.float32], count: int) -> list[int]:
    if count <= _TOP and (found := _peeled(row, count)) is not None:
        return found
    places = np.flatnonzero(row >= np.partition(row, -count)[-count])
    if len(places) < count:  # NaNs, which come last
        places = np.arange(len(row))
    best: list[int] = places[np.argsort(-row[places], kind="stable")[:count]].tolist()
    return best


def _peeled(row: NDArray[np.float32], count: int) -> list[int] | None:
    """The best one, then the best of the others, and so on. None where NaNs or infinities would mislead it."""
    left, found = row.copy(), []
    for _ in range(count):
        place = int(left.argmax())
        if not left[place] > -np.inf:
            return None
        left[place] = -np.inf
        found.append(place)
    return found
