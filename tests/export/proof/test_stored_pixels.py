"""A few images and what the runtime prepared of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_export.proof.stored_pixels import stored
from lit_infer import images
from tests.support.pixel_steps import facts, step

SOME: dict[str, Any] = {
    "bytes": facts(step(resize={"size": [20, 22]})),
    "floats": facts(step(scale={}), step(resize={"size": [20, 22], "library": "torch"})),
    "bands": facts(
        step(read={"mode": "unchanged", "library": "tifffile", "depth": "uint16"}),
        step(channels={"order": [5, 0]}),
        step(resize={"size": [20, 22], "library": "opencv"}),
    ),
}


@pytest.mark.parametrize("name", sorted(SOME))
def test_files_are_stored_as_bytes_with_what_is_prepared_of_them(name: str, tmp_path: Path) -> None:
    described = SOME[name]

    arrays = stored(described, tmp_path)

    assert set(arrays) == {f"{kind}_{index}" for kind in ("file", "pixels") for index in range(4)}
    for index in range(4):
        found = images.prepare(
            arrays[f"file_{index}"].tobytes(), steps=described.preprocess, channels=described.channels
        )
        np.testing.assert_array_equal(found, arrays[f"pixels_{index}"])
        assert arrays[f"pixels_{index}"].dtype == described.pixel_dtype
        assert arrays[f"file_{index}"].dtype == np.uint8
