"""The five lines at the top of docs/rows.md, each run by a shell as it stands there, beside a bundle that suits it."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import ROOT
from tests.support.sounds import sound_bundle, write_recordings
from tests.support.tables import LABELS, ROWS, table_bundle
from tests.support.tensors import tensor_bundle
from tests.support.texts import text_bundle

LINES = [line.strip() for line in (ROOT / "docs" / "rows.md").read_text().splitlines() if "--model bundle" in line][:5]
TEXTS = ("a wonderful film", "dull", "")


def arrays(folder: Path) -> Path:
    np.savez(folder / "batch.npz", x=np.arange(12, dtype=np.float32).reshape(4, 3), number=np.arange(4))
    return tensor_bundle(folder / "bundle")


def table(folder: Path) -> Path:
    with (folder / "customers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["job", "alter", "smoker"])
        writer.writerows([row["job"], row["age"], row["smoker"]] for row in ROWS)
    return table_bundle(folder / "bundle")


def texts_of_parquet(folder: Path) -> Path:
    pq.write_table(pa.table({"text": TEXTS}), folder / "reviews.parquet")
    return text_bundle(folder)


def texts_of_lines(folder: Path) -> Path:
    (folder / "lines.txt").write_text("\n".join(TEXTS) + "\n")
    return text_bundle(folder)


def recordings(folder: Path) -> Path:
    (folder / "recordings").mkdir()
    write_recordings(folder / "recordings")
    return sound_bundle(folder)


def checked_arrays(folder: Path, _: str) -> None:
    with np.load(folder / "out.npz") as found:
        assert np.array_equal(found["y"], 2 * np.arange(12).reshape(4, 3) + np.arange(4)[:, None])


def checked_table(folder: Path, _: str) -> None:
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == LABELS


def checked_texts(folder: Path, _: str) -> None:
    found = pq.read_table(folder / "out.parquet").to_pydict()
    assert set(found["label"]) <= {"good", "bad"}
    assert all(0.5 <= score <= 1 for score in found["score"])


def checked_lines(_: Path, printed: str) -> None:
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row["row"] for row in rows] == [0, 1, 2]
    assert {row["label"] for row in rows} <= {"good", "bad"}


def checked_recordings(folder: Path, _: str) -> None:
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == sorted(
        f"recordings/{one.name}" for one in (folder / "recordings").iterdir()
    )
    assert all(row["label"] for row in rows)


CASES: list[tuple[Callable[[Path], Path], int, Callable[[Path, str], None]]] = [
    (arrays, 0, checked_arrays),
    (table, 1, checked_table),  # a value is missing in a row
    (texts_of_parquet, 0, checked_texts),
    (texts_of_lines, 0, checked_lines),
    (recordings, 0, checked_recordings),
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5), ids=["arrays", "table", "parquet", "lines", "recordings"])
def test_the_lines_at_the_top_of_the_page_work_as_they_stand_there(number: int, tmp_path: Path) -> None:
    make, status, check = CASES[number]
    make(tmp_path)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    line = ["sh", "-c", LINES[number]]
    done = subprocess.run(
        line, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )

    assert done.returncode == status, done.stderr
    check(tmp_path, done.stdout)
