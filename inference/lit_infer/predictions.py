"""What a model answers for one image."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Choice:
    """One class and its probability."""

    label: str
    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds of work that one image was; waiting is not in them."""

    read_ms: float
    decode_ms: float
    resize_ms: float
    """All preprocessing: EXIF orientation, resize, crop."""
    infer_ms: float
    """Its share of the time its batch took in the graph."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image. Either `error` and `code` are set, or what the model's task gives is."""

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
    embedding: NDArray[np.float32] | None = field(default=None, compare=False)
    """float32 [size], for task image-embedding. Left out of `==`."""
    timings: Timings | None = field(default=None, compare=False)
    """Where they were asked for and the image could be read. Left out of `==`."""


def top_choices(scores: NDArray[np.float32], *, labels: Sequence[str] | None, top_k: int) -> tuple[Choice, ...]:
    """The best classes of one row of scores [classes], best first; of equal scores the lower index first."""
    places = np.arange(len(scores))
    if top_k < len(scores):  # a partition is several times quicker than sorting a thousand classes
        places = np.flatnonzero(scores >= np.partition(scores, -top_k)[-top_k])
        if len(places) < top_k:  # there are NaNs among them
            places = np.arange(len(scores))
    order = places[np.argsort(-scores[places], kind="stable")[:top_k]]
    return tuple(Choice(labels[i] if labels else str(i), i, float(scores[i])) for i in order.tolist())
