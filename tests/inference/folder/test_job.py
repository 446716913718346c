from pathlib import Path
from typing import Any

import pytest

from lit_infer.errors import GateError, UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import ErrorLimit, Job, Shard
from lit_infer.predictor import Predictor


@pytest.mark.parametrize(
    ("text", "failed", "count", "stops"),
    [
        ("0", 0, 5, False),
        ("0", 1, 5, True),
        ("10", 10, 10, False),
        ("10", 11, 1000, True),
        ("5%", 50, 60, False),
        ("5%", 5, 100, False),
        ("5%", 6, 100, True),
        ("0.5%", 2, 300, True),
        ("100%", 300, 300, False),
    ],
)
def test_a_limit_is_a_number_or_a_share_of_at_least_100(text: str, failed: int, count: int, stops: bool) -> None:
    if not stops:
        ErrorLimit(text).check(failed=failed, count=count)
        return
    with pytest.raises(GateError, match=f"{failed} of {count} images failed, more than --max-errors {text}"):
        ErrorLimit(text).check(failed=failed, count=count)


@pytest.mark.parametrize("text", ["", "-1", "ten", "101%", "5 %", "1.5", "%"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="give a number"):
        ErrorLimit(text)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", ""])
def test_a_shard_is_a_number_of_a_number(text: str) -> None:
    with pytest.raises(UsageError, match="give I/N with I from 1 to N, as in 2/8"):
        Shard(text)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_are_all_items_and_none_twice(count: int) -> None:
    parts = [list(Shard(f"{own}/{count}").of(iter(range(20)))) for own in range(1, count + 1)]

    assert sorted(item for part in parts for item in part) == list(range(20))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_of_images_has_every_so_manyth(predictor: Predictor, colours: Path) -> None:
    whole: list[Any] = []
    run_job(predictor, parse([str(colours)]), Job(), each=whole.append)

    found: list[Any] = []
    run_job(predictor, parse([str(colours)]), Job(shard=Shard("2/3")), each=found.append)

    assert found == whole[1::3]
