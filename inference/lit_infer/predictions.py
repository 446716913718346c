"""A model's answer for one image."""

from typing import Any

import msgspec
from numpy.typing import NDArray

from lit_infer.tasks.choices import Choice


# Structs, not dataclasses: a struct takes a sixth of the time to make.
class Timings(msgspec.Struct, frozen=True, gc=False):
    """Milliseconds of work on one image, without waiting."""

    read_ms: float
    decode_ms: float
    resize_ms: float
    """All preprocessing: EXIF orientation, resize, crop."""
    infer_ms: float
    """Its share of the time its batch took in the graph."""


class Prediction(msgspec.Struct, frozen=True, eq=False):
    """The answer for one image. Either `error` and `code` are set, or `answer` is.

    `label`, `index`, `score`, `top`, `embedding` and `mask` come from the answer, if its task has them.
    A value object: `==` and `hash` compare everything but `output`, `timings` and `notes`.
    """

    path: str | None
    """The path that was given; None for bytes, PIL images and arrays."""
    answer: Any = None
    """The task's answer: the struct `TASKS[task].answer`."""
    error: str | None = None
    code: str | None = None
    """Stable name of the error, e.g. "empty", "not_found", "too_many_pixels"."""
    output: NDArray[Any] | None = None
    """The image's row of the graph's first output, unchanged, if it was asked for."""
    timings: Timings | None = None
    """Set if they were asked for and the image could be read."""
    notes: tuple[str, ...] = ()
    """What the image has that was not used: `orientation`, `depth` (16-bit or float pixels), `alpha`, `profile`."""

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
        """float32 [size], for a task that gives vectors."""
        return getattr(self.answer, "embedding", None)

    @property
    def mask(self) -> NDArray[Any] | None:
        """Class indices [height, width] of the image as it was given, for a task that gives masks."""
        return getattr(self.answer, "mask", None)

    def __eq__(self, other: object) -> bool:
        return self._value() == other._value() if isinstance(other, Prediction) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value())

    def _value(self) -> tuple[object, ...]:
        return (self.path, self.answer, self.error, self.code)
