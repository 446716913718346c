"""`lit-infer batch.npz`: the promises of the folder command, for rows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from lit_infer import load
from lit_infer.errors import GateError, NotFoundError, UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import ErrorLimit, Job
from lit_infer.folder.merging import merge
from lit_infer.folder.shards import part_of
from lit_infer.folder.tally import Summary
from lit_infer.images.limits import Limits
from lit_infer.predictor import Predictor
from lit_infer.rows import answering
from tests.conftest import BIN
from tests.support.tensors import answers, tensor_bundle, tensor_rows

COUNT = 203


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tensor_bundle(tmp_path_factory.mktemp("models") / "doubler")


@pytest.fixture(scope="module")
def doubler(bundle: Path) -> Predictor:
    return load(bundle, device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """203 rows in a.npz, the 17th of which the graph refuses, and the same in a.parquet with an id."""
    folder = tmp_path_factory.mktemp("data")
    rows = tensor_rows(COUNT)
    rows["number"][17] = 5000
    np.savez(folder / "a.npz", **rows)
    ids = [f"r{index}" for index in range(COUNT)]
    table = {"x": pa.array(rows["x"].tolist(), pa.list_(pa.float32())), "number": rows["number"], "id": ids}
    pa.parquet.write_table(pa.table(table), folder / "a.parquet", row_group_size=50)
    return folder


def run(predictor: Predictor, *paths: Path, each: Any = lambda _: None, **job: Any) -> Summary:
    return run_job(predictor, parse([str(path) for path in paths]), Job(**job), each=each)


def expected(data: Path) -> dict[str, Any]:
    with np.load(data / "a.npz") as stored:
        rows = {name: stored[name] for name in stored.files}
    rows["number"][17] = 0
    return answers(rows)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("batch_size", [None, 1, 10])
def test_rows_are_written_in_order_each_with_its_answer_or_its_error(
    doubler: Predictor, data: Path, tmp_path: Path, batch_size: int | None
) -> None:
    summary = run(doubler, data / "a.npz", output=tmp_path / "o.jsonl", batch_size=batch_size)

    rows, wanted = lines(tmp_path / "o.jsonl"), expected(data)
    assert [row["row"] for row in rows] == list(range(COUNT))
    assert (summary.count, summary.failed, dict(summary.codes)) == (COUNT, 1, {"refused": 1})
    assert (rows[17]["code"], rows[17]["y"], rows[17]["total"]) == ("refused", None, None)
    for row in rows[:17] + rows[18:]:
        assert row["y"] == wanted["y"][row["row"]].tolist()
        assert row["total"] == wanted["total"][row["row"]]


def test_arrays_are_written_as_arrays(doubler: Predictor, data: Path, tmp_path: Path) -> None:
    run(doubler, data / "a.npz", output=tmp_path / "o.npz")

    wanted = expected(data)
    with np.load(tmp_path / "o.npz") as found:
        for name, array in wanted.items():
            assert np.array_equal(np.delete(found[name], 17, 0), np.delete(array, 17, 0))
            assert np.isnan(found[name][17]).all()
        assert found["error_rows"].tolist() == [17]
    assert not (tmp_path / "o.npz.partial").exists()


def test_columns_are_carried_over_with_their_kinds(doubler: Predictor, data: Path, tmp_path: Path) -> None:
    run(doubler, data / "a.parquet", output=tmp_path / "o.parquet", keep=("id",))
    run(doubler, data / "a.parquet", output=tmp_path / "o.csv", keep=("id",))

    table = pa.parquet.read_table(tmp_path / "o.parquet")
    assert table.column_names == ["path", "row", "id", "y", "total", "error", "code", "model"]
    assert table["id"].to_pylist() == [f"r{index}" for index in range(COUNT)]
    assert table.schema.field("y").type == pa.list_(pa.float32())
    assert (tmp_path / "o.csv").read_text().splitlines()[1].startswith(f"{data}/a.parquet,0,r0,")


def test_an_input_may_have_another_name_in_the_file(doubler: Predictor, data: Path, tmp_path: Path) -> None:
    with np.load(data / "a.npz") as stored:
        np.savez(tmp_path / "b.npz", features=stored["x"], number=stored["number"])

    rows: list[Any] = []
    run(doubler, tmp_path / "b.npz", columns={"x": "features"}, each=rows.append)
    assert sum(row["error"] is None for row in rows) == COUNT - 1
    with pytest.raises(UsageError, match="--column z=features: the model takes x, number"):
        run(doubler, tmp_path / "b.npz", columns={"z": "features"})


_KILLED = """
import os, signal, sys
from pathlib import Path
from lit_infer import load
from lit_infer.folder import partial, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.rows import answering

partial.COMMIT_SECONDS = 0.0
answering._BLOCK_BYTES = 1
seen = []

def each(row):
    seen.append(row)
    if len(seen) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)

run_job(load(sys.argv[1], device="cpu"), parse([sys.argv[2]]), Job(output=Path(sys.argv[3]), batch_size=8), each=each)
"""


@pytest.mark.parametrize("name", ["o.jsonl", "o.npz", "o.csv"])
@pytest.mark.parametrize("after", [5, 61])
def test_a_run_that_was_killed_is_resumed_byte_for_byte(  # noqa: PLR0917
    bundle: Path,
    doubler: Predictor,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    after: int,
) -> None:
    monkeypatch.setattr(answering, "_BLOCK_BYTES", 1)
    run(doubler, data / "a.npz", output=tmp_path / "whole" / name, batch_size=8)
    line = [sys.executable, "-c", _KILLED, bundle, data / "a.npz", tmp_path / name, str(after)]

    assert subprocess.run(line, check=False).returncode == -9
    summary = run(doubler, data / "a.npz", output=tmp_path / name, batch_size=8, resume=True)

    assert summary.resumed == -(-after // 8) * 8  # whole blocks, which are passed on once they are kept
    assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_file_that_changed_since_is_not_resumed(bundle: Path, doubler: Predictor, data: Path, tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes((data / "a.npz").read_bytes())
    line = [sys.executable, "-c", _KILLED, bundle, tmp_path / "a.npz", tmp_path / "o.jsonl", "61"]
    assert subprocess.run(line, check=False).returncode == -9
    np.savez(tmp_path / "a.npz", **tensor_rows(COUNT, seed=1))

    with pytest.raises(UsageError, match=r"a\.npz has changed since that run"):
        run(doubler, tmp_path / "a.npz", output=tmp_path / "o.jsonl", batch_size=8, resume=True)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_parts_are_merged_in_the_order_of_the_rows(suffix: str, doubler: Predictor, data: Path, tmp_path: Path) -> None:
    run(doubler, data / "a.npz", output=tmp_path / f"whole{suffix}")

    for own in range(3):
        job = part_of(Job(output=tmp_path / "parts"), f"{own}/3", ["a.npz"])
        run_job(doubler, parse([str(data / "a.npz")]), job)
    made = merge(tmp_path / "parts", tmp_path / f"merged{suffix}")

    assert (made.parts, made.rows) == (3, COUNT)
    assert (tmp_path / f"merged{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_more_parts_than_rows_are_made_and_merged(doubler: Predictor, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", **tensor_rows(2))
    for own in range(3):
        run_job(doubler, parse([str(tmp_path / "two.npz")]), part_of(Job(output=tmp_path / "parts"), f"{own}/3", []))

    assert merge(tmp_path / "parts", tmp_path / "all.jsonl").rows == 2


def test_a_bad_file_is_one_row_and_the_others_are_answered(doubler: Predictor, data: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", x=np.zeros((2, 3)), number=np.zeros(2, dtype=np.int64))
    rows: list[Any] = []

    (tmp_path / "c.md").touch()

    run(doubler, tmp_path / "b.npz", data / "a.npz", tmp_path / "c.md", each=rows.append)

    assert (rows[0]["row"], rows[0]["code"]) == (None, "bad_dtype")
    assert rows[0]["error"] == "x is float64, and the model takes float32: save it with .astype(np.float32)"
    assert (len(rows), rows[-1]["code"]) == (COUNT + 2, "unknown_format")


def test_what_does_not_go_with_rows_is_refused(doubler: Predictor, data: Path, tmp_path: Path) -> None:
    for job, said in (
        ({"report": tmp_path / "r.html"}, "--report is for images, and doubler takes rows"),
        ({"limits": Limits(max_pixels=10)}, "--max-pixels is for images, and doubler takes rows"),
        ({"thumbnails": 1}, "--thumbnails is for images"),
        ({"threshold": 0.5}, "--threshold is for scores"),
        ({"keep": ("y",)}, "--keep y: the model answers y"),
        ({"keep": ("model",)}, "every row has a column model"),
    ):
        with pytest.raises(UsageError, match=said):
            run(doubler, data / "a.npz", **job)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="no images below"):
        run(doubler, tmp_path / "empty")


def test_an_output_that_the_next_run_would_read_is_refused(doubler: Predictor, data: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **tensor_rows(2))

    with pytest.raises(UsageError, match=r"--output .*out\.npz lies in .*, where the next run would read it as rows"):
        run(doubler, tmp_path, output=tmp_path / "out.npz")
    assert run(doubler, tmp_path, output=tmp_path / "out.jsonl").count == 2


def test_too_many_bad_rows_end_the_run(doubler: Predictor, data: Path) -> None:
    with pytest.raises(GateError, match="stopped: 1 of 18 rows failed"):
        run(doubler, data / "a.npz", max_errors=ErrorLimit("0"))


def test_each_file_is_a_batch_of_its_own_where_rows_depend_on_each_other(data: Path, tmp_path: Path) -> None:
    with load(tensor_bundle(tmp_path / "joined", rows="joined"), device="cpu") as joined:
        np.savez(tmp_path / "b.npz", **tensor_rows(5))
        rows: list[Any] = []
        run(joined, tmp_path / "b.npz", data / "a.npz", each=rows.append)

    assert [row["code"] for row in rows] == [None] * 5 + ["refused"] * COUNT


def test_the_command_tells_what_it_did(bundle: Path, data: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "lit-infer", data / "a.npz", "-m", bundle, "-o", "o.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    assert "203 rows in " in done.stderr
    assert " rows/s, 1 failed\nerrors: refused 1\n" in done.stderr
    assert "written to o.npz" in done.stderr
    assert "a.npz 17" in done.stdout


def test_memory_does_not_grow_with_the_rows(bundle: Path, tmp_path: Path) -> None:
    """Ten times the rows take no more memory: what is measured is the process's peak."""
    script = (
        "import resource, sys; from lit_infer import load; from lit_infer.folder import run_job; "
        "from lit_infer.folder.arguments import parse; from lit_infer.folder.job import Job; from pathlib import Path; "
        "run_job(load(sys.argv[1], device='cpu', threads=1), parse([sys.argv[2]]), Job(output=Path(sys.argv[3]))); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for count in (3_000, 30_000):
        np.savez(tmp_path / "a.npz", **tensor_rows(count), pad=np.zeros((count, 500), dtype=np.float32))
        line = [sys.executable, "-c", script, bundle, tmp_path / "a.npz", tmp_path / "o.npz"]
        peaks.append(int(subprocess.run(line, capture_output=True, text=True, check=True).stdout))

    assert peaks[1] < peaks[0] * 1.1
