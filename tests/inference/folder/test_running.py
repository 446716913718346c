import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lit_infer import progress
from lit_infer.errors import GateError, NotFoundError, UsageError
from lit_infer.folder import Table, list_images, run, run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import ErrorLimit, Job
from lit_infer.folder.tally import Summary
from lit_infer.images.limits import Limits
from lit_infer.images.values import Channels, ReadImage
from lit_infer.manifest import Step
from lit_infer.predictor import Predictor, load
from tests.inference.tiny import LABELS, STEPS, colour, encoded, make_bundle, noise, save
from tests.support.archives import tar, zipped


def touched(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def predict(predictor: Predictor, paths: list[Path], output: Path | None = None) -> Summary:
    return run(predictor, paths, top_k=2, batch_size=4, output=output)


def test_a_folder_is_searched_to_its_depth_and_listed_in_order(tmp_path: Path) -> None:
    touched(tmp_path, "b/2.png", "b/10.jpg", "a.webp", "c/d/e.tiff", "B/1.png")

    assert names(tmp_path, list_images([tmp_path])) == ["B/1.png", "a.webp", "b/10.jpg", "b/2.png", "c/d/e.tiff"]


def test_suffixes_count_in_any_case_and_other_files_do_not(tmp_path: Path) -> None:
    touched(tmp_path, "a.JPG", "b.Jpeg", "c.txt", "d", "e.png.bak", "png", "f.PNG")

    assert names(tmp_path, list_images([tmp_path])) == ["a.JPG", "b.Jpeg", "f.PNG"]


def test_a_model_that_reads_arrays_finds_them_in_folders_and_archives(tmp_path: Path) -> None:
    for label in LABELS:
        (tmp_path / "in" / label).mkdir(parents=True)
        np.save(tmp_path / "in" / label / "1.npy", colour(label))
    touched(tmp_path, "in/red/preview.png")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(tmp_path / "in/green/1.npy", "in/green/1.npy")
    read = Step(read=ReadImage(mode="unchanged", library="numpy"))
    model = make_bundle(tmp_path / "model", preprocess=(read, Step(channels=Channels(order=(0, 1, 2))), *STEPS))
    inputs = parse([str(tmp_path / "in"), str(tmp_path / "in/*/1.npy"), str(tmp_path / "in.zip")])

    rows: list[Any] = []
    with load(model, device="cpu") as predictor:
        summary = run_job(predictor, inputs, Job(), each=rows.append)

    assert [row["label"] for row in rows] == ["blue", "green", "red", "green"]
    assert summary.skipped == {".png": 1}


def test_a_folder_of_arrays_has_nothing_for_a_model_that_reads_images(predictor: Predictor, tmp_path: Path) -> None:
    np.save(tmp_path / "1.npy", colour("red"))

    with pytest.raises(NotFoundError, match="nothing to predict: there are no images in"):
        run_job(predictor, parse([str(tmp_path)]), Job())


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touched(tmp_path, ".hidden.png", ".cache/a.png", "b/.git/c.png", "b/d.png")

    assert names(tmp_path, list_images([tmp_path])) == ["b/d.png"]


def test_what_is_named_is_kept_whatever_it_is_called(tmp_path: Path) -> None:
    touched(tmp_path, "upload", ".hidden.png", ".cache/a.png")

    named = [tmp_path / "upload", tmp_path / ".hidden.png", tmp_path / ".cache"]

    assert names(tmp_path, list_images(named)) == ["upload", ".hidden.png", ".cache/a.png"]


def test_the_order_of_the_arguments_is_kept_and_each_image_comes_once(tmp_path: Path) -> None:
    touched(tmp_path, "a/1.png", "a/2.png", "b/3.png")

    named = [tmp_path / "b", tmp_path / "a/2.png", tmp_path / "a", tmp_path / "b/3.png"]

    assert names(tmp_path, list_images(named)) == ["b/3.png", "a/2.png", "a/1.png"]


def test_a_folder_without_images_is_an_error_that_says_what_was_looked_for(tmp_path: Path) -> None:
    touched(tmp_path, "a/1.png", "empty/readme.txt")

    with pytest.raises(NotFoundError, match=r"no images below .*empty/ \(looked for \.avif \.bmp .*\.webp\)"):
        list_images([tmp_path / "a", tmp_path / "empty"])


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"no such file or folder: .*nowhere\.png"):
        list_images([tmp_path / "nowhere.png"])


def test_the_rows_of_a_jsonl_file_are_the_predictions(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    paths = list_images([colours])

    summary = predict(predictor, paths, tmp_path / "out.jsonl")

    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines] == [path.as_posix() for path in paths]
    assert [line["label"] for line in lines] == [path.parent.name for path in paths]
    table = Table.of(predictor.manifest)
    assert all(tuple(line) == tuple(table.columns) for line in lines)
    assert all(len(line["top"]) == 2 and line["model"] == "colours@0123456789ab" for line in lines)
    made = predictor.predict(paths, top_k=2, batch_size=4)
    assert lines == [table.row(prediction) for prediction in made]
    assert summary.count == 12


def test_a_csv_file_says_the_same_as_a_jsonl_file(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    paths = [*list_images([colours]), tmp_path / 'missing, with a comma and a "quote".png']

    predict(predictor, paths, tmp_path / "out.jsonl")
    predict(predictor, paths, tmp_path / "out.csv")

    with (tmp_path / "out.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert tuple(table[0]) == tuple(Table.of(predictor.manifest).columns)
    for cells, line in zip(table, lines, strict=True):
        assert json.loads(cells.pop("top")) == line.pop("top")
        assert cells == {name: "" if value is None else str(value) for name, value in line.items()}


def test_an_unreadable_image_is_a_row_with_its_error(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    broken = touched(tmp_path, "broken.png") / "broken.png"

    summary = predict(predictor, [colours / "red/100.png", broken, colours / "blue/250.png"], tmp_path / "out.jsonl")

    first, second, third = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["label"], third["label"]) == ("red", "blue")
    assert (second["error"], second["code"], second["label"], second["top"]) == ("the file is empty", "empty", None, [])
    assert (summary.failed, summary.codes) == (1, {"empty": 1})


def test_the_same_name_in_two_folders_gives_two_rows(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "a/cat.png", colour("red"))
    save(tmp_path / "b/cat.png", colour("blue"))

    predict(predictor, list_images([tmp_path]), tmp_path / "out.jsonl")

    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["path"]: row["label"] for row in rows} == {
        (tmp_path / "a/cat.png").as_posix(): "red",
        (tmp_path / "b/cat.png").as_posix(): "blue",
    }


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("name", ["Grüße 図.png", "new\nline.png", b"\xff\xfe.png"])
def test_any_name_that_a_file_may_have_can_be_written(
    name: str | bytes, suffix: str, predictor: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(name)
    shutil.copyfile(save(tmp_path / "plain.png", colour("green")), path)

    summary = predict(predictor, [path], tmp_path / f"out{suffix}")

    assert summary.answers.lines()[0] == "classes: green 1"
    with (tmp_path / f"out{suffix}").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        found = next(csv.DictReader(file)) if suffix == ".csv" else json.loads(file.readline())
    written, meant = (text.encode(errors="backslashreplace") for text in (found["path"], path.as_posix()))
    assert (written, found["label"]) == (meant, "green")


def rows_of(predictor: Predictor, *arguments: object, **wanted: Any) -> list[dict[str, Any]]:
    """The rows of a job without an output file."""
    found: list[dict[str, Any]] = []
    run_job(predictor, parse([str(argument) for argument in arguments]), Job(**wanted), each=found.append)
    return found


@pytest.mark.parametrize(("batch_size", "threads"), [(9, [2]), (8, [2, 1])])
def test_a_batch_and_no_more_is_answered_on_all_threads_together(
    batch_size: int, threads: list[int], bundle_folder: Path, tmp_path: Path
) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.png", colour("red"))
    with load(bundle_folder, device="cpu", threads=2) as model:
        rows = rows_of(model, tmp_path, batch_size=batch_size)

        assert [one["label"] for one in rows] == ["red"] * 9
        assert [graph.threads for graph in model.sessions.opened()] == threads


def test_without_an_output_nothing_is_written(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    summary = predict(predictor, list_images([colours]))

    assert summary.count == 12
    assert os.listdir(tmp_path) == []


def test_each_row_is_told_once_and_in_order(predictor: Predictor, colours: Path) -> None:
    rows = rows_of(predictor, colours, batch_size=5)

    assert [row["path"] for row in rows] == [path.as_posix() for path in list_images([colours])]


def test_a_run_that_is_broken_off_leaves_the_old_output(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("old\n")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(predictor, parse([str(colours)]), Job(batch_size=2, output=output), each=stop)

    assert output.read_text() == "old\n"
    assert sorted(os.listdir(tmp_path)) == ["out.jsonl", "out.jsonl.partial"]


def test_archives_give_the_rows_of_their_files(predictor: Predictor, tmp_path: Path) -> None:
    entries = [
        ("red/1.png", encoded(Image.fromarray(colour("red")), "PNG")),
        ("broken.png", b"x"),
        ("large.png", bytes(5000)),
        ("blue/2.png", encoded(Image.fromarray(colour("blue")), "PNG")),
    ]
    (tmp_path / "a.tar").write_bytes(tar(*entries))
    (tmp_path / "a.zip").write_bytes(zipped(*entries))

    for name in ("a.tar", "a.zip"):
        rows = rows_of(predictor, tmp_path / name, limits=Limits(max_bytes=4000))
        assert [row["path"] for row in rows] == [f"{tmp_path}/{name}/{member}" for member, _ in entries]
        assert [row["label"] or row["code"] for row in rows] == ["red", "unknown_format", "too_many_bytes", "blue"]


def test_an_image_that_cannot_be_fetched_changes_nothing_for_its_neighbours(
    predictor: Predictor, colours: Path, tmp_path: Path
) -> None:
    names = [f"{colours}/red/100.png", f"file://{tmp_path}/nowhere.png", f"file://{colours}/green/250.png"]
    (tmp_path / "list.txt").write_text("\n".join(names))

    rows = rows_of(predictor, f"@{tmp_path}/list.txt", batch_size=3)

    assert [row["path"] for row in rows] == names
    assert [row["label"] or row["code"] for row in rows] == ["red", "not_found", "green"]


def test_below_the_threshold_there_is_no_label_but_the_score(predictor: Predictor, colours: Path) -> None:
    weak, *_, strong = rows_of(predictor, colours / "red/100.png", colours / "red/250.png", threshold=0.9)

    assert (weak["label"], weak["index"], weak["error"]) == (None, None, None)
    assert weak["top"][0]["label"] == "red"
    assert weak["score"] == weak["top"][0]["score"] < 0.9
    assert strong["label"] == "red"


def test_timings_stand_in_each_row_that_has_a_result(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    good, bad = rows_of(predictor, colours / "red/100.png", touched(tmp_path, "bad.png") / "bad.png", timings=True)

    assert set(good["ms"]) == {"read", "decode", "resize", "infer"}
    assert bad["ms"] is None


def test_a_limit_is_obeyed(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "a.png", noise(40, 30))

    (row,) = rows_of(predictor, tmp_path / "a.png", limits=Limits(max_pixels=1000))

    assert row["code"] == "too_many_pixels"


def test_too_many_errors_stop_the_run(predictor: Predictor, colours: Path, tmp_path: Path) -> None:
    names = [touched(tmp_path, f"{number}.png") / f"{number}.png" for number in range(5)]

    with pytest.raises(GateError, match=r"stopped: 3 of 3 images failed, more than --max-errors 2"):
        rows_of(predictor, *names, colours, max_errors=ErrorLimit("2"))
    assert len(rows_of(predictor, *names, colours, max_errors=ErrorLimit("5"))) == 17


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may list every folder, so this one is refused by a stand-in."""
    touched(tmp_path, "a/1.png", "locked/2.png")
    real = os.scandir

    def refuse(folder: Path) -> Any:
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match=r"cannot list .*locked: Permission denied"):
        list_images([tmp_path])


_PEAK = """
import re, sys
from pathlib import Path
from lit_infer import folder, load
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job

inputs = parse([sys.argv[2]])
summary = folder.run_job(load(sys.argv[1], device="cpu"), inputs, Job(output=Path(sys.argv[3])))
# Not getrusage: its peak includes that of the process that started this one.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(summary.count, int(peak) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["list", "zip", "tar"])
def test_memory_does_not_grow_with_the_number_of_images(kind: str, bundle_folder: Path, tmp_path: Path) -> None:
    image = save(tmp_path / "image.png", colour("red"))
    peaks = []
    for count in (1_000, 20_000):
        members = [(f"{number}.png", image.read_bytes()) for number in range(count)] if kind != "list" else []
        source = tmp_path / f"{count}.{kind}"
        data = {"list": f"{image}\n".encode() * count, "zip": zipped(*members), "tar": tar(*members)}[kind]
        source.write_bytes(data)
        named = f"@{source}" if kind == "list" else str(source)
        line = [sys.executable, "-c", _PEAK, str(bundle_folder), named, str(tmp_path / "out.jsonl")]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        found, peak = map(int, done.stdout.split())
        assert found == count
        peaks.append(peak)

    assert peaks[1] - peaks[0] < 20, peaks  # MiB


def test_images_whose_answers_depend_on_their_batch_are_run_one_by_one_and_it_is_said(
    colours: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    with load(make_bundle(tmp_path / "b", rows="joined"), device="cpu") as predictor:
        with progress.listening(progress.Listener(note=said.append)):
            assert run(predictor, list_images([colours])).count == 12
        with pytest.raises(UsageError, match="images are run one by one: leave the batch size out"):
            run(predictor, list_images([colours]), batch_size=4, output=tmp_path / "rows.jsonl")

    assert said == ["one image per run: an answer of this model depends on the other images of its batch"]
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize("argument", ["-", "@empty.txt", "@blank.txt", "empty.zip", "texts.zip", "empty.tar"])
def test_inputs_that_name_no_image_are_refused_and_nothing_is_touched(
    argument: str, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n\n")))
    Path("empty.txt").touch()
    Path("blank.txt").write_text("\n\r\n")
    Path("empty.zip").write_bytes(zipped())
    Path("texts.zip").write_bytes(zipped(("a.txt", b"a")))
    Path("empty.tar").write_bytes(tar())
    Path("rows.jsonl").write_text("yesterday's\n")
    before = sorted(os.listdir())

    name = "standard input" if argument == "-" else re.escape(argument)
    with pytest.raises(NotFoundError, match=f"nothing to predict: there are no images in {name}"):
        run_job(predictor, parse([argument]), Job(output=Path("rows.jsonl"), report=Path("new/report.html")))

    assert Path("rows.jsonl").read_text() == "yesterday's\n"
    assert sorted(os.listdir()) == before


def test_what_is_no_image_is_counted_by_suffix_wherever_it_lies(predictor: Predictor, tmp_path: Path) -> None:
    png = encoded(Image.fromarray(colour("red")), "PNG")
    save(tmp_path / "in/a.png", colour("red"))
    touched(tmp_path, "in/labels.csv", "in/deep/readme.txt", "in/.hidden.txt", "in/deep/Thumbs.db")
    entries = [("a.png", png), ("b.txt", b"b"), ("__MACOSX/._a.png", b"x"), (".hidden.png", b"x"), ("c", b"c")]
    (tmp_path / "x.zip").write_bytes(zipped(*entries))
    (tmp_path / "x.tar").write_bytes(tar(*entries))

    (tmp_path / "in/loop.txt").symlink_to("loop.txt")
    (tmp_path / "in/linked").symlink_to(tmp_path / "in/deep")

    inputs = parse([str(tmp_path / name) for name in ("in", "x.zip", "x.tar")])
    summary = run_job(predictor, inputs, Job())

    assert (summary.count, summary.failed) == (3, 0)
    assert summary.skipped == {".txt": 4, "without a suffix": 2, ".csv": 1, ".db": 1}
    assert inputs.count() is None
    assert parse([str(tmp_path / "x.zip")]).count() == 1


def test_a_glob_skips_only_what_it_matches(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "a.png", colour("red"))
    touched(tmp_path, "a.txt", "b.txt")

    assert run_job(predictor, parse([str(tmp_path / "a*")]), Job()).skipped == {".txt": 1}
    assert run_job(predictor, parse([str(tmp_path / "*.png")]), Job()).skipped == {}


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".ppm", ".pgm", ".avif"])
def test_all_suffixes_of_the_formats_are_searched_for(suffix: str, predictor: Predictor, tmp_path: Path) -> None:
    format_ = {".avif": "AVIF", ".ppm": "PPM", ".pgm": "PPM"}.get(suffix, "JPEG")
    image = Image.fromarray(colour("red"))
    (tmp_path / f"a{suffix}").write_bytes(encoded(image.convert("L") if suffix == ".pgm" else image, format_))

    assert (summary := run_job(predictor, parse([str(tmp_path)]), Job())).count == 1
    assert summary.failed == 0
