"""The table of resizes. Their pixels by every library: tests/export/proof/test_reference.py."""

from typing import Any

import numpy as np
import pytest

from lit_infer.images.pictures import to_array
from lit_infer.images.resampling import RESAMPLE
from lit_infer.images.resizing import INTERPOLATIONS, Library

EVERY = [(library, how) for library, known in INTERPOLATIONS.items() for how in known]


def test_every_library_that_a_manifest_may_name_has_a_row() -> None:
    assert set(RESAMPLE) == set(INTERPOLATIONS) == set(Library.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize(("library", "how"), EVERY)
def test_a_flat_picture_of_any_kind_stays_flat_in_the_wanted_size(
    library: Any, how: Any, channels: int, dtype: str
) -> None:
    array = np.full((13, 17, channels), 7, dtype)

    found = to_array(RESAMPLE[library](array, (5, 29), how, True))

    assert found.shape == (29, 5, channels)
    np.testing.assert_allclose(found, 7, rtol=1e-5)
