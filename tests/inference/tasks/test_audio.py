import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lit_infer import load
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.manifest import DeploymentFacts
from lit_infer.rows.facts import AudioField, RowFields
from lit_infer.tasks import TASKS
from tests.inference.tiny import without
from tests.support.sounds import CHUNKS, LABELS, RATE, SAMPLES, eager, sound_bundle, write_recordings
from tests.support.tables import FIELDS

AUDIO = RowFields(audio=AudioField(rate=RATE, samples=SAMPLES))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """By whether longer recordings are cut into chunks."""
    folder = tmp_path_factory.mktemp("sounds")
    return {False: sound_bundle(folder / "start"), True: sound_bundle(folder / "chunks", facts=CHUNKS)}


def test_answers_are_those_of_classes_of_images() -> None:
    audio, image = TASKS["audio-classification"], TASKS["image-classification"]

    assert (audio.answer, audio.read, audio.kind, audio.columns) == (
        image.answer,
        image.read,
        image.kind,
        image.columns,
    )
    assert (audio.takes_images, audio.has_audio, audio.fields_kind) == (False, True, "audio")


@pytest.mark.parametrize(
    ("task", "fields", "said"),
    [
        ("audio-classification", None, "needs its rate and length"),
        ("audio-classification", FIELDS, "takes a recording, and fields have columns"),
        ("tabular-regression", AUDIO, "takes columns, and fields have a recording"),
        ("tensor", AUDIO, "has no columns, and fields are given"),
    ],
)
def test_a_task_of_recordings_takes_those_and_no_other_does(task: str, fields: Any, said: str) -> None:
    DeploymentFacts(task="audio-classification", fields=AUDIO)
    with pytest.raises(ValueError, match=f"task {task} {said}"):
        DeploymentFacts(task=task, fields=fields)


@pytest.mark.parametrize("chunks", [False, True])
def test_files_are_answered_as_by_the_module_itself(bundles: dict[bool, Path], chunks: bool, tmp_path: Path) -> None:
    paths = write_recordings(tmp_path / "in")
    (tmp_path / "in" / "b2.wav").write_bytes(paths[1].read_bytes()[:9_000])
    job = Job(output=tmp_path / "o.csv", report=tmp_path / "r.html")
    with load(bundles[chunks], device="cpu") as model:
        summary = run_job(model, parse([str(tmp_path / "in")]), job)
        found = model.predict(paths)
        alone = model.submit(paths[4].read_bytes()).result()

    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (summary.count, summary.failed) == (6, 1)
    assert [(row["code"], row["row"]) for row in rows] == [("", "0")] * 2 + [("truncated", "0")] + [("", "0")] * 3
    good = [row for row in rows if not row["code"]]
    for path, row, one in zip(paths, good, found, strict=True):
        wanted = eager(path, chunks=chunks)
        top = {choice["label"]: choice["score"] for choice in json.loads(row["top"])}
        assert [top[label] for label in LABELS] == pytest.approx(wanted, abs=1e-5)
        assert one.answer.score == pytest.approx(max(wanted), abs=1e-5)
    assert alone.answer == found[4].answer
    page = (tmp_path / "r.html").read_text()
    assert page.count("<meter") == 5
    assert "b2.wav 0" in page


def test_batches_of_any_size_give_the_same_answers(bundles: dict[bool, Path], tmp_path: Path) -> None:
    paths = write_recordings(tmp_path)
    with load(bundles[True], device="cpu") as model:
        by_size = [[one.answer.score for one in model.predict(paths, batch_size=size)] for size in (1, 2, 64)]

    assert by_size[0] == pytest.approx(by_size[1], abs=1e-6)
    assert by_size[0] == pytest.approx(by_size[2], abs=1e-6)


def test_without_the_extra_nothing_begins(bundles: dict[bool, Path], tmp_path: Path) -> None:
    write_recordings(tmp_path / "in")
    command = [str(Path(sys.executable).with_name("lit-infer")), str(tmp_path / "in"), "--model", str(bundles[False])]

    made = subprocess.run(
        command,
        check=False,
        env={**os.environ, **without(tmp_path / "hidden", "soundfile")},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert made.returncode == 2
    assert made.stderr.strip().splitlines()[-1] == (
        'error: Reading recordings needs soundfile, which is not installed. Run: pip install "lit-deploy[audio]"'
    )
    assert not (tmp_path / "predictions.jsonl").exists()
