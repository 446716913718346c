"""What a load generator drives: something that answers, and the images to ask about, by index."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from lit_infer.batching.sizes import is_joined
from lit_infer.errors import EngineError, OverloadedError, UsageError
from lit_infer.predictions import Prediction
from lit_infer.predictor import Predictor, PredictorInput

Done = Callable[[BaseException | None], None]
"""Called once when a query is over, from any thread, with the error if there was one."""


class LoadTarget(Protocol):
    """Each scenario calls it in the way that suits it best.

    A query that was refused but might succeed a moment later is an OverloadedError; any other error ends the run.
    """

    @property
    def count(self) -> int:
        """How many images there are to choose from."""

    def answer(self, indices: Sequence[int]) -> None:
        """One query at a time, of one image or more."""

    def submit(self, index: int, done: Done) -> None:
        """One query among many that wait; returns at once."""

    def stream(self, indices: Sequence[int]) -> Iterator[OverloadedError | None]:
        """Many images, as fast as possible; yields for each, in order, None when it is done, or why it was refused."""

    def images_per_s(self, seconds: float, *, one_by_one: bool) -> float:
        """Its best rate, measured for about that long. `one_by_one`: an image per query."""


@dataclass(frozen=True)
class PredictorTarget:
    """A predictor in this process, and its images or rows."""

    predictor: Predictor
    images: Sequence[PredictorInput]

    @property
    def count(self) -> int:
        """How many images there are to choose from."""
        return len(self.images)

    def answer(self, indices: Sequence[int]) -> None:
        """On all threads."""
        together = 1 if is_joined(self.predictor.manifest) else len(indices)
        found = self.predictor.predict([self.images[index] for index in indices], batch_size=together)
        for prediction in found:
            check(prediction)

    def submit(self, index: int, done: Done) -> None:
        """Batched with the others that wait."""
        self.predictor.submit(self.images[index]).add_done_callback(lambda future: done(_failure(future)))

    def stream(self, indices: Sequence[int]) -> Iterator[None]:
        """A batch on each thread."""
        for prediction in self.predictor.stream(self.images[index] for index in indices):
            check(prediction)
            yield

    def images_per_s(self, seconds: float, *, one_by_one: bool) -> float:  # noqa: ARG002 - `submit` batches as `stream`
        """The rate of `stream`."""
        return rate_of(
            self.stream, self.count, seconds=seconds, least=self.predictor.threads * self.predictor.batch_size
        )


def rate_of(
    stream: Callable[[Sequence[int]], Iterator[OverloadedError | None]], count: int, *, seconds: float, least: int
) -> float:
    """Images per second that a stream answers, from `least` images on, doubled until it takes long enough."""
    while True:
        started = time.perf_counter()
        refused = [one for one in stream([index % count for index in range(least)]) if one is not None]
        taken = time.perf_counter() - started
        if len(refused) == least:
            raise EngineError(f"none of {least} queries was answered: {refused[0]}")
        if taken > seconds / 2:
            return (least - len(refused)) / taken
        least *= 2


def check(prediction: Prediction) -> None:
    """Raise UsageError for an image that cannot be read: it would be answered faster than any other."""
    if prediction.error is not None:
        raise UsageError(f"cannot measure with {prediction.path or 'one of the rows'}: {prediction.error}")


def _failure(future: Future[Prediction]) -> BaseException | None:
    try:
        check(future.result())
    except BaseException as error:  # raised again in the driving thread
        return error
    return None
