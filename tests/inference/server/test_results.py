"""Requests and results are data that nobody changes on the way."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from lit_infer.server.results import InferRequest, Items, Result, WantedOutput


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (WantedOutput("x", binary=True), "binary"),
        (InferRequest("", Items(images=(b"image",)), ()), "items"),
        (Result((np.zeros(1),), 1, 0.0, 0.0, 0.0, 0.0), "rows"),
    ],
)
def test_they_are_frozen(data: object, field: str) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(data, field, None)


def test_an_output_is_wanted_as_numbers_unless_classes_are_asked_for() -> None:
    assert WantedOutput("x", binary=False).classes == 0
