"""lit_export.proof.reference_resizing: each library's own resize, of floats too, where the runtime has its own."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lit_export.proof.reference_resizing import LIBRARIES, resized
from lit_infer.images.resizing import INTERPOLATIONS, Resize
from tests.support import pixel_steps
from tests.support.pixel_steps import assert_both_sides_agree, facts, step

of_files = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.parametrize("how", INTERPOLATIONS["torch"])
@given(data=st.data())
@of_files
def test_floats_are_resized_as_torch_resizes_them(how: str, tmp_path: Path, data: st.DataObject) -> None:
    path = pixel_steps.picture_file(tmp_path, data.draw(pixel_steps.arrays(3, "uint8")), "RGB", ".png")
    # torch itself repeats the first row where what it makes is one pixel wide
    sides = st.integers(2, 48)
    resize = {"size": [data.draw(sides), data.draw(sides)], "library": "torch", "interpolation": how}

    assert_both_sides_agree(path, facts(step(scale={}), step(resize={**resize, "antialias": data.draw(st.booleans())})))


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_image_of_that_size_is_left_as_it_is(library: str) -> None:
    image = Image.new("RGB", (9, 7), (1, 2, 3))
    resize = Resize(size=(7, 9), library=library)  # type: ignore[arg-type]

    assert resized(image, resize) is image
    assert np.asarray(resized(image, Resize(size=(5, 4), library=library))).shape == (5, 4, 3)  # type: ignore[arg-type]
