"""The steps that change what pixels hold: what they accept, what they say. Their pixels: test_reference, test_steps."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.images.mapping import Placement
from lit_infer.images.preprocess import Step
from tests.support.pixel_steps import step, values

SOME = [
    step(exif_transpose={}),
    step(read={}),
    step(grayscale={}),
    step(channels={"order": [2, 1, 0]}),
    step(scale={}),
    step(stretch={}),
    step(normalize={"mean": [0.5], "std": [0.5]}),
]


@pytest.mark.parametrize("one", SOME, ids=lambda one: one.kind)
@given(width=st.integers(1, 5000), height=st.integers(1, 5000))
def test_no_pixel_is_moved(one: Step, width: int, height: int) -> None:
    assert one.value.output_size(width, height) == (width, height)
    assert one.value.placement(width, height) == Placement()
    assert one.value.fixed_size is None


@given(one=st.integers(1, 32).flatmap(lambda count: values(channels=count)))
def test_a_step_comes_back_from_a_manifest_and_says_what_it_does(one: Step) -> None:
    assert msgspec.json.decode(msgspec.json.encode(one), type=Step) == one
    assert one.value.describe().strip()


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"read": {"library": "tifffile", "mode": "gray"}}, "tifffile reads files unchanged; add grayscale after it"),
        ({"read": {"library": "numpy", "mode": "gray"}}, "NumPy reads files unchanged"),
        ({"read": {"depth": "uint16"}}, "images of uint16 are read unchanged"),
        ({"read": {"background": [0, 0, 0], "library": "opencv"}}, "background is for PIL images"),
        ({"read": {"background": [0, 0, 0], "mode": "unchanged"}}, "background is for PIL images"),
        ({"read": {"library": "skimage"}}, "skimage"),
        ({"grayscale": {"channels": 2}}, "2"),
        ({"grayscale": {"library": "tifffile"}}, "tifffile"),
        ({"channels": {"order": []}}, "1 to 32 indices"),
        ({"channels": {"order": list(range(33))}}, "1 to 32 indices"),
        ({"channels": {"order": [-1]}}, "indices from 0"),
        ({"scale": {"by": 0}}, "must be a positive number"),
        ({"scale": {"by": -255}}, "must be a positive number"),
        ({"stretch": {"low": 98, "high": 2}}, "percentiles, 0 to 100"),
        ({"stretch": {"low": 50, "high": 50}}, "percentiles, 0 to 100"),
        ({"stretch": {"high": 101}}, "percentiles, 0 to 100"),
        ({"stretch": {"epsilon": -1}}, "must not be negative"),
        ({"stretch": {"kind": "gamma"}}, "gamma"),
        ({"normalize": {"mean": [0.5], "std": [0.5, 0.5]}}, "one value for each channel"),
        ({"normalize": {"mean": [0.5] * 33, "std": [0.5] * 33}}, "1 to 32"),
        ({"normalize": {"mean": [0.5], "std": [0]}}, "must be positive"),
    ],
)
def test_what_means_nothing_is_refused(given_: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(given_, Step)


@pytest.mark.parametrize(("mode", "channels"), [("rgb", 3), ("gray", 1), ("unchanged", None)])
def test_how_a_file_is_read_says_how_many_channels_it_has(mode: str, channels: int | None) -> None:
    assert step(read={"mode": mode}).value.channels == channels  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (step(read={"library": "opencv", "mode": "gray"}), "read as grey, by OpenCV"),
        (step(read={"background": [1, 2, 3]}), "read as RGB, by Pillow, transparent parts over 1, 2, 3"),
        (step(grayscale={"channels": 3, "library": "torch"}), "make it grey, three equal channels, by torch's tensors"),
        (step(channels={"order": [3, 2, 1]}), "take its channels 3, 2, 1, counted from 0"),
        (step(scale={"by": 65535}), "divide by 65535"),
        (step(scale={"by": 1}), "values as they are, in float32"),
        (
            step(stretch={"kind": "percentile", "low": 2, "high": 98, "per_channel": True}),
            "scale its percentiles 2 and 98 to 0 and 1, each channel alone",
        ),
        (step(normalize={"mean": [0.5], "std": [0.25]}), "normalize by mean 0.5 and deviation 0.25"),
    ],
)
def test_it_says_in_words_what_it_does(one: Step, says: str) -> None:
    assert one.value.describe() == says
