"""`lit-infer` as users run it: the console script, in a process of its own."""

import csv
import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import artifacts
from tests.conftest import BIN, run_command
from tests.inference.tiny import LABELS, colour, encoded, make_bundle, noise, save, without
from tests.keys import key_pair
from tests.support.archives import tar
from tests.support.golden import PARITY, golden, with_graphs
from tests.support.mask_model import make_mask_bundle
from tests.support.signing import sign

HEAVY = ("torch", "torchvision", "lightning", "wandb", "onnx")


def infer(cwd: Path, *arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return run_command(["lit-infer", *map(str, arguments)], cwd, **{"COLUMNS": "", **environment})


def assert_refused(done: subprocess.CompletedProcess[str], said: str) -> None:
    """A user's mistake: exit 2, one or two lines that say it, nothing on stdout."""
    assert done.returncode == 2
    assert re.search(said, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_needs_neither_torch_nor_an_engine_and_does_not_import_numpy(tmp_path: Path) -> None:
    environment = {**without(tmp_path / "hide", *HEAVY, "onnxruntime"), "PYTHONPROFILEIMPORTTIME": "1"}

    done = infer(tmp_path, "--help", **environment)

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "--model" in done.stdout
    assert "lit_infer.cli" in imported
    assert "typer" in imported
    assert not {"numpy", "PIL", "msgspec", "simplejpeg", *HEAVY} & imported


def test_the_version_is_told(tmp_path: Path) -> None:
    done = infer(tmp_path, "--version")

    assert re.fullmatch(r"lit-deploy \d+\.\d+\.\d+\S*\n", done.stdout)


def test_a_folder_is_predicted_without_torch_lightning_wandb_and_onnx(
    tmp_path: Path, colours: Path, bundle_folder: Path
) -> None:
    done = infer(tmp_path, colours, "--model", bundle_folder, **without(tmp_path / "hide", *HEAVY))

    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert len(rows) == 12
    assert all(row["label"] == Path(row["path"]).parent.name for row in rows)
    assert "accuracy 1.0000 (12 of 12" in done.stderr
    assert "written to predictions.jsonl" in done.stderr
    assert "next: " in done.stderr
    assert done.stdout.split()[:4] == ["image", "label", "score", "next"]
    assert "… and 2 more" in done.stdout


def test_one_image_and_a_csv_file(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    done = infer(tmp_path, colours / "green/200.png", "-m", bundle_folder, "-o", "made/out.csv", "-k", 1)

    assert done.returncode == 0
    with (tmp_path / "made/out.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == "green"
    assert len(json.loads(row["top"])) == 1


def test_json_prints_one_row_per_image_and_writes_no_file(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    done = infer(tmp_path, colours, "-m", bundle_folder, "--json")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["label"] for row in rows] == [label for label in sorted(LABELS) for _ in range(4)]
    assert all(row["model"] == "colours@0123456789ab" for row in rows)
    assert os.listdir(tmp_path) == []


def test_quiet_says_nothing_where_nothing_is_wrong(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    done = infer(tmp_path, colours, "-m", bundle_folder, "--quiet")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "predictions.jsonl").is_file()


def test_in_a_pipe_there_are_no_colours_no_progress_and_no_shortened_paths(tmp_path: Path, bundle_folder: Path) -> None:
    path = save(tmp_path / ("folder-of-some-length/" * 6) / "image.png", colour("red"))

    done = infer(tmp_path, path, "-m", bundle_folder)

    assert "\x1b" not in done.stdout + done.stderr
    assert "\u2501" not in done.stderr  # of which the progress bar is made
    assert str(path) in done.stdout


def test_an_image_that_cannot_be_read_is_a_row_and_the_run_goes_on_and_exits_1(
    tmp_path: Path, colours: Path, bundle_folder: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(encoded(Image.fromarray(noise(64, 64)), "JPEG")[:900])

    done = infer(tmp_path, colours / "red", "broken.jpg", colours / "blue", "-m", bundle_folder)

    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert done.returncode == 1
    assert [row["label"] for row in rows] == ["red"] * 4 + [None] + ["blue"] * 4
    assert rows[4]["code"] == "undecodable"
    assert done.stdout.splitlines()[1].split()[:2] == ["broken.jpg", "error"]
    assert "1 failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_with_an_image_that_cannot_be_read_exits_1_too(tmp_path: Path, bundle_folder: Path) -> None:
    (tmp_path / "empty.png").touch()

    done = infer(tmp_path, "empty.png", "-m", bundle_folder, "--json", "--quiet")

    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["code"] == "empty"


def test_a_picture_over_the_limit_is_a_row_and_no_warning(tmp_path: Path, bundle_folder: Path) -> None:
    (tmp_path / "large.png").write_bytes(encoded(Image.new("1", (9600, 9600)), "PNG"))

    done = infer(tmp_path, "large.png", "-m", bundle_folder, "--json", "--quiet")

    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["code"] == "too_many_pixels"


def test_a_palette_with_transparency_is_predicted_without_a_warning(tmp_path: Path, bundle_folder: Path) -> None:
    image = Image.fromarray(colour("red")).convert("RGBA")
    image.putalpha(100)
    image.quantize(4).save(tmp_path / "icon.png")

    done = infer(tmp_path, "icon.png", "-m", bundle_folder, "--json", "--quiet")

    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_whose_name_is_not_utf8_does_not_end_the_run(tmp_path: Path, bundle_folder: Path) -> None:
    plain = save(tmp_path / "images/plain.png", colour("green"))
    shutil.copyfile(plain, tmp_path / "images" / os.fsdecode(b"\xff.png"))

    done = infer(tmp_path, "images", "-m", bundle_folder, PYTHONIOENCODING="utf-8:strict")

    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    assert len((tmp_path / "predictions.jsonl").read_bytes().splitlines()) == 2


def test_the_default_model_is_the_newest_bundle_and_the_first_line_says_which(
    tmp_path: Path, own_folders: Path, colours: Path
) -> None:
    folder = make_bundle(own_folders / "bundles/colours-v7")

    done = infer(tmp_path, colours / "red/100.png")

    first = done.stderr.splitlines()[0]
    assert first.startswith(f"model {folder} (colours@0123456789ab) on ")
    assert "onnxruntime" in first


def test_lit_model_names_the_model(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    done = infer(tmp_path, colours / "red/100.png", LIT_MODEL=str(bundle_folder))

    assert done.returncode == 0
    assert done.stderr.startswith(f"model {bundle_folder} ")


def test_a_path_that_is_not_there_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    assert_refused(infer(tmp_path, "nowhere", "-m", bundle_folder), "no such file or folder: nowhere")


def test_a_folder_without_images_is_refused(tmp_path: Path, bundle_folder: Path) -> None:
    assert_refused(infer(tmp_path, tmp_path, "-m", bundle_folder), "no images below")


def test_without_a_model_the_ways_to_one_are_named(tmp_path: Path, colours: Path) -> None:
    assert_refused(infer(tmp_path, colours), "no bundle below .* lit-export onnx")


def test_a_model_that_is_not_there_is_refused(tmp_path: Path, colours: Path) -> None:
    assert_refused(infer(tmp_path, colours, "-m", "nowhere"), "no model at nowhere")
    assert_refused(infer(tmp_path, colours, "-m", "local/a/b:best"), "no local/a/b in the registry")


@pytest.mark.parametrize("name", ["out.txt", "out"])
def test_an_output_with_another_suffix_is_refused_before_the_work(
    name: str, tmp_path: Path, colours: Path, bundle_folder: Path
) -> None:
    done = infer(tmp_path, colours, "-m", bundle_folder, "-o", name)

    assert_refused(done, r"must end in \.jsonl, \.csv or \.parquet")
    assert os.listdir(tmp_path) == []


def test_a_device_that_is_not_known_is_refused(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    assert_refused(infer(tmp_path, colours, "-m", bundle_folder, "--device", "gpu"), "use auto, cpu, cuda or cuda:N")


def test_cuda_that_is_not_here_is_refused(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has the very device that is to be missing")

    done = infer(tmp_path, colours, "-m", bundle_folder, "--device", "cuda")

    assert_refused(done, r'pip install "lit-deploy\[gpu\]"')


def test_without_an_engine_the_command_that_installs_one_is_named(
    tmp_path: Path, colours: Path, bundle_folder: Path
) -> None:
    hidden = without(tmp_path / "hide", "onnxruntime", "torch")

    done = infer(tmp_path, colours, "-m", bundle_folder, **hidden)

    assert_refused(done, r'needs onnxruntime, which is not installed\. Run: pip install "lit-deploy\[cpu\]"')


@pytest.mark.parametrize("arguments", [(), ("--top-k", "0"), ("--batch-size", "0"), ("--no-such-option",)])
def test_a_malformed_line_exits_2_and_points_to_the_help(arguments: tuple[str, ...], tmp_path: Path) -> None:
    paths = () if not arguments else ("images",)

    done = infer(tmp_path, *paths, *arguments)

    assert done.returncode == 2
    assert "lit-infer --help" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_bundle_exits_1_with_one_line(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    folder = Path(shutil.copytree(bundle_folder, tmp_path / "bundle"))
    (folder / "model.onnx").write_bytes(b"damaged")

    done = infer(tmp_path, colours, "-m", folder)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_takes_one_line_and_leaves_gets_it_without_a_traceback(
    tmp_path: Path, bundle_folder: Path
) -> None:
    image = save(tmp_path / "images/0.png", colour("red"))
    for number in range(1, 500):  # more than a pipe holds
        os.link(image, tmp_path / f"images/{number}.png")
    line = [BIN / "lit-infer", "images", "-m", bundle_folder, "--json", "--quiet"]

    with subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()

    assert json.loads(first)["label"] == "red"
    assert said == b""


def test_ctrl_c_in_the_middle_of_a_run_keeps_what_is_done_and_leaves_no_output(
    tmp_path: Path, bundle_folder: Path
) -> None:
    """Interrupted when the progress bar, on a terminal, has counted the first images."""
    count = 5000
    image = save(tmp_path / "images/0.jpg", noise(640, 480))
    for number in range(1, count):
        os.link(image, tmp_path / f"images/{number}.jpg")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}

    line = [BIN / "lit-infer", "images", "-m", bundle_folder]
    with subprocess.Popen(line, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while not re.search(rb"\b[1-9]\d*/5000", said):
            said += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        said += drained(ours)

    assert process.returncode == 130
    assert sorted(os.listdir(tmp_path)) == ["images", "predictions.jsonl.partial"]
    assert b"Traceback" not in said
    assert b"interrupted: the same command with --resume continues from here" in said
    assert b"nothing that was unfinished" not in said

    resumed = infer(tmp_path, "images", "-m", bundle_folder, "--resume")
    assert "were done before)" in resumed.stderr
    assert sorted(os.listdir(tmp_path)) == ["images", "predictions.jsonl"]
    assert len((tmp_path / "predictions.jsonl").read_bytes().splitlines()) == count


def test_a_disk_that_is_full_is_told_and_what_is_done_can_be_resumed(tmp_path: Path, bundle_folder: Path) -> None:
    """The limit of a file's size stands for the disk's: it ends a write in the same way."""
    image = save(tmp_path / "images/0.png", colour("red"))
    for number in range(1, 100):
        os.link(image, tmp_path / f"images/{number}.png")
    command = shlex.join([str(BIN / "lit-infer"), "images", "-m", str(bundle_folder), "--quiet"])
    line = f"ulimit -f 8; PYTHONDONTWRITEBYTECODE=1 exec {command}"  # a cut .pyc file would stay

    full = subprocess.run(["/bin/bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    resumed = infer(tmp_path, "images", "-m", bundle_folder, "--resume")

    assert (full.returncode, full.stdout) == (1, "")
    assert re.fullmatch(r"error: .*partial: File too large\. Free some space; .* --resume .*\n", full.stderr)
    assert resumed.returncode == 0, resumed.stderr
    assert "were done before)" in resumed.stderr
    assert len((tmp_path / "predictions.jsonl").read_bytes().splitlines()) == 100


def test_the_classes_of_a_webdataset_shard_give_the_accuracy_also_of_a_resumed_run(
    tmp_path: Path, bundle_folder: Path
) -> None:
    members = []
    for number in range(30):
        label = LABELS[number % 3]
        pixels = encoded(Image.fromarray(colour(label)), "PNG")
        truth = number % 3 if number else 1  # the first one is wrong
        members += [(f"{number:04}.cls", str(truth).encode()), (f"{number:04}.png", pixels)]
    (tmp_path / "shard.tar").write_bytes(tar(*members, ("9999.cls", b"0"), ("9999.png", b"broken")))
    line = ["shard.tar", "-m", bundle_folder]

    stopped = infer(tmp_path, *line, "--max-errors", 0)
    resumed = infer(tmp_path, *line, "--resume")

    assert "stopped: 1 of 31" in stopped.stderr
    assert "accuracy 0.9667 (29 of 30; the .cls members have the labels)" in resumed.stderr


def test_what_was_skipped_and_what_is_not_used_is_told_once_in_each_form(tmp_path: Path, bundle_folder: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/notes.txt").touch()
    Image.new("RGBA", (8, 8)).save(tmp_path / "in/clear.png")

    told = infer(tmp_path, "in", "-m", bundle_folder, "--report", "page.html")
    as_json = infer(tmp_path, "in", "-m", bundle_folder, "--json", "--quiet")

    for said in ("1 file is no image and was left out (1 .txt)", "1 image with transparency, which is dropped"):
        assert said in told.stderr
        assert said in (tmp_path / "page.html").read_text()
    row, last = map(json.loads, as_json.stdout.splitlines())
    assert row["path"] == "in/clear.png"
    assert last == {"skipped": {".txt": 1}, "notes": {"alpha": 1}}


def test_an_empty_standard_input_is_a_mistake_and_replaces_nothing(tmp_path: Path, bundle_folder: Path) -> None:
    (tmp_path / "predictions.jsonl").write_text("yesterday's")

    done = run_command(["lit-infer", "-", "-m", str(bundle_folder), "--quiet"], tmp_path)

    assert_refused(done, "nothing to predict: there are no images in standard input")
    assert (tmp_path / "predictions.jsonl").read_text() == "yesterday's"


def test_paths_come_from_stdin_and_from_lists(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    names = [str(colours / "red/100.png"), str(colours / "blue/100.png")]
    (tmp_path / "list.txt").write_text("\n".join(names))
    line = [BIN / "lit-infer", "-", "@list.txt", "-m", bundle_folder, "--json", "--quiet"]

    done = subprocess.run(
        line, cwd=tmp_path, input="\0".join(names).encode(), capture_output=True, check=False, timeout=900
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert [json.loads(row)["path"] for row in done.stdout.splitlines()] == names * 2


def test_rows_are_printed_while_paths_still_come(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    line = [BIN / "lit-infer", "-", "-m", bundle_folder, "--json", "--quiet", "-b", "1"]
    path = f"{colours}/red/100.png\n".encode()

    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(path * 20)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["label"] == "red"  # the list has no end yet
        process.stdin.close()
        assert len(process.stdout.readlines()) == 19


def test_all_outputs_of_one_run(tmp_path: Path, colours: Path, bundle_folder: Path) -> None:
    (tmp_path / "images").symlink_to(colours)
    wanted = ["-o", "out.parquet", "--embeddings", "out.npy", "--report", "out.html", "--sort-into", "sorted"]

    done = infer(tmp_path, "images", "-m", bundle_folder, "--timings", "--threshold", 0.8, *wanted)

    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["images", "out.html", "out.npy", "out.parquet", "sorted"]
    assert sorted(os.listdir(tmp_path / "sorted")) == ["_unknown", *sorted(LABELS)]
    for said in ("below the threshold: 3", "work: read ", "embeddings in out.npy", "report in out.html"):
        assert said in done.stderr


def test_too_many_errors_exit_1_with_one_line_and_can_be_resumed(
    tmp_path: Path, colours: Path, bundle_folder: Path
) -> None:
    (tmp_path / "empty.png").touch()
    line = [colours, "empty.png", colours / "red/100.png", "-m", bundle_folder, "-q", "-b", 4]

    stopped = infer(tmp_path, *line, "--max-errors", 0)
    resumed = infer(tmp_path, *line, "--max-errors", "50%", "--resume")

    assert stopped.returncode == 1
    assert stopped.stderr.startswith("error: stopped: 1 of 13 images failed, more than --max-errors 0.")
    assert (resumed.returncode, resumed.stderr) == (1, "")
    assert len((tmp_path / "predictions.jsonl").read_bytes().splitlines()) == 13


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--resume", "--json"), "--resume continues an output file"),
        (("--hard-links",), "--hard-links is for --sort-into"),
        (("--report", "out.txt"), "must end in .html"),
        (("--embeddings", "out.txt"), "must end in .npy"),
        (("--max-errors", "many"), "give a number"),
        (("--sort-into", "."), "is not an empty folder"),
        (("s3x://bucket/a.png",), "s3x"),
        (("@nowhere",), "no such list: nowhere"),
        (("-", "-"), "can be read only once"),
        (("*.nothing",), "no images match"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_work(
    arguments: tuple[str, ...], said: str, tmp_path: Path, colours: Path, bundle_folder: Path
) -> None:
    (tmp_path / "something").touch()

    done = infer(tmp_path, colours, "-m", bundle_folder, *arguments)

    assert_refused(done, re.escape(said))
    assert os.listdir(tmp_path) == ["something"]


def test_explain_says_how_a_model_would_run(tmp_path: Path, bundle_folder: Path) -> None:
    told = infer(tmp_path, "explain", bundle_folder, "--device", "cpu")
    facts = json.loads(infer(tmp_path, "explain", bundle_folder, "--json").stdout)

    assert told.returncode == 0, told.stderr
    assert re.search(r"^device +cpu$", told.stdout, re.MULTILINE)
    assert facts["model"] == "colours@0123456789ab"


def test_a_file_that_is_called_explain_is_an_image_by_its_path(tmp_path: Path, bundle_folder: Path) -> None:
    save(tmp_path / "red.png", colour("red")).rename(tmp_path / "explain")

    done = infer(tmp_path, "./explain", "-m", bundle_folder, "--json", "--quiet")

    assert json.loads(done.stdout)["label"] == "red"


def drained(terminal: int) -> bytes:
    """What is left to read from a terminal until the process at its other end is gone."""
    said = b""
    try:
        while part := os.read(terminal, 4096):
            said += part
    except OSError:
        pass  # Linux's way to say that the other end is closed
    os.close(terminal)
    return said


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private and a public key."""
    return key_pair(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def proven(tmp_path: Path, keys: tuple[Path, Path]) -> Path:
    """A bundle with golden answers, signed."""
    folder = make_bundle(tmp_path / "proven")
    np.savez(folder / "golden.npz", **golden())
    return sign(with_graphs(folder, parity=PARITY), keys[0])


def test_a_bundle_tests_itself(tmp_path: Path, proven: Path, keys: tuple[Path, Path]) -> None:
    chosen = ("--device", "cpu", "--engine", "onnx", "--verify-key", keys[1])

    told = infer(tmp_path, "--self-test", proven)
    facts = infer(tmp_path, "--self-test", proven, *chosen, "--json", "--quiet")
    nothing = infer(tmp_path, "--self-test", proven, "--quiet")

    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[1].split()[:2] == ["onnx", "ok"]
    assert told.stderr == "colours@0123456789ab answers as it did at export: 1 ok\n"
    assert (facts.stderr, nothing.stdout, nothing.stderr) == ("", "", "")
    assert json.loads(facts.stdout)["graphs"][0]["device"] == "cpu"


def test_a_self_test_that_fails_exits_1_and_says_why_even_when_quiet(tmp_path: Path, proven: Path) -> None:
    wrong = golden()
    wrong["probabilities"] = wrong["probabilities"][::-1]
    np.savez(proven / "golden.npz", **wrong)

    done = infer(tmp_path, "--self-test", proven, "--quiet")

    assert (done.returncode, done.stdout) == (1, "")
    assert "differs from the eager module" in done.stderr
    assert "should not be used here: 1 failed" in done.stderr


@pytest.mark.parametrize("arguments", [("a.png",), ("--top-k", "3"), ("--model", "x"), ("--resume",)])
def test_a_self_test_refuses_what_it_would_not_use(arguments: tuple[str, ...], tmp_path: Path, proven: Path) -> None:
    done = infer(tmp_path, "--self-test", proven, *arguments)

    assert done.returncode == 2
    assert f"--self-test takes no {arguments[0] if arguments[0].startswith('--') else 'images'}." in done.stderr


COMMANDS = [("{images}", "-m", "{model}"), ("--self-test", "{model}"), ("explain", "{model}")]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("named", ["folder", "reference"])
def test_a_signed_bundle_is_used_and_one_that_was_changed_is_refused(
    command: tuple[str, ...], named: str, tmp_path: Path, proven: Path, keys: tuple[Path, Path], colours: Path
) -> None:
    def using(model: Path) -> subprocess.CompletedProcess[str]:
        name = str(model)
        if named == "reference":
            name = "local/tests/colours:latest"
            artifacts.registry().publish(model, artifacts.parse("local/tests/colours"), type="model")
        line = [part.format(images=colours, model=name) for part in command]
        return infer(tmp_path, *line, "--verify-key", keys[1], LIT_CACHE=str(tmp_path / "cache"))

    good = using(proven)
    (proven / "notes.txt").write_text("added")
    changed = using(proven)

    assert good.returncode == 0, good.stderr
    assert (changed.returncode, changed.stdout) == (1, "")
    assert "notes.txt is not among the signed files" in changed.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        ("proven/model.onnx", "public.pem", "is a lone graph file, which has no signature"),
        ("proven", "nowhere.pem", "no public key at nowhere.pem"),
        ("proven", "proven/manifest.json", "is not a public key in PEM format"),
    ],
)
def test_what_cannot_be_verified_is_refused(
    model: str, key: str, said: str, tmp_path: Path, proven: Path, keys: tuple[Path, Path]
) -> None:
    shutil.copyfile(keys[1], tmp_path / "public.pem")
    save(tmp_path / "a.png", colour("red"))

    assert_refused(infer(tmp_path, "a.png", "-m", model, "--verify-key", key), said)
    assert_refused(infer(tmp_path, "--self-test", model, "--verify-key", key), said)


def test_a_precision_is_obtained_or_refused(tmp_path: Path, colours: Path, proven: Path) -> None:
    line = [colours, "-m", proven, "--json", "--quiet"]

    assert infer(tmp_path, *line, "--precision", "fp32").returncode == 0
    assert_refused(infer(tmp_path, *line, "--precision", "int8"), "has no int8 graph")
    assert_refused(infer(tmp_path, *line, "--precision", "fp3"), "precision 'fp3' is not known")
    assert_refused(infer(tmp_path, "explain", proven, "--precision", "int8"), "has no int8 graph")


def test_images_are_cut_where_that_is_asked_for(tmp_path: Path) -> None:
    model = make_mask_bundle(tmp_path / "masks")
    pixels = noise(40, 30)
    path = save(tmp_path / "in" / "a.tif", pixels)
    options = ("in", "-m", model, "--tiles", "8", "--tile-overlap", "2")

    done = infer(tmp_path, *options, "--draw", "drawn", "--report", "report.html")

    assert done.returncode == 0, done.stderr
    assert "tiles of 8 x 8 pixels that overlap by 2 or more, merged by mean" in " ".join(done.stderr.split())
    with Image.open(tmp_path / "predictions-masks/a.tif.png") as mask:
        assert np.array_equal(np.asarray(mask), pixels.argmax(-1))
    assert (tmp_path / "drawn/a.tif.png").is_file()
    assert "data:image" in (tmp_path / "report.html").read_text()
    large = infer(tmp_path, *options, "--json", "--max-pixels", 1199)
    assert large.returncode == 1
    assert "40 x 30 pixels; the limit is 1,199: raise --max-pixels" in json.loads(large.stdout)["error"]
    assert_refused(infer(tmp_path, path, "-m", model, "--tiles", "5k"), "--tiles 5k: a number of pixels")
