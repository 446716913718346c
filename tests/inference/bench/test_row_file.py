"""Rows of `--data`: which are taken, and a file that is answered over and over."""

import json
from pathlib import Path

import numpy as np
import pytest

from lit_infer import load
from lit_infer.bench.cells import FileCell
from lit_infer.bench.job import Benchmark, run
from lit_infer.bench.row_file import RowFile, RowStream
from lit_infer.bench.scenarios import SCENARIOS
from lit_infer.bench.subjects import Subject, measured_on, sweep_of
from lit_infer.bench.tuning.aims import parse_aim
from lit_infer.bench.tuning.candidates import open_candidates
from lit_infer.bench.tuning.tune import tune
from lit_infer.errors import UsageError
from lit_infer.predictor import Predictor
from lit_infer.progress import Listener, listening
from tests.conftest import run_command
from tests.support.tables import ROWS, table_bundle
from tests.support.tensors import tensor_bundle
from tests.support.texts import SENTENCES


@pytest.fixture(scope="module")
def ages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a model of table rows. Read only."""
    return table_bundle(tmp_path_factory.mktemp("ages") / "bundle")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Rows of a table, of which the last one cannot be used."""
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Texts, one in each line."""
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"{text}\n" for text in SENTENCES))
    return path


def test_rows_that_cannot_be_used_are_left_out_and_told(ages: Path, people: Path) -> None:
    warned: list[str] = []

    with load(ages) as model, listening(Listener(warn=warned.append)):
        rows = RowFile(people).read(model)
        labels = [one.label for one in model.predict(rows.items)]

    assert labels == ["old", "young", "young"]
    assert str(rows) == f"{people} (the first 3 rows, over and over)"
    assert warned == [f"--data {people}: 1 of 4 rows are left out: smoker is missing"]


def test_a_folder_gives_the_rows_of_all_its_files(ages: Path, people: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "people.jsonl").write_bytes(people.read_bytes())
    (tmp_path / "notes.md").touch()

    with load(ages) as model:
        rows = RowFile(tmp_path).read(model)
        block = next(rows.blocks(64))
        with pytest.raises(UsageError, match=r"expected a \.arrow, .* file, or a folder of them"):
            RowFile(tmp_path / "notes.md").read(model)

    assert len(rows.items) == 6
    assert {Path(origin.path).parent.name for origin in block.origins} == {"more", tmp_path.name}


def test_columns_have_the_names_of_the_file(texts: Path, tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("review\na warm film\n")

    with load(texts) as model:
        assert RowFile(path, {"text": "review"}).read(model).items == ({"text": "a warm film"},)
        with pytest.raises(UsageError, match="there is no text in it, only review"):
            RowFile(path).read(model)
        with pytest.raises(UsageError, match="--column x=review: the model takes text"):
            RowFile(path, {"x": "review"}).read(model)


def test_a_file_without_rows_for_the_model_is_refused(ages: Path, tmp_path: Path, predictor: Predictor) -> None:
    (tmp_path / "bad.jsonl").write_text(json.dumps(ROWS[3]))

    with load(ages) as model:
        with pytest.raises(UsageError, match=r"bad\.jsonl has no row that can be used: smoker is missing"):
            RowFile(tmp_path / "bad.jsonl").read(model)
        with pytest.raises(UsageError, match=r"expected a \.arrow, \.csv, \.feather, \.jsonl, \.parquet file"):
            RowFile(tmp_path / "bad.txt").read(model)
        with pytest.raises(UsageError, match=r"nowhere\.csv: "):
            RowFile(tmp_path / "nowhere.csv").read(model)
    with pytest.raises(UsageError, match="colours takes images: --from PATH"):
        RowFile(tmp_path / "bad.jsonl").read(predictor)


def test_a_short_file_fills_whole_batches_and_its_bad_rows_count_for_nothing(ages: Path, people: Path) -> None:
    with load(ages, threads=2) as model:
        stream = RowStream(model, RowFile(people).read(model), 8)
        blocks = RowFile(people).read(model).blocks(8)
        assert [next(blocks).rows.count for _ in range(3)] == [8, 8, 8]
        assert stream.turn()[0] == 2 * 8 * 3 // 4

        stream.grow(0.05)
        answered, taken = stream.turn()

    assert answered > 12
    assert taken > 0


def test_a_file_has_a_rate_and_no_latency(texts: Path, lines: Path) -> None:
    with load(texts) as model:
        subject = Subject("onnx", model, rows=RowFile(lines).read(model))
        assert subject.rows is not None
        cell = FileCell(subject, RowStream(model, subject.rows, 4), 0.02)
        cell.warm_up()
        cell.work_for(0.01)
        row = cell.row()
        cell.close()

    assert (row.via, row.batch_size, row.unit, row.calls, row.p50_ms) == ("file", 4, "rows", 1, None)
    assert row.images_per_s > 0


def test_a_text_model_is_measured_on_real_rows_from_single_calls_to_the_file(texts: Path, lines: Path) -> None:
    noted: list[str] = []

    with listening(Listener(note=noted.append)):
        found = run(
            Benchmark(str(texts), data=RowFile(lines), batch_sizes=[1, 4], callers=[2], threads=(2,), seconds=0.02)
        ).as_data()

    assert [(row["via"], row["batch_size"]) for row in found["rows"]] == [
        ("call", 1),
        ("call", 4),
        ("submit", 64),
        ("file", 64),
    ]
    assert all(row["rows_per_s"] > 0 and row["decoded"] for row in found["rows"])
    assert set(found["rows"][0]["stages_ms"]) == {"read", "prepare", "infer"}
    assert found["measured_on"] == f"{lines} (the first 7 rows, over and over)"
    assert f"measured on {lines} (the first 7 rows, over and over)" in noted


def test_without_rows_it_is_said_what_was_measured(texts: Path) -> None:
    noted: list[str] = []

    with listening(Listener(note=noted.append)):
        found = run(Benchmark(str(texts), batch_sizes=[2], seconds=0.01)).as_data()

    assert found["measured_on"] == (
        "the bundle's example rows, made up by its export and prepared there, the graph alone"
    )
    assert noted[-1] == ("reading and preparing rows are in no figure; lit-bench --data FILE measures your own rows")
    with load(texts) as model:
        assert measured_on(Subject("onnx", model)) == (
            "random numbers in the manifest's shapes and ranges, the graph alone"
        )
        assert sweep_of(Subject("onnx", model)) == (1, 8, 16, 32, 64, 128)


def test_scenarios_ask_about_rows(ages: Path, people: Path) -> None:
    chosen = [SCENARIOS["single-stream"], SCENARIOS["offline"]]

    found = run(Benchmark(str(ages), data=RowFile(people), scenarios=chosen, seconds=0.05)).as_data()

    assert [row["unit"] for row in found["scenarios"]] == ["rows", "rows"]
    assert all(row["rows_per_s"] > 0 for row in found["scenarios"])


def test_tuning_tries_batches_of_rows_and_says_rows(ages: Path, people: Path) -> None:
    offered = open_candidates(str(ages), data=RowFile(people))

    found = tune(offered.subjects, parse_aim("throughput"), batch_sizes=[16], seconds=0.02)
    late = tune(offered.subjects, parse_aim("p99<10s"), batch_sizes=[16], seconds=0.02)

    assert {one.batch_size for one in found.tried} == {16, 256}
    assert (found.unit, late.unit) == ("rows", "rows")
    assert found.as_data()["chosen"]["rows_per_s"] > 0
    assert "images" not in found.why + late.why


def test_arrays_of_a_file_are_rows_too(tmp_path: Path) -> None:
    numbers = np.arange(5, dtype=np.int64)
    np.savez(tmp_path / "rows.npz", x=np.ones((5, 3), dtype=np.float32), number=numbers)

    with load(tensor_bundle(tmp_path / "bundle")) as model:
        rows = RowFile(tmp_path / "rows.npz").read(model)
        totals = [one.answer.outputs["total"].item() for one in model.predict(rows.items)]
        answered, _ = RowStream(model, rows, 8).turn()

    assert totals == [6 + 3 * number for number in numbers]
    assert answered == 8 * model.threads


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (("--from", "lines.txt"), "--from: TextNet takes rows, not images: --data FILE"),
        (("--data", "lines.txt", "--url", "http://127.0.0.1:1"), "send a server arrays, --inputs FILE.npz"),
        (("--data", "lines.txt", "--inputs", "a.npz"), "--data and --inputs both say what is measured"),
        (("--column", "text=review"), "--column says what --data calls an input: give --data FILE too"),
        (("--callers", "2", "--seconds", "0.05"), "whole rows, which TextNet needs: --data FILE"),
    ],
)
def test_a_mistake_is_explained(tmp_path: Path, texts: Path, lines: Path, line: tuple[str, ...], says: str) -> None:
    done = run_command(["lit-bench", str(texts), *line], tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
