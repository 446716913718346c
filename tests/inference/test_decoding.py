"""lit_infer.decoding: what does not fit is named, with what would fit."""

from typing import Any

import pytest

from lit_infer.errors import UsageError
from lit_infer.manifest import DeploymentFacts, convert


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"preprocess": [{"rotate": {}}]},
            r"unknown field `rotate`.*there are resize, center_crop, exif_transpose, read, ",
        ),
        (
            {"preprocess": [{"resize": {"size": 8, "interpolation": "soft"}}]},
            "there are area, bicubic, bicubic_corners, bilinear, ",
        ),
        (
            {"preprocess": [{"resize": {"size": 8, "library": "gimp"}}]},
            "'gimp'.*library`; there are opencv, pil, torch$",
        ),
        ({"label": ["a"]}, r"unknown field `label`; there are task, preprocess, scale, normalize, labels, "),
        ({"preprocess": 3}, r"Expected `array`, got `int` - at `\$\.preprocess`$"),
    ],
)
def test_a_name_or_a_value_that_is_not_known_is_answered_with_those_that_are(
    data: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        convert({"task": "image-classification", **data}, DeploymentFacts, where="--spec x.yaml")


def test_facts_of_answers_are_explained_by_their_task() -> None:
    facts = {"task": "image-multilabel", "answers": {"threshold": 0.3}}
    with pytest.raises(UsageError, match=r"task image-multilabel: .*`threshold`; there are thresholds, scores$"):
        convert(facts, DeploymentFacts, where="--spec x.yaml")
