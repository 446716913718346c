"""Parts, joined, are the single run's file, byte for byte; what is not as it should be is named with its cure."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lit_infer.errors import ArtifactError, GateError, LitError, NotFoundError, UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.folder.merging import merge
from lit_infer.folder.shards import part_of
from lit_infer.predictor import Predictor
from tests.inference.tiny import LABELS, colour, save
from tests.support.archives import tar

COMMAND = ("images", "--shard", "0/5", "-o", "out")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 images in folders and an archive, some of them damaged. Read only."""
    root = tmp_path_factory.mktemp("shards") / "images"
    for number in range(17):
        save(root / f"{number % 3}/{number}.png", colour(LABELS[number % 3], 90 + 9 * number))
    (root / "1/broken.png").write_bytes(b"x")
    files = [(f"{n}.png", (root / "0/0.png").read_bytes()) for n in range(4)]
    (root.parent / "more.tar").write_bytes(tar(*files, ("broken.png", b"x")))
    return root


def part(predictor: Predictor, images: Path, folder: Path, number: int, count: int, **changes: Any) -> None:
    wanted: dict[str, Any] = {"output": folder, "batch_size": 3, "top_k": 2, **changes}
    inputs = parse([str(images), str(images.parent / "more.tar")])
    run_job(predictor, inputs, part_of(Job(**wanted), f"{number}/{count}", COMMAND))


@pytest.fixture(scope="module")
def made(predictor: Predictor, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five parts with embeddings. Read only."""
    folder = tmp_path_factory.mktemp("parts") / "out"
    for number in range(5):
        part(predictor, images, folder, number, 5, embeddings=folder)
    return folder


@pytest.fixture
def parts(made: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(made, tmp_path / "out"))


def whole(predictor: Predictor, images: Path, folder: Path, suffix: str) -> tuple[bytes, bytes]:
    inputs = parse([str(images), str(images.parent / "more.tar")])
    rows, vectors = folder / f"single{suffix}", folder / "single.npy"
    run_job(predictor, inputs, Job(top_k=2, batch_size=3, output=rows, embeddings=vectors))
    return rows.read_bytes(), vectors.read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_parts_are_joined_to_the_bytes_of_a_single_run(
    suffix: str, predictor: Predictor, images: Path, made: Path, tmp_path: Path
) -> None:
    result = merge(made, tmp_path / f"all{suffix}", embeddings=tmp_path / "all.npy")

    found = (tmp_path / f"all{suffix}").read_bytes(), (tmp_path / "all.npy").read_bytes()
    assert found == whole(predictor, images, tmp_path, suffix)
    assert (result.parts, result.rows, result.failed, result.codes) == (5, 23, 2, {"unknown_format": 2})


@pytest.mark.parametrize(("count", "batch"), [(1, 3), (2, 8), (3, 23), (30, 1), (4, 100)])
def test_any_number_of_parts_and_batches_gives_the_same(
    count: int, batch: int, predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    """More parts than batches leave some without images; fewer images than a batch are answered at once."""
    inputs = parse([str(images), str(images.parent / "more.tar")])
    run_job(predictor, inputs, Job(top_k=2, batch_size=batch, output=tmp_path / "single.jsonl"))
    for number in reversed(range(count)):
        part(predictor, images, tmp_path / "out", number, count, batch_size=batch)

    merge(tmp_path / "out", tmp_path / "all.jsonl")

    assert (tmp_path / "all.jsonl").read_bytes() == (tmp_path / "single.jsonl").read_bytes()


def test_rows_longer_than_what_is_read_at_once_are_joined_whole(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge(made, tmp_path / "all.jsonl", embeddings=tmp_path / "all.npy")
    monkeypatch.setattr("lit_infer.folder.merging._LEAST", 7)
    monkeypatch.setattr("lit_infer.folder.merging._MEMORY", 7)

    merge(made, tmp_path / "again.jsonl", embeddings=tmp_path / "all.npy")

    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()


def refused(folder: Path, error: type[LitError], said: str, **more: Any) -> None:
    """Nothing is written, and the message says it."""
    output = folder.parent / "refused.jsonl"
    vectors = more.pop("embeddings", folder.parent / "refused.npy")
    with pytest.raises(error, match=said):
        merge(folder, more.pop("output", output), embeddings=vectors)
    assert not output.exists()
    assert not (folder.parent / "refused.npy").exists()


def test_a_lost_part_is_named_with_its_command(parts: Path) -> None:
    (parts / "part-00003-of-00005.jsonl").unlink()
    refused(parts, GateError, r"part 3 of 5 is missing\. Run: lit-infer images --shard 3/5 -o \S+ --resume$")

    (parts / "part-00001-of-00005.json").unlink()
    refused(parts, GateError, r"parts 1, 3 of 5 are missing\. Run: for part in 1 3; do .* --shard \$part/5 .*; done$")

    (parts / "part-00001-of-00005.jsonl.partial").mkdir()
    refused(parts, GateError, "parts 1, 3 of 5 are missing or not finished")

    (parts / "part-00003-of-00005.jsonl.partial").mkdir()
    refused(parts, GateError, "parts 1, 3 of 5 are not finished")


def test_the_command_that_is_named_makes_the_lost_part(
    predictor: Predictor, images: Path, parts: Path, tmp_path: Path
) -> None:
    for path in parts.glob("part-00002*"):
        path.unlink()
    refused(parts, GateError, "part 2 of 5 is missing")

    part(predictor, images, parts, 2, 5, embeddings=parts, resume=True)
    merge(parts, tmp_path / "all.csv", embeddings=tmp_path / "all.npy")

    found = (tmp_path / "all.csv").read_bytes(), (tmp_path / "all.npy").read_bytes()
    assert found == whole(predictor, images, tmp_path, ".csv")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"top_k": 3}, r"part 2: not the same --top-k as the other parts \(3, the others 2\)"),
        ({"threshold": 0.9}, "not the same --threshold"),
        ({"timings": True}, "not the same --timings"),
        ({"embeddings": None}, "not the same --embeddings"),
        ({"batch_size": 4}, "not the same --batch-size"),
    ],
)
def test_a_part_of_another_job_is_refused(
    changes: dict[str, Any], said: str, predictor: Predictor, images: Path, parts: Path
) -> None:
    part(predictor, images, parts, 2, 5, **{"embeddings": parts, **changes})

    refused(parts, GateError, rf"{said}.*Make again: lit-infer images --shard 2/5 -o \S*out$")


def test_a_part_that_saw_other_inputs_is_refused(
    predictor: Predictor, images: Path, parts: Path, tmp_path: Path
) -> None:
    shutil.copytree(images.parent, tmp_path / "grown")
    save(tmp_path / "grown/images/0/new.png", colour("red"))

    part(predictor, tmp_path / "grown/images", parts, 2, 5, embeddings=parts)

    refused(parts, GateError, "part 2: not the same images as the other parts. Make again")


def test_changed_rows_and_embeddings_are_found_whatever_they_say(parts: Path) -> None:
    rows = parts / "part-00001-of-00005.jsonl"
    data = rows.read_bytes()
    for changed in (data[:-1], data + b"\n", data.replace(b"green", b"gree\n", 1), b""):
        rows.write_bytes(changed)
        refused(parts, ArtifactError, r"jsonl is not as its record says\. Make the part again: .* 1/5 -o \S*out$")
    rows.write_bytes(data)

    vectors = parts / "part-00004-of-00005.npy"
    vectors.write_bytes(vectors.read_bytes()[:-4])
    refused(parts, ArtifactError, "part-00004-of-00005.npy is not as its record says")
    vectors.unlink()
    refused(parts, ArtifactError, "part-00004-of-00005.npy is not as its record says")


def test_a_record_that_counts_wrongly_is_found(parts: Path) -> None:
    path = parts / "part-00001-of-00005.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "rows": 2}))

    refused(parts, ArtifactError, "is not as its record says")


def test_parts_of_two_runs_and_no_parts_at_all_are_told(predictor: Predictor, images: Path, parts: Path) -> None:
    empty = parts.parent / "empty"
    empty.mkdir()
    refused(empty, NotFoundError, "no finished part in")
    refused(parts.parent / "nowhere", NotFoundError, "no such folder")

    part(predictor, images, parts, 0, 2, embeddings=parts)
    refused(parts, UsageError, "has parts of 2 and of 5: remove those that are not wanted")


def test_outputs_that_cannot_be_made_are_refused(parts: Path) -> None:
    refused(parts, UsageError, "must end in .jsonl, .csv or .parquet", output=parts.parent / "all.txt")
    refused(parts, UsageError, "has the name of a part", output=parts / "part-00000-of-00005.jsonl")
    refused(parts, UsageError, "the name must end in .npy", embeddings=parts.parent / "all.txt")
    refused(parts, UsageError, "have embeddings: name a file for them", embeddings=None)


def test_embeddings_that_no_part_has_are_refused(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    part(predictor, images, tmp_path / "out", 0, 1)

    refused(tmp_path / "out", UsageError, "have no embeddings: leave --embeddings out")


def test_the_processors_of_the_parts_are_told(parts: Path, tmp_path: Path) -> None:
    path = parts / "part-00001-of-00005.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "processor": "another"}))

    result = merge(parts, tmp_path / "all.jsonl", embeddings=tmp_path / "all.npy")

    assert sorted(result.processors.values()) == [1, 4]
