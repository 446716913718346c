"""The steps as a manifest has them: what each makes of an image's size. Their pixels: test_steps, test_pixels."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import UsageError
from lit_infer.images import prepare
from lit_infer.images.preprocess import CenterCrop, ExifTranspose, Normalize, Resize, Step, check_steps, height_width

sides = st.integers(1, 40)
sizes = sides | st.tuples(sides, sides)
steps = st.builds(lambda size: Step(resize=Resize(size=size)), sizes) | st.builds(
    lambda size: Step(center_crop=CenterCrop(size=size)), sizes
)
UPRIGHT = Step(exif_transpose=ExifTranspose())


@given(width=sides, height=sides, step=steps | st.just(UPRIGHT))
def test_the_size_that_a_step_says_is_the_size_that_it_makes(width: int, height: int, step: Step) -> None:
    made = prepare(np.zeros((height, width, 3), dtype=np.uint8), steps=(step,), channels=3)

    assert step.value.output_size(width, height) == (made.shape[1], made.shape[0])
    assert step.value.fixed_size in (None, made.shape[:2])


@given(width=sides, height=sides, some=st.lists(steps, max_size=3).map(tuple))
def test_where_all_images_have_one_size_it_is_known_beforehand(width: int, height: int, some: tuple[Step, ...]) -> None:
    try:
        expected = height_width(some)
    except UsageError:
        assert not any(step.value.fixed_size for step in some)
        return
    assert prepare(np.zeros((height, width, 3), dtype=np.uint8), steps=some, channels=3).shape[:2] == expected


@given(step=steps | st.just(UPRIGHT))
def test_a_step_is_one_key_in_the_manifest_and_comes_back(step: Step) -> None:
    data = msgspec.json.encode(step)

    assert list(msgspec.json.decode(data)) == [step.kind]
    assert msgspec.json.decode(data, type=Step) == step
    assert step.value.describe()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "must have exactly one of exif_transpose, resize, center_crop; this one has none"),
        ('{"resize": {"size": 8}, "center_crop": {"size": 8}}', "exactly one of"),
        ('{"resize": {"size": 0}}', "size 0 must be positive"),
        ('{"resize": {"size": [8, 0]}}', "must be positive"),
        ('{"resize": {"size": 8, "antialias": false}}', "antialias must be true"),
        ('{"resize": {"size": 8, "library": "opencv"}}', "library"),
        ('{"center_crop": {"size": -1}}', "size -1 must be positive"),
        ('{"blur": {}}', "unknown field `blur`"),
    ],
)
def test_a_step_that_means_nothing_is_refused(text: str, says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.json.decode(text, type=Step)


def test_the_orientation_is_followed_first_or_not_at_all() -> None:
    crop = Step(center_crop=CenterCrop(size=8))

    check_steps((UPRIGHT, crop))
    with pytest.raises(ValueError, match="exif_transpose comes first"):
        check_steps((crop, UPRIGHT))


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"mean": (0.5,), "std": (0.5, 0.5, 0.5)}, "one value"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, "one value"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "must be finite"),
        ({"mean": (0.5,), "std": (0.0,)}, "must be positive"),
    ],
)
def test_a_normalisation_that_gives_no_numbers_is_refused(facts: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Normalize(**facts)
