"""`lit-infer --shard` and `lit-infer merge` as users run them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BIN, ROOT, run_command
from tests.inference.tiny import noise, save
from tests.support import kubernetes

PARTS, IMAGES = 16, 320

_PARTS = """
import os, signal, sys
from pathlib import Path
from typing import Any
import onnxruntime
from lit_infer import cli, folder
from lit_infer.folder import outputs, partial, vectors
from lit_infer.predictor import load  # all imported here, so that a fork starts at once

count, victims, line = int(sys.argv[1]), [int(number) for number in sys.argv[2].split(",")], sys.argv[3:]


def start(number, *more):
    if process := os.fork():
        return process
    partial.COMMIT_SECONDS = 0.001 if number in victims and not more else 2
    sys.argv = ["lit-infer", *line, "--shard", f"{number}/{count}", *more]
    try:
        cli.main()
    except SystemExit as stop:
        os._exit(stop.code)
    os._exit(0)


statuses = []
for number in reversed(range(count)):
    process = start(number)
    if number in victims:
        rows = Path(f"out/part-{number:05}-of-{count:05}.jsonl.partial/rows.jsonl")
        while not (rows.exists() and rows.stat().st_size > 1000):
            assert os.waitpid(process, os.WNOHANG)[0] == 0, "it was done before it could be killed"
            os.sched_yield()
        os.kill(process, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(process, 0)[1])
        process = start(number, "--resume")
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
print(*sorted(statuses))
"""


@pytest.mark.slow
def test_sixteen_parts_some_of_them_killed_and_resumed_are_the_single_run(bundle_folder: Path, tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"images/{number}.png", noise(300, 200, seed=number))
    for number in range(8, IMAGES):
        os.link(tmp_path / f"images/{number % 8}.png", tmp_path / f"images/{number}.png")
    (tmp_path / "images/100.png").unlink()
    (tmp_path / "images/100.png").write_bytes(b"no image")
    line = ["images", "-m", str(bundle_folder), "-b", "2"]
    single = run_command(["lit-infer", *line, "-o", "single.parquet"], tmp_path)
    parts = [sys.executable, "-c", _PARTS, str(PARTS), "3,7,12", *line, "-o", "out"]

    made = subprocess.run(parts, cwd=tmp_path, capture_output=True, text=True, check=False)
    merged = run_command(["lit-infer", "merge", "out/", "-o", "all.parquet"], tmp_path)

    assert made.stderr.count("were done before)") == 3, made.stderr
    assert made.stdout.splitlines()[-1].split() == ["0"] * (PARTS - 1) + ["1"]
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "single.parquet").read_bytes()
    assert (single.returncode, merged.returncode) == (1, 1)
    assert merged.stderr == (
        f"{IMAGES} rows of {PARTS} parts, 1 failed\nerrors: unknown_format 1\nwritten to all.parquet\n"
    )


def test_a_lost_part_is_told_and_the_command_that_is_told_makes_it(
    bundle_folder: Path, colours: Path, tmp_path: Path
) -> None:
    line = ["lit-infer", str(colours), "-m", str(bundle_folder), "-b", "4", "-o", "out", "-q", "--shard"]
    for number in (0, 2):
        assert run_command([*line, f"{number}/3"], tmp_path).returncode == 0

    lost = run_command(["lit-infer", "merge", "out"], tmp_path)
    assert (lost.returncode, lost.stdout) == (1, "")
    said, _, command = lost.stderr.partition(" Run: ")
    assert said == "error: part 1 of 3 is missing."
    path = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    for _ in range(2):  # the second finds that it is done
        again = subprocess.run(command, shell=True, cwd=tmp_path, env=path, check=False)  # noqa: S602 - as users do
        assert again.returncode == 0

    assert run_command(["lit-infer", "merge", "out", "-q"], tmp_path).returncode == 0
    assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 12


def test_a_part_that_is_finished_is_not_made_again(bundle_folder: Path, colours: Path, tmp_path: Path) -> None:
    line = ["lit-infer", str(colours), "-m", str(bundle_folder), "-o", "out", "--shard", "0/2", "--resume"]
    first = run_command(line, tmp_path)
    made = (tmp_path / "out/part-00000-of-00002.jsonl").stat()

    second = run_command(line, tmp_path)

    assert (first.returncode, second.returncode) == (0, 0)
    assert "next: lit-infer merge out -o all.parquet (when every part is there)" in first.stderr
    assert "part 0/2 was finished before: 8 images, 0 failed" in second.stderr
    assert (tmp_path / "out/part-00000-of-00002.jsonl").stat() == made


def test_mistakes_are_two_lines_and_exit_2(bundle_folder: Path, colours: Path, tmp_path: Path) -> None:
    for arguments, said in (
        (["--shard", "2/2", "-o", "out"], "the last of 2 is 1/2"),
        (["--shard", "0/2"], "name it, as in -o out/"),
        (["--shard", "0/2", "--json"], "--json keeps none"),
    ):
        done = run_command(["lit-infer", str(colours), "-m", str(bundle_folder), *arguments], tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) <= 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_called_merge_can_be_named(bundle_folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "merge/1.png", noise(9, 9))

    assert run_command(["lit-infer", "./merge", "-m", str(bundle_folder), "-q"], tmp_path).returncode == 0


def documented() -> dict[str, Any]:
    text = (ROOT / "docs/scaling.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (job,) = kubernetes.documents(block)
    return job


def test_the_documented_indexed_job_is_one_that_kubernetes_takes() -> None:
    job = documented()
    kubernetes.check(job)

    job["spec"]["completions"] = "sixteen"
    with pytest.raises(Exception, match="sixteen"):
        kubernetes.check(job)


def test_the_documented_job_makes_its_part_and_takes_one_with_failed_images_for_done(
    bundle_folder: Path, colours: Path, tmp_path: Path
) -> None:
    (container,) = documented()["spec"]["template"]["spec"]["containers"]
    shutil.copytree(colours, tmp_path / "photos")
    (tmp_path / "photos/zzz.png").write_bytes(b"no image")
    line = [*container["command"], container["args"][0].replace("/model", shlex.quote(str(bundle_folder)))]
    path = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def status(index: int) -> int:
        return subprocess.run(
            line, check=False, cwd=tmp_path, env={**path, "JOB_COMPLETION_INDEX": str(index)}
        ).returncode

    assert status(1) == 0  # has the image that fails
    record = json.loads((tmp_path / "out/part-00001-of-00016.json").read_bytes())
    assert (record["rows"], record["failed"]) == (5, 1)
    assert status(16) != 0
