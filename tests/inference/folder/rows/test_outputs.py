from pathlib import Path

import numpy as np
import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.job import Job
from lit_infer.folder.rows.found import FoundBlock, RowOrigin
from lit_infer.folder.rows.outputs import RowOutputs
from lit_infer.folder.rows.peeking import Peeking
from lit_infer.folder.table import Table
from lit_infer.predictor import Predictor
from lit_infer.rows.blocks import RowBlock
from lit_infer.tasks import Ask
from tests.support.answered import answered
from tests.support.tensors import tensor_manifest


class Unopened(Predictor):
    """A predictor that has a manifest and no graph."""

    def __init__(self) -> None:
        self.manifest = tensor_manifest()


def outputs(folder: Path) -> RowOutputs:
    predictor = Unopened()
    job = Job(output=folder / "o.npz")
    return RowOutputs(job, predictor, Table.of(predictor.manifest, has_answers=False), Ask(), folder)


def found(*origins: RowOrigin) -> Peeking[FoundBlock]:
    return Peeking(FoundBlock(RowBlock(origin.count), [origin]) for origin in origins)


FIRST, SECOND = RowOrigin("a.npz", 0, 3, b"12345678"), RowOrigin("a.npz", 3, 3, b"12345678")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run over two blocks has left."""
    made = outputs(tmp_path)
    block = answered({"y": np.ones((3, 3), np.float32), "total": np.ones(3, np.float32)})
    for origin in (FIRST, SECOND):
        made.add(type(block)(**{**vars(block), "origins": [origin]}))
    made.close()
    return tmp_path


def test_a_run_continues_behind_the_last_block_that_all_files_have(folder: Path) -> None:
    with (folder / "array-1.bin").open("r+b") as file:
        file.truncate(4 * 4)
    again, blocks = outputs(folder), found(FIRST, SECOND)

    assert [block.count for block in again.resumed(blocks)] == [3]
    assert next(blocks).origins == [SECOND]
    again.close()
    assert ((folder / "array-0.bin").stat().st_size, (folder / "array-1.bin").stat().st_size) == (36, 12)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ((), "a.npz was expected next, but there are no more rows"),
        ((RowOrigin("b.npz", 0, 3),), "a.npz was expected next, but b.npz is there instead"),
        ((RowOrigin("a.npz", 0, 3, b"87654321"),), "a.npz has changed since that run"),
        ((RowOrigin("a.npz", 0, 2, b"12345678"),), "a.npz is read in other pieces now"),
    ],
)
def test_what_is_not_as_it_was_is_told(folder: Path, now: tuple[RowOrigin, ...], said: str) -> None:
    again = outputs(folder)

    with pytest.raises(UsageError, match=said):
        list(again.resumed(found(*now)))
    again.close()
