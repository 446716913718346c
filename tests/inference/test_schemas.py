"""Manifests of released schemas, as plain data. Whole bundles of them: tests/fixtures."""

from typing import Any

import pytest

from lit_infer.schemas import translated

OLD: dict[str, Any] = {
    "schema": 1,
    "name": "digits",
    "graphs": [
        {"format": "onnx", "parity": {"max_abs": 0.1, "top1_agreement": 1.0}, "score": {"value": 0.9}},
        {"format": "pt2", "status": "failed"},
    ],
}


def test_agreement_has_its_new_name_and_a_score_says_of_what() -> None:
    found = translated(OLD, 1, newest=2)

    assert (found["schema"], found["name"]) == (2, "digits")
    onnx, pt2 = found["graphs"]
    assert onnx["parity"] == {"max_abs": 0.1, "agreement": 1.0}
    assert onnx["score"] == {"metric": "accuracy", "value": 0.9}
    assert pt2 == {"format": "pt2", "status": "failed"}


def test_what_was_read_stays_as_it_was() -> None:
    translated(OLD, 1, newest=2)

    assert OLD["graphs"][0]["parity"] == {"max_abs": 0.1, "top1_agreement": 1.0}


def test_the_newest_is_left_alone_and_what_was_never_released_is_refused() -> None:
    assert translated(OLD, 2, newest=2) is OLD
    with pytest.raises(ValueError, match="schema 0 was never released"):
        translated(OLD, 0, newest=2)
