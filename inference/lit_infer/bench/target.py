"""What a load generator drives: a graph and the images it is asked about, by index."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass

from lit_infer.bench.subjects import Subject, for_callers
from lit_infer.errors import UsageError
from lit_infer.images import ImageInput
from lit_infer.predictions import Prediction
from lit_infer.predictor import Predictor


@dataclass(frozen=True)
class Target:
    """A predictor and its images. Each scenario calls it in the way that suits it best."""

    predictor: Predictor
    images: Sequence[ImageInput]

    def answer(self, indices: Sequence[int]) -> None:
        """One query at a time, on all threads."""
        found = self.predictor.predict([self.images[index] for index in indices], batch_size=len(indices))
        for prediction in found:
            check(prediction)

    def submit(self, index: int) -> Future[Prediction]:
        """One query of many that wait; see `check` for its answer."""
        return self.predictor.submit(self.images[index])

    def stream(self, indices: Sequence[int]) -> Iterator[None]:
        """Many images, on all threads; an item for each, in order, when it is done."""
        for prediction in self.predictor.stream(self.images[index] for index in indices):
            check(prediction)
            yield

    def images_per_s(self, seconds: float) -> float:
        """What `stream` does, after a warm-up."""
        count, taken = self.predictor.threads * self.predictor.batch_size, 0.0
        while True:
            started = time.perf_counter()
            for _ in self.stream([index % len(self.images) for index in range(count)]):
                pass
            taken = time.perf_counter() - started
            if taken > seconds / 2:
                return count / taken
            count *= 2


def check(prediction: Prediction) -> None:
    """An image that cannot be read would be answered faster than any other."""
    if prediction.error is not None:
        raise UsageError(f"cannot measure with {prediction.path or 'an image'}: {prediction.error}")


@contextmanager
def opened(subject: Subject) -> Iterator[Target]:
    """The target of a subject, with a queue of its own."""
    predictor, images = for_callers(subject)
    with predictor:
        yield Target(predictor, images)
