"""A version's score, wherever it was written down."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.artifacts.scores import is_better, recorded, shown, text
from lit_infer.manifest import Score
from tests.support.versions import version

SCORE = Score(monitor="val_acc", mode="max", value=0.98765432)


@pytest.mark.parametrize(
    "metadata",
    [
        {"score": {"monitor": "val_acc", "mode": "max", "value": 0.98765432}},
        {"score": 0.98765432, "monitor": "val_acc", "mode": "max"},
        {"score": 0.98765432, "ModelCheckpoint": {"monitor": "val_acc", "mode": "max", "save_top_k": 1}},
    ],
    ids=["lit-export", "lit-train", "W&B's logger"],
)
def test_a_score_is_found_as_each_tool_writes_it(metadata: dict[str, Any]) -> None:
    assert recorded(version(metadata=metadata)) == SCORE
    assert shown(version(metadata=metadata)) == "val_acc 0.987654"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, ""),
        ({"score": "good"}, ""),
        ({"score": 0.5}, "0.5"),
        ({"score": 0.5, "ModelCheckpoint": "best"}, "0.5"),
        ({"score": 0.5, "monitor": "val_acc", "mode": "sideways"}, "0.5"),
        ({"score": {"value": 0.5}}, ""),
        ({"score": math.nan, "monitor": "val_acc", "mode": "max"}, "nan"),
    ],
)
def test_a_number_that_says_not_of_what_is_shown_and_never_compared(metadata: dict[str, Any], said: str) -> None:
    assert recorded(version(metadata=metadata)) is None
    assert shown(version(metadata=metadata)) == said


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(a=numbers, b=numbers)
def test_of_two_different_values_exactly_one_is_better_and_the_mode_says_which(a: float, b: float) -> None:
    def better(mode: Any, first: float, second: float) -> bool:
        return is_better(*(Score(monitor="m", mode=mode, value=value) for value in (first, second)))

    assert better("max", a, b) == better("min", b, a) == (a > b)
    assert better("max", a, b) + better("max", b, a) == (a != b)


def test_a_score_reads_as_metric_and_value() -> None:
    assert text(Score(monitor="val_loss", mode="min", value=0.1)) == "val_loss 0.1"
