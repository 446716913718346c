"""lit_export.options: what can be asked of an export, and what cannot."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_export.options import Options
from lit_infer.errors import UsageError


def test_the_defaults_need_nothing_and_cannot_be_changed_by_accident() -> None:
    options = Options()

    assert options.precisions == ("fp32",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.opset = 17  # type: ignore[misc]


@given(batch=st.integers(1, 2**20), opset=st.integers(7, 30), drop=st.floats(0, 1))
def test_what_makes_sense_is_taken_as_it_is(batch: int, opset: int, drop: float) -> None:
    options = Options(static_batch=batch, opset=opset, max_drop=drop)

    assert (options.static_batch, options.opset, options.max_drop) == (batch, opset, drop)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"static_batch": 0}, "--static-batch 0: expected at least 1"),
        ({"opset": 6}, "--opset 6: "),
        ({"opset": 31}, "--opset 31: "),
        ({"name": "a/b"}, "--name 'a/b': use letters, digits"),
        ({"name": ""}, "--name '': use letters"),
        ({"max_drop": 1.01}, "--max-drop 1.01: "),
        ({"max_drop": -0.1}, "--max-drop -0.1: "),
        ({"max_drop": float("nan")}, "--max-drop nan: "),
        ({"precisions": ("fp32", "int8")}, "--precision int8 needs --calibration FOLDER"),
    ],
)
def test_what_makes_no_sense_is_explained_by_the_option(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Options(**asked)
    assert str(caught.value).startswith(says)


def test_int8_with_images_to_calibrate_on_is_taken() -> None:
    assert Options(precisions=("int8",), calibration=Path("photos")).calibration == Path("photos")
