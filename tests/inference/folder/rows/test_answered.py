import io

import numpy as np
import pytest

from lit_infer.column_values import RaggedColumn
from lit_infer.folder.rows import writing
from lit_infer.folder.rows.answered import read_blocks
from lit_infer.folder.table import Table
from lit_infer.manifest import Tensor
from lit_infer.tasks import Ask
from tests.support.answered import CASES, ERRORS, answered, made
from tests.support.tensors import tensor_manifest


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("errors", ERRORS)
def test_columns_have_what_single_rows_have(name: str, errors: dict[int, tuple[str, str]]) -> None:
    block, table, ask, rows = made(name, errors=errors)

    assert repr(list(block.rows(table, ask))) == repr(rows)


@pytest.mark.parametrize("errors", ERRORS)
def test_blocks_come_back_from_the_disk(errors: dict[int, tuple[str, str]]) -> None:
    block, table, ask, rows = made("classes", errors=errors)
    data = block.encoded()

    ((end, again),) = read_blocks(io.BytesIO(data + data[:-1]))

    assert end == len(data)
    assert repr(list(again.rows(table, ask))) == repr(rows)
    assert again.origins == block.origins


def test_a_damaged_block_ends_what_is_read() -> None:
    data = bytearray(answered({"y": np.zeros(3)}).encoded())
    data[-1] ^= 1

    assert list(read_blocks(io.BytesIO(bytes(data)))) == []


def test_lists_of_different_lengths_are_kept() -> None:
    manifest = tensor_manifest(outputs=(Tensor(name="y", dtype="float32", shape=("batch", "n")),))
    table = Table(manifest.spec, manifest.reading, "model")
    ragged = RaggedColumn(np.arange(5, dtype=np.float32), np.array([2, 0, 3]))
    ((_, block),) = read_blocks(io.BytesIO(answered({"y": ragged}, errors={1: ("no", "bad")}).encoded()))

    assert [row["y"] for row in block.rows(table, Ask())] == [[0, 1], None, [2, 3, 4]]
    assert '"y": [2.0, 3.0, 4.0]' in writing.json_lines(block.columns(table, Ask()))
