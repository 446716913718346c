"""What a load generator drives: a predictor in this process."""

import threading
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from lit_infer.bench.target import PredictorTarget, rate_of
from lit_infer.errors import EngineError, OverloadedError, UsageError
from lit_infer.predictor import Predictor


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """An image that cannot be read: it would be answered faster than any other."""
    (tmp_path / "bad.png").write_bytes(b"no image")
    return tmp_path / "bad.png"


def test_images_are_asked_for_by_their_index(predictor: Predictor, colours: Path, bad: Path) -> None:
    target = PredictorTarget(predictor, [*sorted(colours.rglob("*.png")), bad])

    target.answer([0, 3, 0])
    assert list(target.stream(range(12))) == [None] * 12
    assert target.count == 13
    with pytest.raises(UsageError, match=r"cannot measure with .*bad\.png"):
        target.answer([0, 12])
    with pytest.raises(UsageError, match=r"cannot measure with .*bad\.png"):
        list(target.stream([0, 12]))


@pytest.mark.parametrize(("index", "error"), [(0, type(None)), (1, UsageError)])
def test_a_query_is_told_to_be_over_once_and_how_it_ended(
    predictor: Predictor, colours: Path, bad: Path, index: int, error: type
) -> None:
    told: list[BaseException | None] = []
    over = threading.Event()

    def done(what: BaseException | None) -> None:
        told.append(what)
        over.set()

    PredictorTarget(predictor, [colours / "red/100.png", bad]).submit(index, done)

    assert over.wait(60)
    assert [type(what) for what in told] == [error]


def test_the_best_rate_is_measured_on_more_and_more_images_until_it_takes_time() -> None:
    asked: list[int] = []

    def stream(indices: Sequence[int]) -> Iterator[None]:
        asked.append(len(indices))
        assert set(indices) <= set(range(3))
        yield from [None] * len(indices)

    assert rate_of(stream, 3, seconds=1e-4, least=2) > 0
    assert asked == [2 * 2**power for power in range(len(asked))]


def test_refused_images_are_not_in_the_rate_and_all_refused_is_an_error() -> None:
    numbers = count()

    def every_other(indices: Sequence[int]) -> Iterator[OverloadedError | None]:
        return (OverloadedError("full") if next(numbers) % 2 else None for _ in indices)

    def none(indices: Sequence[int]) -> Iterator[OverloadedError | None]:
        return (OverloadedError("full") for _ in indices)

    assert rate_of(every_other, 1, seconds=0, least=2) > 0
    with pytest.raises(EngineError, match="none of 4 queries was answered: full"):
        rate_of(none, 1, seconds=0, least=4)


def test_a_predictor_s_best_rate_is_that_of_its_stream(predictor: Predictor, colours: Path) -> None:
    target = PredictorTarget(predictor, sorted(colours.rglob("*.png")))

    assert target.images_per_s(0.001, one_by_one=True) > 0
