"""The best classes of a row of scores, shared by all tasks whose answers are classes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

_FEW = 64
"""Up to so many classes, sorting is faster than partitioning."""
_TOP = 8
"""Up to so many best classes of one row are found faster one after the other."""
_SHOWN = 5
"""Names in a line."""


# A struct, not a dataclass: it takes a sixth of the time to make, and a prediction has five.
class Choice(msgspec.Struct, frozen=True, gc=False):
    """One class and its probability."""

    label: str
    index: int
    score: float


def top_choices(scores: NDArray[np.float32], *, labels: Sequence[str] | None, top_k: int) -> tuple[Choice, ...]:
    """The best classes of one row of scores [classes], best first; among equal scores, the lower index first."""
    indices = _best_of_row(scores, min(top_k, len(scores)))
    return tuple(map(Choice, map(labels.__getitem__ if labels else str, indices), indices, scores[indices].tolist()))


def batch_choices(rows: NDArray[np.float32], *, labels: Sequence[str] | None, top_k: int) -> list[tuple[Choice, ...]]:
    """As `top_choices`, for each row of scores [batch, classes]."""
    if len(rows) == 1:
        return [top_choices(rows[0], labels=labels, top_k=top_k)]
    columns, scores = best(rows, top_k)
    name = labels.__getitem__ if labels else str
    return [
        tuple(map(Choice, map(name, indices), indices, values))
        for indices, values in zip(columns.tolist(), scores.tolist(), strict=True)
    ]


def best(rows: NDArray[np.float32], top_k: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """The indices [batch, top_k] of the best classes of each row, and their scores."""
    columns = _best(rows, min(top_k, rows.shape[1]))
    return columns, rows[np.arange(len(rows))[:, None], columns]


def _best(rows: NDArray[np.float32], count: int) -> NDArray[Any]:
    """Column indices [batch, count]. Partitioning all rows together is faster than sorting long rows."""
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
    indices = np.flatnonzero(row >= np.partition(row, -count)[-count])
    if len(indices) < count:  # NaNs, which come last
        indices = np.arange(len(row))
    best: list[int] = indices[np.argsort(-row[indices], kind="stable")[:count]].tolist()
    return best


def _peeled(row: NDArray[np.float32], count: int) -> list[int] | None:
    """The best one, then the best of the others, and so on. None if NaNs or infinities would mislead it."""
    left, found = row.copy(), []
    for _ in range(count):
        index = int(left.argmax())
        if not left[index] > -np.inf:
            return None
        left[index] = -np.inf
        found.append(index)
    return found


def plain(choices: Iterable[Choice]) -> list[dict[str, Any]]:
    """Choices as stored in a row."""
    return [{"label": choice.label, "index": choice.index, "score": choice.score} for choice in choices]


def pairs(choices: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, float], ...]:
    """Choices of a row as names and numbers."""
    return tuple((choice["label"], choice["score"]) for choice in choices)


def most_common(counts: Mapping[str, int]) -> str:
    """The most frequent names with their counts, in one line."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    more = f", and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(f"{name} {count}" for name, count in ordered[:_SHOWN]) + more
