"""`lit-infer customers.csv`: the same rows give the same answers from every format, and from Python."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from lit_infer import load
from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.conftest import BIN
from tests.support.tables import CODES, LABELS, ROWS, table_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_bundle(tmp_path_factory.mktemp("models") / "ages")


@pytest.fixture(scope="module")
def ages(bundle: Path) -> Predictor:
    return load(bundle, device="cpu")


def written(path: Path) -> Path:
    rows = [{"id": f"r{index}", **row} for index, row in enumerate(ROWS)]
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pa.parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("batch_size", [1, 64])
def test_every_format_gives_the_answers_of_the_rows(
    ages: Predictor, tmp_path: Path, suffix: str, batch_size: int
) -> None:
    path = written(tmp_path / f"customers{suffix}")
    found: list[Any] = []

    summary = run_job(ages, parse([str(path)]), Job(keep=("id",), batch_size=batch_size), each=found.append)

    assert [row["label"] for row in found] == LABELS
    assert [row["code"] for row in found] == CODES
    assert [row["id"] for row in found] == ["r0", "r1", "r2", "r3"]
    assert found[3]["error"] == "smoker is missing"
    assert summary.failed == 1
    direct = ages.predict(ROWS, batch_size=batch_size)
    assert [row["score"] for row in found] == [one.score for one in direct]


def test_a_column_that_the_file_calls_otherwise(bundle: Path, tmp_path: Path) -> None:
    text = "alter,job,smoker\n50,cook,false\n20.5,smith,yes\n"
    (tmp_path / "kunden.csv").write_text(text)
    line = [BIN / "lit-infer", "kunden.csv", "--model", bundle, "--column", "age=alter", "-o", "out.csv"]

    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "classes: old 1, young 1" in done.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["old", "young"]


def test_a_file_of_arrays_is_not_a_table(ages: Predictor, tmp_path: Path) -> None:
    (tmp_path / "a.npz").touch()
    found: list[Any] = []

    run_job(ages, parse([str(tmp_path / "a.npz")]), Job(), each=found.append)

    assert found[0]["error"] == "rows are read from .arrow .csv .feather .jsonl .parquet files"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_table_may_come_from_standard_input(bundle: Path, tmp_path: Path, suffix: str) -> None:
    data = written(tmp_path / f"a{suffix}").read_bytes()
    line = [BIN / "lit-infer", "-", "--model", bundle, "--json", "--keep", "id", "-q"]

    done = subprocess.run(line, input=data, cwd=tmp_path, capture_output=True, check=False)

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["path"], row["row"], row["id"], row["label"]) for row in rows] == [
        ("-", index, f"r{index}", label) for index, label in enumerate(LABELS)
    ]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_column_to_carry_over_that_no_file_has_is_a_slip_of_the_pen(
    ages: Predictor, tmp_path: Path, suffix: str
) -> None:
    path = written(tmp_path / f"customers{suffix}")

    with pytest.raises(UsageError, match="--keep idd: there is no such column, only id, age, job, smoker"):
        run_job(ages, parse([str(path)]), Job(keep=("idd",)))


def test_quiet_or_not_it_is_said_why_a_whole_file_failed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,job\n1,cook\n")
    line = [BIN / "lit-infer", "a.csv", "--model", bundle, "-q"]

    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("a.csv: there is no smoker in it, only age, job")


def test_json_and_a_file_are_not_both_written(bundle: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv")
    line = [BIN / "lit-infer", path, "--model", bundle, "--json", "-o", "out.csv"]

    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "--json prints the rows and writes no file" in done.stderr
