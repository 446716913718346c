import csv
import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.table import Columns
from lit_infer.folder.writers import check, publish
from lit_infer.folder.writers import write_rows as write_with_columns
from lit_infer.tasks import Row
from tests.conftest import run_command
from tests.inference.tiny import without
from tests.support.rows import table

TOP = [{"label": "red", "index": 0, "score": 0.1 + 0.2}, {"label": "a,b", "index": 1, "score": 1e-9}]


COLUMNS = table().columns
TIMED = table(timings=True).columns


def write_rows(rows: Iterable[Row], output: Path, columns: Columns = COLUMNS) -> None:
    write_with_columns(rows, output, columns)


def rows(count: int = 3, **more: Any) -> list[Row]:
    good: Row = dict.fromkeys(COLUMNS) | {"label": "red", "index": 0, "score": 0.1 + 0.2, "top": TOP, "model": "m@1"}
    bad: Row = dict.fromkeys(COLUMNS) | {"top": [], "error": 'it is "empty"', "code": "empty", "model": "m@1"}
    return [{**(bad if number % 3 == 1 else good), "path": f"ü/{number}.png", **more} for number in range(count)]


@pytest.mark.parametrize("more", [{}, {"ms": {"read": 0.5, "decode": 1.0, "resize": 2.0, "infer": 3.25}}, {"ms": None}])
def test_all_formats_hold_the_same(more: Row, tmp_path: Path) -> None:
    import pyarrow.parquet

    for suffix in (".jsonl", ".csv", ".parquet"):
        write_rows(iter(rows(**more)), tmp_path / f"out{suffix}", TIMED if more else COLUMNS)

    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    with (tmp_path / "out.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert lines == table == rows(**more)
    assert [list(row) for row in cells] == [list(row) for row in lines]
    assert [(row["path"], row["score"], json.loads(row["top"])) for row in cells] == [
        (row["path"], "" if row["score"] is None else str(row["score"]), row["top"]) for row in lines
    ]


def test_parquet_has_fixed_types_whatever_the_first_rows_hold(tmp_path: Path) -> None:
    import pyarrow.parquet

    write_rows(rows(0), tmp_path / "none.parquet")
    write_rows(rows(25_000), tmp_path / "many.parquet")

    none, many = (pyarrow.parquet.ParquetFile(tmp_path / f"{name}.parquet") for name in ("none", "many"))
    assert none.schema_arrow == many.schema_arrow
    assert (none.metadata.num_rows, many.metadata.num_rows, many.metadata.num_row_groups) == (0, 25_000, 3)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_the_same_rows_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_rows(rows(), tmp_path / f"{name}{suffix}")

    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_name_that_is_no_text_can_be_written(suffix: str, tmp_path: Path) -> None:
    write_rows(rows(1, path=os.fsdecode(b"\xff.png")), tmp_path / f"out{suffix}")

    assert b"\\udcff.png" in (tmp_path / f"out{suffix}").read_bytes()


def test_rows_that_fail_half_way_leave_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")

    def broken() -> Any:
        yield from rows()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_rows(broken(), tmp_path / "out.csv")

    assert (tmp_path / "out.csv").read_text() == "old"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_file_is_published_on_another_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    made = tmp_path / "here/made.npy"
    made.write_bytes(b"data")
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.parent == tmp_path / "here":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    publish(made, tmp_path / "there/out.npy")

    assert (tmp_path / "there/out.npy").read_bytes() == b"data"
    assert os.listdir(tmp_path / "there") == ["out.npy"]


def test_an_output_with_another_suffix_is_refused(tmp_path: Path) -> None:
    for name in ("out.txt", "out", "out.json", ".jsonl"):
        with pytest.raises(UsageError, match=r"must end in \.jsonl, \.csv or \.parquet"):
            check(tmp_path / name)


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="is a folder; name a file in it"):
        check(tmp_path / "folder.jsonl")
    with pytest.raises(UsageError, match="file is not a folder"):
        check(tmp_path / "file/out.jsonl")


def test_an_output_in_folders_that_will_be_made_passes_and_makes_nothing(tmp_path: Path) -> None:
    check(tmp_path / "a/b/out.csv")

    assert os.listdir(tmp_path) == []


def test_without_pyarrow_the_extra_is_named_before_any_work(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    line = ["lit-infer", str(colours), "-m", str(bundle_folder), "-o", "out.parquet"]

    done = run_command(line, tmp_path, **without(tmp_path / "hide", "pyarrow"))

    assert done.returncode == 2
    assert 'pip install "lit-deploy[parquet]"' in done.stderr
    assert os.listdir(tmp_path) == ["hide"]
