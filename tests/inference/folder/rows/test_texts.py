"""`cat lines.txt | lit-infer -` and `lit-infer reviews.parquet`: texts in, the eager module's answers out."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from lit_infer import load
from lit_infer.errors import ArtifactError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.predictor import Predictor
from tests.conftest import BIN, ROOT
from tests.support.texts import SENTENCES, eager

MANY = [*SENTENCES * 30, "the end"]


@pytest.fixture(scope="module")
def model(texts: Path) -> Predictor:
    return load(texts, device="cpu")


def run(model: Predictor, path: Path, **job: Any) -> list[Any]:
    found: list[Any] = []
    run_job(model, parse([str(path)]), Job(**job), each=found.append)
    return found


def score(row: dict[str, Any]) -> list[float]:
    return [one["score"] for one in sorted(row["top"], key=lambda one: int(one["index"]))]


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_answers_are_the_eager_modules_in_the_order_of_the_lines(
    model: Predictor, tmp_path: Path, batch_size: int
) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"{text}\n" for text in MANY))

    rows = run(model, tmp_path / "lines.txt", batch_size=batch_size)

    assert [row["row"] for row in rows] == list(range(len(MANY)))
    assert np.allclose([score(row) for row in rows], [eager(text) for text in MANY], atol=1e-6)
    direct = model.predict(MANY, batch_size=batch_size)
    assert [one.score for one in direct] == [row["score"] for row in rows]


def test_lines_from_standard_input_are_texts(texts: Path, tmp_path: Path) -> None:
    line = [BIN / "lit-infer", "-", "--model", texts, "--json", "--quiet"]
    given = "".join(f"{text}\n" for text in SENTENCES)

    done = subprocess.run(line, input=given, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert [(row["path"], row["row"]) for row in rows] == [("-", row) for row in range(len(SENTENCES))]
    assert np.allclose([score(row) for row in rows], [eager(text) for text in SENTENCES], atol=1e-6)


def test_a_column_of_a_table_has_the_texts(model: Predictor, tmp_path: Path) -> None:
    table = pa.table({"review": [*SENTENCES, None], "id": list(range(len(SENTENCES) + 1))})
    pa.parquet.write_table(table, tmp_path / "reviews.parquet")
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text"), *enumerate(SENTENCES)])

    rows = run(model, tmp_path / "reviews.parquet", columns={"text": "review"}, keep=("id",))
    from_csv = run(model, tmp_path / "reviews.csv")

    assert [row["id"] for row in rows] == list(range(len(SENTENCES) + 1))
    assert (rows[-1]["code"], rows[-1]["error"]) == ("missing", "text is missing")
    assert [row["score"] for row in from_csv] == [row["score"] for row in rows[:-1]]


_KILLED = """
import os, signal, sys
from pathlib import Path
from lit_infer import load
from lit_infer.folder import partial, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job

partial.COMMIT_SECONDS = 0.0
seen = []

def each(row):
    seen.append(row)
    if len(seen) == 100:
        os.kill(os.getpid(), signal.SIGKILL)

run_job(load(sys.argv[1], device="cpu"), parse([sys.argv[2]]), Job(output=Path(sys.argv[3]), batch_size=4), each=each)
"""


def test_a_run_that_was_killed_is_resumed_byte_for_byte(model: Predictor, texts: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("".join(f"{text}\n" for text in MANY))
    run(model, tmp_path / "lines.txt", batch_size=4, output=tmp_path / "whole.jsonl")

    line = [sys.executable, "-c", _KILLED, texts, tmp_path / "lines.txt", tmp_path / "o.jsonl"]
    assert subprocess.run(line, check=False, cwd=ROOT).returncode == -9
    run(model, tmp_path / "lines.txt", batch_size=4, output=tmp_path / "o.jsonl", resume=True)

    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_bundle_with_another_tokenizer_is_not_used(texts: Path, tmp_path: Path) -> None:
    shutil.copytree(texts, tmp_path / "b")
    with (tmp_path / "b" / "tokenizer.json").open("a") as file:
        file.write(" ")

    with (
        load(tmp_path / "b", device="cpu") as model,
        pytest.raises(ArtifactError, match=r"tokenizer\.json is not the file that the manifest describes"),
    ):
        model.predict(["a film"])
