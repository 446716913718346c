"""What the steps do to pixels is compared with torchvision in test_images.py; here, when they do nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_infer.images import steps as transforms
from lit_infer.images.limits import DEFAULT_LIMITS
from lit_infer.manifest import CenterCrop, ExifTranspose, Resize, Step
from tests.inference.tiny import noise

UPRIGHT = Step(exif_transpose=ExifTranspose())
SIZES = st.integers(1, 9) | st.tuples(st.integers(1, 9), st.integers(1, 9))
STEPS = st.lists(
    st.builds(lambda size: Step(resize=Resize(size=size)), SIZES)
    | st.builds(lambda size: Step(center_crop=CenterCrop(size=size)), SIZES)
    | st.just(UPRIGHT),
    max_size=3,
)


@given(STEPS, st.integers(1, 9), st.integers(1, 9))
@settings(deadline=None)
def test_steps_that_are_said_to_keep_an_image_do(steps: list[Step], width: int, height: int) -> None:
    image = Image.fromarray(noise(width, height))

    if transforms.is_identity(steps, width=width, height=height):
        done = transforms.apply(steps, image, channels=3, limits=DEFAULT_LIMITS)
        assert np.array_equal(np.asarray(done), np.asarray(image))


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (Step(resize=Resize(size=7)), True),  # the shorter side
        (Step(resize=Resize(size=(7, 9))), True),  # height, width
        (Step(resize=Resize(size=(9, 7))), False),
        (Step(resize=Resize(size=8)), False),
        (Step(center_crop=CenterCrop(size=(7, 9))), True),
        (Step(center_crop=CenterCrop(size=7)), False),
        (UPRIGHT, True),
    ],
)
def test_an_image_of_the_wanted_size_is_kept(step: Step, kept: bool) -> None:
    assert transforms.is_identity([step], width=9, height=7) == kept
