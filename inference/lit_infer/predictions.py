"""What a model answers for one image."""

from typing import Any

import msgspec
from numpy.typing import NDArray

from lit_infer.tasks.choices import Choice


# Structs, not dataclasses: a struct is made in a sixth of the time.
class Timings(msgspec.Struct, frozen=True, gc=False):
    """Milliseconds of work that one image was; waiting is not in them."""

    read_ms: float
    decode_ms: float
    resize_ms: float
    """All preprocessing: EXIF orientation, resize, crop."""
    infer_ms: float
    """Its share of the time its batch took in the graph."""


class Prediction(msgspec.Struct, frozen=True, eq=False):
    """The answer for one image. Either `error` and `code` are set, or `answer` is.

    `label`, `index`, `score`, `top` and `embedding` are those of the answer, where its task has them.
    A value: `==` and `hash` go by everything but `output` and `timings`.
    """

    path: str | None
    """The path that was given; None for bytes, PIL images and arrays."""
    answer: Any = None
    """What the model's task gives: the struct `TASKS[task].answer`."""
    error: str | None = None
    code: str | None = None
    """Stable name of the error, e.g. "empty", "not_found", "too_many_pixels"."""
    output: NDArray[Any] | None = None
    """Where it was asked for: the image's row of the graph's first output, as it is."""
    timings: Timings | None = None
    """Where they were asked for and the image could be read."""

    @property
    def label(self) -> str | None:
        """The best class."""
        return getattr(self.answer, "label", None)

    @property
    def index(self) -> int | None:
        """Index of the best class."""
        return getattr(self.answer, "index", None)

    @property
    def score(self) -> float | None:
        """Probability of the best class, 0 to 1."""
        return getattr(self.answer, "score", None)

    @property
    def top(self) -> tuple[Choice, ...]:
        """The `top_k` best classes, best first."""
        return getattr(self.answer, "top", ())

    @property
    def embedding(self) -> NDArray[Any] | None:
        """float32 [size], of a task that gives vectors."""
        return getattr(self.answer, "embedding", None)

    def __eq__(self, other: object) -> bool:
        return self._value() == other._value() if isinstance(other, Prediction) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())

    def _value(self) -> tuple[object, ...]:
        return (self.path, self.answer, self.error, self.code)
