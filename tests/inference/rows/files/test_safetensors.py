import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from lit_infer.errors import InputError
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.files import Wanted
from lit_infer.rows.files.safetensors import READER

WANTED = Wanted(ArrayFields((Tensor(name="x", dtype="float32", shape=("batch", 3)),)), {})
ENTRY = {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12]}


def written(path: Path, header: Any, data: bytes = bytes(12)) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_an_array_of_a_dtype_that_numpy_lacks_matters_only_where_it_is_wanted(tmp_path: Path) -> None:
    other = {"dtype": "BF16", "shape": [6], "data_offsets": [0, 12]}

    (block,) = READER.blocks(written(tmp_path / "a.safetensors", {"x": ENTRY, "y": other}), WANTED, 8)

    assert block.count == 1
    with pytest.raises(InputError, match="x is BF16, which numpy has no dtype for"):
        list(READER.blocks(written(tmp_path / "a.safetensors", {"x": other}), WANTED, 8))


@pytest.mark.parametrize(
    "changed",
    [
        {"data_offsets": [0, 8]},
        {"data_offsets": [8, 20]},
        {"data_offsets": [-4, 8]},
        {"shape": [-1, 3]},
        {"shape": "3"},
        {"dtype": 3},
        {"data_offsets": [0]},
    ],
)
def test_a_header_that_does_not_fit_its_bytes_is_an_error(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        list(READER.blocks(written(tmp_path / "a.safetensors", {"x": {**ENTRY, **changed}}), WANTED, 8))


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    safetensors.numpy.save_file({"x": x}, tmp_path / "a.safetensors", metadata={"made": "by hand"})

    (block,) = READER.blocks(tmp_path / "a.safetensors", WANTED, 8)

    assert np.array_equal(np.asarray(block.columns["x"]), x)
    assert READER.count(tmp_path / "a.safetensors", WANTED) == 3
