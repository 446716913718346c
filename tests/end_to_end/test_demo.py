"""The main job, end to end, as `make demo` runs it: real images, real training, real processes."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lit_infer import load, manifest
from tests.conftest import run_command
from tests.end_to_end.conftest import Demo
from tests.support.warm import run_warm

pytestmark = pytest.mark.slow


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_checkpoint_is_accurate_on_held_out_digits(demo: Demo) -> None:
    found = re.search(r"test_acc +│ +([\d.]+)", demo.output)
    assert found is not None
    assert float(found[1]) >= 0.97


def test_the_graphs_accuracy_is_the_eager_modules(demo: Demo) -> None:
    assert re.search(r"The same as PyTorch: both got (\d+) of 360 right", demo.output)


def test_the_predictions_are_one_row_per_image_in_a_stable_order(demo: Demo) -> None:
    found = rows(demo.folder / "artifacts/demo/predictions.jsonl")
    paths = [str(row["path"]) for row in found]
    images = sorted((demo.folder / "artifacts/demo/images").rglob("*.png"))
    assert paths == [image.relative_to(demo.folder).as_posix() for image in images]
    assert all(row["error"] is None and len(row["top"]) == 5 for row in found)  # type: ignore[arg-type]


def test_each_prediction_leads_back_to_its_checkpoint_and_run(demo: Demo) -> None:
    row = rows(demo.folder / "artifacts/demo/predictions.jsonl")[0]
    source = manifest.read(demo.bundle).source
    assert row["model"] == f"digits-cnn@{source.digest[:12]}"
    assert source.reference is not None
    assert source.reference.startswith("local/digits/digits-cnn:v")
    assert source.run is not None
    run = source.run.split("/")[1]
    assert (demo.folder / "artifacts/runs/digits" / run / "config.yaml").is_file()


def test_it_says_that_it_runs_offline_and_how_to_sync(demo: Demo) -> None:
    assert "tracking: W&B offline (no W&B account was found" in demo.output
    assert "wandb sync artifacts/runs/wandb/offline-run-" in demo.output


def test_it_shows_no_traceback_and_no_warning(demo: Demo) -> None:
    assert "Traceback" not in demo.output
    assert "Warning" not in demo.output


def test_both_graphs_are_measured_at_batch_1_and_the_best(demo: Demo) -> None:
    assert re.search(r"^onnx +1 ", demo.output, re.MULTILINE)
    assert re.search(r"^torchscript +1 ", demo.output, re.MULTILINE)
    assert len(re.findall(r"^(?:onnx|torchscript) .* \*$", demo.output, re.MULTILINE)) == 2


@pytest.mark.parametrize("name", ["model.onnx", "model.pt"])
def test_a_lone_copied_graph_file_still_predicts_with_its_labels(demo: Demo, tmp_path: Path, name: str) -> None:
    shutil.copy(demo.bundle / name, tmp_path / f"alone{Path(name).suffix}")
    images = sorted((demo.folder / "artifacts/demo/images").rglob("*.png"))[:20]
    alone = load(tmp_path / f"alone{Path(name).suffix}").predict(images)
    assert [prediction.label for prediction in alone] == [p.label for p in load(demo.bundle / name).predict(images)]
    assert {prediction.label for prediction in alone} <= set("0123456789")


def test_the_published_bundle_predicts_by_its_reference(demo: Demo, tmp_path: Path) -> None:
    line = ["lit-infer", "artifacts/demo/images/7", "--model", "local/digits/digits-cnn-export:latest", "--json"]
    done = run_command(line, demo.folder, LIT_ARTIFACTS="artifacts")
    assert done.returncode == 0, done.stderr
    expected = [
        row for row in rows(demo.folder / "artifacts/demo/predictions.jsonl") if "/images/7/" in str(row["path"])
    ]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_the_same_command_gives_byte_identical_graphs(demo: Demo, tmp_path: Path) -> None:
    """Here in processes of their own; test_formats.py has every format, twice in one process."""
    checkpoint = next((demo.folder / "artifacts/runs").rglob("epoch*.ckpt"))
    graphs = []
    # One is started as by a user, the other is not: their hash seeds differ.
    for name, run in {"one": run_command, "two": run_warm}.items():
        (tmp_path / name).mkdir()
        shutil.copy(checkpoint, tmp_path / name / "net.ckpt")
        line = ["lit-export", "onnx", "--checkpoint", "net.ckpt", "--out", "bundle", "--quiet"]
        done = run(line, tmp_path / name)
        assert done.returncode == 0, done.stderr
        graphs.append((tmp_path / name / "bundle" / "model.onnx").read_bytes())
    assert graphs[0] == graphs[1]
