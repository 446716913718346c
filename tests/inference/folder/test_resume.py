"""Cut a run anywhere, go on, and compare with a run that nothing interrupted: byte for byte."""

import fcntl
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lit_infer.errors import UsageError
from lit_infer.folder import resume, run_job, sources
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.folder.tally import Summary
from lit_infer.predictor import Predictor
from tests.conftest import BIN
from tests.inference.tiny import LABELS, colour, encoded, save
from tests.support.archives import zipped

ROWS = 22
OUTPUTS = ("rows.jsonl", "vectors.npy", "report.html")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images in folders and in a zip, some of them damaged."""
    root = tmp_path / "images"
    for number in range(14):
        save(root / f"{number % 3}/{number}.png", colour(LABELS[number % 3], 100 + 10 * number))
    (root / "1/broken.png").write_bytes(b"x")
    (root / "2/empty.png").touch()
    members = [(f"{n}.png", encoded(Image.fromarray(colour("red", 100 + n)), "PNG")) for n in range(5)]
    (tmp_path / "more.zip").write_bytes(zipped(*members, ("broken.png", b"x")))
    return root


def job(folder: Path, suffix: str = ".jsonl", **changes: Any) -> Job:
    """A run that makes everything, three images at a time."""
    return replace(
        Job(
            top_k=2,
            batch_size=3,
            output=folder / f"rows{suffix}",
            embeddings=folder / "vectors.npy",
            report=folder / "report.html",
            sort_into=folder / "sorted",
        ),
        **changes,
    )


def run(predictor: Predictor, images: Path, wanted: Job, *, stop_after: int = 10**9) -> Summary:
    """Run the job, and stop it as Ctrl-C does after so many rows."""
    rows = itertools.count(1)

    def each(_: object) -> None:
        if next(rows) >= stop_after:
            raise KeyboardInterrupt

    return run_job(predictor, inputs(images), wanted, each=each)


def inputs(images: Path) -> sources.Inputs:
    return parse([str(images), str(images.parent / "more.zip")])


def made(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("rows", [1, 3, 4, 12, ROWS - 1, ROWS])
def test_an_interrupted_run_that_goes_on_makes_what_an_uninterrupted_one_makes(
    rows: int, suffix: str, predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    run(predictor, images, job(tmp_path / "whole", suffix))
    with pytest.raises(KeyboardInterrupt):
        run(predictor, images, job(tmp_path / "cut", suffix), stop_after=rows)
    assert not (tmp_path / "cut" / f"rows{suffix}").exists()

    summary = run(predictor, images, job(tmp_path / "cut", suffix, resume=True))

    assert made(tmp_path / "cut") == made(tmp_path / "whole")
    assert (summary.count, summary.failed) == (ROWS, 3)
    assert summary.resumed == rows // 3 * 3


def cut_at(folder: Path, partial: Path, lengths: dict[str, int]) -> None:
    """The partial folder as a kill would have left it, with files of these lengths."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(partial, resume.folder_for(folder / "rows.jsonl"))
    for name, length in lengths.items():
        with (resume.folder_for(folder / "rows.jsonl") / name).open("r+b") as file:
            file.truncate(length)


@pytest.mark.slow
def test_rows_that_are_cut_anywhere_are_resumed_exactly(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    plain = {"embeddings": None, "report": None, "sort_into": None}
    run(predictor, images, job(tmp_path / "whole", **plain))
    with pytest.raises(KeyboardInterrupt):
        run(predictor, images, job(tmp_path / "cut", **plain), stop_after=ROWS)
    partial = Path(shutil.copytree(resume.folder_for(tmp_path / "cut/rows.jsonl"), tmp_path / "partial"))
    expected = made(tmp_path / "whole")

    data = (partial / "rows.jsonl").read_bytes()
    ends = [place + near for place, byte in enumerate(data) if byte == 10 for near in (-1, 0, 1, 2)]
    for length in sorted({*range(0, len(data), 13), *ends}):
        cut_at(tmp_path / "cut", partial, {"rows.jsonl": length})
        run(predictor, images, job(tmp_path / "cut", **plain, resume=True))
        assert made(tmp_path / "cut") == expected, length


def test_any_lengths_of_all_files_are_resumed_exactly(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    """A kill between two files' writes leaves them at different rows; a power cut leaves rubbish at an end."""
    whole = replace(job(tmp_path / "whole"), sort_into=None)
    cut = replace(job(tmp_path / "cut"), sort_into=None)
    run(predictor, images, whole)
    with pytest.raises(KeyboardInterrupt):
        run(predictor, images, cut, stop_after=ROWS)
    partial = Path(shutil.copytree(resume.folder_for(tmp_path / "cut/rows.jsonl"), tmp_path / "partial"))
    generator = random.Random(1)  # noqa: S311
    sizes = {name: (partial / name).stat().st_size for name in ("rows.jsonl", "inputs.bin", "vectors.npy")}

    for turn in range(30):
        cut_at(tmp_path / "cut", partial, {name: generator.randint(0, size) for name, size in sizes.items()})
        if turn % 3 == 0:
            with (resume.folder_for(tmp_path / "cut/rows.jsonl") / "rows.jsonl").open("ab") as file:
                file.write(b'\0\0{"path": 1' + b"\n" * (turn % 2))
        run(predictor, images, replace(cut, resume=True))
        assert made(tmp_path / "cut") == made(tmp_path / "whole"), turn


_KILLER = """
import os, random, shutil, signal, sys
from pathlib import Path
import onnxruntime
from lit_infer import cli, folder
from lit_infer.folder import html_report, outputs, partial, vectors
from lit_infer.predictor import load  # all imported here, so that a fork starts at once

partial.COMMIT_SECONDS = 0.01
output, images, whole, *options = sys.argv[1:]
line = ["lit-infer", images, *options, "-o", output, "--resume"]
partial, generator = Path(output + ".partial"), random.Random(2)


def start():
    if process := os.fork():
        return process
    sys.argv = line
    try:
        cli.main()
    except SystemExit as stop:
        os._exit(stop.code)
    os._exit(0)


def size():
    try:
        return sum(entry.stat().st_size for entry in os.scandir(partial))
    except FileNotFoundError:
        return 0


def has_ended(process):
    return os.waitpid(process, os.WNOHANG)[0] == process


def made():
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


kills = finished = 0
expected = {path.name: path.read_bytes() for path in Path(whole).iterdir()}
while True:
    enough = size() + generator.randint(0, 10_000)
    process = start()
    # One run in four is killed not while it grows, but while its outputs get their names.
    published = Path(("r.html", "v.npy")[kills % 2]) if kills % 4 == 3 else None
    while not (ended := has_ended(process)) and (kills >= 50 or not (
        published.exists() if published else size() >= enough
    )):
        os.sched_yield()
    if not ended:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        kills += 1
        continue
    finished += 1
    assert made() == expected, sorted(made())
    if kills >= 50:
        break  # not before: a run that is killed after its last output got its name has left its folder
    assert not partial.exists()
    for path in Path().iterdir():
        path.unlink()
print(kills, finished)
"""


@pytest.mark.slow
@pytest.mark.parametrize("output", ["rows.jsonl", "rows.csv"])
def test_a_process_that_is_killed_fifty_times_is_resumed_exactly(
    output: str, bundle_folder: Path, images: Path, tmp_path: Path
) -> None:
    """SIGKILL when its files have grown to a random size, or are being given their names, until fifty have struck."""
    source = next(images.rglob("3.png"))
    for number in range(150):
        os.link(source, images / f"0/more-{number}.png")
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    options = ["-m", str(bundle_folder), "--quiet", "-b", "3", "--embeddings", "v.npy", "--report", "r.html"]
    again = [sys.executable, "-c", _KILLER, output, str(images), str(tmp_path / "whole"), *options]

    subprocess.run([BIN / "lit-infer", str(images), *options, "-o", output], cwd=tmp_path / "whole", check=False)
    done = subprocess.run(again, cwd=tmp_path / "cut", capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert int(done.stdout.split()[0]) == 50
    assert made(tmp_path / "cut") == made(tmp_path / "whole")


def interrupted(predictor: Predictor, images: Path, folder: Path) -> Job:
    """A job that was stopped after some rows."""
    wanted = replace(job(folder), sort_into=None)
    with pytest.raises(KeyboardInterrupt):
        run(predictor, images, wanted, stop_after=10)
    return replace(wanted, resume=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"top_k": 3}, r"--top-k has changed \(then 2, now 3\)"),
        ({"batch_size": 4}, "--batch-size"),
        ({"threshold": 0.5}, "--threshold"),
        ({"timings": True}, "--timings"),
        ({"report": None}, "--report"),
    ],
)
def test_another_option_is_refused(
    changes: dict[str, Any], said: str, predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")

    with pytest.raises(UsageError, match=f"--resume: {said}"):
        run(predictor, images, replace(wanted, **changes))
    run(predictor, images, wanted)  # nothing was lost by asking


def test_another_model_and_other_arguments_are_refused(
    predictor: Predictor, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")

    with pytest.raises(UsageError, match="--resume: images has changed"):
        run_job(predictor, parse([str(images)]), wanted)
    from msgspec.structs import replace as changed

    monkeypatch.setattr(predictor, "manifest", changed(predictor.manifest, labels=("a", "b", "c")))
    with pytest.raises(UsageError, match="--resume: model has changed"):
        run(predictor, images, wanted)


@pytest.mark.parametrize("what", ["changed", "added", "removed", "repaired", "zip"])
def test_other_images_are_refused(what: str, predictor: Predictor, images: Path, tmp_path: Path) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")
    match what:
        case "changed":
            save(images / "0/0.png", colour("blue", 77))
            os.utime(images / "0/0.png", (1, 1))
        case "added":
            save(images / "0/00.png", colour("blue"))
        case "removed":
            (images / "0/12.png").unlink()
        case "repaired":
            save(images / "1/broken.png", colour("blue"))
            os.rename(images / "1/broken.png", images / "0/1.png")
        case "zip":
            (images.parent / "more.zip").write_bytes(zipped(("a.png", b"")))

    with pytest.raises(UsageError, match=r"--resume: .*(over|before)"):
        run(predictor, images, wanted)


def test_a_run_without_resume_starts_over(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")

    summary = run(predictor, images, replace(wanted, resume=False, top_k=1))

    assert (summary.count, summary.resumed) == (ROWS, 0)
    assert sorted(os.listdir(tmp_path / "cut")) == sorted(OUTPUTS)


def test_resume_without_anything_to_resume_just_runs(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    assert run(predictor, images, job(tmp_path / "new", resume=True)).count == ROWS


def test_what_killed_runs_were_writing_does_not_pile_up(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")
    folder = resume.folder_for(tmp_path / "cut/rows.jsonl")
    (folder / ".report.html.a1b2c3").write_bytes(b"half a page")
    (folder / ".job.json.d4e5f6").write_bytes(b"{")

    with resume.locked(folder, identity=json.loads((folder / "job.json").read_text()), resume=True):
        assert not list(folder.glob(".*"))
    assert run(predictor, images, wanted).resumed == 9


def test_two_processes_do_not_write_the_same_output(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")
    with (resume.folder_for(tmp_path / "cut/rows.jsonl") / "lock").open("r") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another lit-infer is writing here"):
            run(predictor, images, replace(wanted, resume=False))
    assert run(predictor, images, wanted).resumed == 9


def test_a_run_that_did_nothing_leaves_nothing(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    class Broken:
        """A source that fails when its second image is asked for."""

        def items(self) -> Any:
            yield sources.Item("a.png", images / "0/0.png")
            raise UsageError("cannot list it")

        def count(self) -> None:
            """Unknown."""

    with pytest.raises(UsageError, match="cannot list it"):
        run_job(predictor, sources.Inputs([Broken()]), Job(output=tmp_path / "out/rows.jsonl"))

    assert os.listdir(tmp_path / "out") == []


def test_the_job_is_written_down_for_people_too(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    interrupted(predictor, images, tmp_path / "cut")

    facts = json.loads((resume.folder_for(tmp_path / "cut/rows.jsonl") / "job.json").read_text())

    assert facts["--top-k"] == 2
    assert len(facts["model"]) == 64


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("names", [["notes.txt"], ["lock"], ["lock", "job.json"], ["rows.jsonl"], [".git/config"]])
def test_a_folder_that_no_run_has_made_is_left_as_it_is(
    names: list[str], resumed: bool, predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    wanted = job(tmp_path / "cut", resume=resumed, sort_into=None)
    folder = resume.folder_for(tmp_path / "cut/rows.jsonl")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    before = made(tmp_path / "cut")

    with pytest.raises(UsageError, match="was not made by an unfinished run: remove it, or name another --output"):
        run(predictor, images, wanted)

    assert made(tmp_path / "cut") == before


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["symbolic", "hard"])
@pytest.mark.parametrize("name", ["lock", "job.json", "rows.jsonl", "inputs.bin", "vectors.npy", "report.html", ".x"])
def test_links_in_the_folder_are_refused_and_what_they_lead_to_is_left_as_it_is(
    name: str, make: Any, predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")
    folder = resume.folder_for(tmp_path / "cut/rows.jsonl")
    (tmp_path / "precious").write_text("mine")
    (folder / name).unlink(missing_ok=True)
    make(tmp_path / "precious", folder / name)

    for resumed in (False, True):
        with pytest.raises(UsageError, match=f"{name} is a link: remove it, or name another --output"):
            run(predictor, images, replace(wanted, resume=resumed))

    assert (tmp_path / "precious").read_text() == "mine"


def test_a_link_in_the_place_of_the_folder_is_refused(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "cut").mkdir()
    resume.folder_for(tmp_path / "cut/rows.jsonl").symlink_to(tmp_path / "precious")

    with pytest.raises(UsageError, match=r"rows\.jsonl\.partial is a link"):
        run(predictor, images, job(tmp_path / "cut", sort_into=None))

    assert made(tmp_path / "precious") == {}


def test_files_that_somebody_put_into_the_folder_stay(predictor: Predictor, images: Path, tmp_path: Path) -> None:
    wanted = interrupted(predictor, images, tmp_path / "cut")
    folder = resume.folder_for(tmp_path / "cut/rows.jsonl")
    (folder / "notes.txt").write_text("mine")
    (folder / ".hidden").write_text("mine")

    run(predictor, images, wanted)

    assert sorted(os.listdir(folder)) == [".hidden", "notes.txt"]


def test_notes_and_skipped_files_are_counted_once_however_often_a_run_is_resumed(
    predictor: Predictor, images: Path, tmp_path: Path
) -> None:
    for number in range(12):
        (images / f"0/{number}.png").write_bytes(encoded(Image.new("RGBA", (8, 8)), "PNG"))
    (images / "notes.txt").touch()
    whole = run(predictor, images, job(tmp_path / "whole"))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(predictor, images, job(tmp_path / "cut", resume=True), stop_after=8)

    found = run(predictor, images, job(tmp_path / "cut", resume=True))

    assert found.notes == whole.notes == {"alpha": 12}
    assert found.skipped == whole.skipped == {".txt": 1}
    assert "12 images with transparency" in (tmp_path / "cut/report.html").read_text()
    assert made(tmp_path / "cut") == made(tmp_path / "whole")
