"""One request to one open model: batched, awaited, counted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import EngineError, ExpiredError, InputError, UsageError
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.models.inference import answer, counted, infer
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.models.stats import Stats
from lit_infer.server.results import Items, Result
from tests.inference.tiny import LABELS, colour
from tests.support.server.proven import expected
from tests.support.server.requests import png

RESULT = Result((np.zeros((2, 3)),), 2, 0.1, 0.2, 0.3, 0.0)


@pytest.fixture(scope="module")
def small(proven: Path) -> Iterator[Repository]:
    """The tiny model with batches of two and a queue of five, which never fills a batch."""
    opened = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=2, max_items=5))
    yield opened
    opened.close()


def ask(repository: Repository, request: Items, **how: Any) -> Result:
    async def story() -> Result:
        return await answer(
            repository, "colours", None, lambda served: infer(served, request, **{"timeout": 20, "gone": None, **how})
        )

    return asyncio.run(story())


def rows(count: int) -> Items:
    images = np.stack([colour(LABELS[i % 3], 50 + i) for i in range(count)])
    return Items(arrays=(images,))


def test_more_rows_than_a_batch_are_joined_in_order(small: Repository) -> None:
    result = ask(small, rows(5))

    assert result.rows == 5
    assert np.allclose(result.outputs[0], expected(rows(5).arrays[0]))


def test_images_are_answered_and_a_bad_one_is_named_by_its_index(small: Repository) -> None:
    result = ask(small, Items(images=(png("red"), png("blue"))))

    assert [int(row.argmax()) for row in result.outputs[0]] == [0, 2]
    with pytest.raises(InputError, match=r"^item 1: not an image"):
        ask(small, Items(images=(png("red"), b"text")))
    with pytest.raises(InputError, match=r"^not an image"):
        ask(small, Items(images=(b"text",)))


def test_a_request_larger_than_the_queue_is_refused(small: Repository) -> None:
    with pytest.raises(UsageError, match="11 rows are too many: a request can have 5 items"):
        ask(small, rows(11))


def test_a_client_that_has_left_is_not_answered(proven: Path) -> None:
    waits = Repository(parse([str(proven)]), Opening(device="cpu", max_delay=0.5))

    async def at_once() -> None:
        return None

    with pytest.raises(ClientGoneError):
        ask(waits, rows(1), gone=at_once)
    waits.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ExpiredError("x"), "REJECTED"),
        (ClientGoneError("x"), "CANCELED"),
        (asyncio.CancelledError(), "CANCELED"),
        (EngineError("x"), "BACKEND"),
        (RuntimeError("x"), "BACKEND"),
        (UsageError("x"), "OTHER"),
    ],
)
def test_a_request_that_fails_is_counted_with_its_reason(error: BaseException, reason: str) -> None:
    stats = Stats()

    with pytest.raises(type(error)), counted(stats):
        raise error

    assert dict(stats.failures) == {reason: 1}
    assert stats.success.count == 0


def test_a_request_that_is_answered_is_counted_with_its_stages() -> None:
    stats = Stats()

    with counted(stats) as succeeded:
        succeeded(RESULT, 0.4)

    assert (stats.success.count, stats.inferences, sum(stats.failures.values())) == (1, 2, 0)
    assert [round(total.ns / 1e9, 6) for total in stats.stages.values()] == [0.1, 0.2, 0.3, 0.4]
