from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.folder.arguments import parse
from lit_infer.folder.rows.found import FoundBlock, RowInputs
from lit_infer.manifest import Tensor
from lit_infer.rows.arrays import ArrayFields
from lit_infer.rows.files import Wanted

WANTED = Wanted(ArrayFields((Tensor(name="x", dtype="float32", shape=("batch", "length")),)), {})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of 5 and 7 rows of two numbers, one row of three, a broken file and one of 4 rows of two."""
    folder = tmp_path_factory.mktemp("rows")
    for name, shape in (("a", (5, 2)), ("b", (7, 2)), ("c", (1, 3)), ("e", (4, 2))):
        np.save(folder / f"{name}.npy", np.zeros(shape, dtype=np.float32))
    (folder / "d.npy").write_bytes(b"nothing")
    (folder / "notes.txt").touch()
    return folder


def inputs(files: Path, **more: Any) -> RowInputs:
    return RowInputs(parse([str(files)]), WANTED, **more)


def named(blocks: list[FoundBlock]) -> list[tuple[str, int | None]]:
    return [
        (Path(origin.path).stem, None if origin.first is None else origin.first + row * origin.step)
        for block in blocks
        for origin in block.origins
        for row in range(origin.count)
    ]


ALL = [
    *(("a", row) for row in range(5)),
    *(("b", row) for row in range(7)),
    ("c", 0),
    ("d", None),
    *(("e", row) for row in range(4)),
]


@pytest.mark.parametrize("size", [1, 2, 5, 8, 100])
def test_rows_come_in_order_in_blocks_across_files_and_apart_where_they_do_not_fit(files: Path, size: int) -> None:
    found = inputs(files)

    blocks = list(found.blocks(size))

    assert named(blocks) == ALL
    assert all(block.rows.count <= size for block in blocks)
    assert found.skipped() == {".txt": 1}
    assert found.count() == len(ALL)
    if size == 8:
        assert [block.rows.count for block in blocks] == [8, 4, 1, 1, 4]


@given(st.integers(1, 9), st.integers(1, 30))
def test_shards_are_all_rows_and_none_twice(files: Path, shards: int, size: int) -> None:
    parts = [named(list(inputs(files, shard=(own, shards)).blocks(size))) for own in range(shards)]

    assert parts == [ALL[own::shards] for own in range(shards)]


def test_a_file_whose_rows_are_answered_together_is_one_block(files: Path) -> None:
    found = inputs(files, whole_files=True)

    assert [block.rows.count for block in found.blocks(2)] == [5, 7, 1, 1, 4]


def test_what_is_no_file_of_rows_is_an_error_row(files: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{files}/notes.txt\ns3://bucket/a.npy\n{files}/none.npy\n")

    blocks = list(RowInputs(parse([f"@{listed}"]), WANTED).blocks(8))

    errors = [error.code for block in blocks for error in block.rows.errors.values()]
    assert errors == ["unknown_format", "not_local", "not_found"]


def test_a_files_stamp_changes_with_it(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    stamps = set()
    for count in (2, 3):
        np.save(path, np.zeros((count, 2), dtype=np.float32))
        (block,) = RowInputs(parse([str(path)]), WANTED).blocks(8)
        stamps |= {origin.stamp for origin in block.origins}

    assert len(stamps) == 2
