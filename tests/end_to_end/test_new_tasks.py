"""From lit-train to the page, for the tasks whose answers are not one class: as a user runs it, command by command."""

import base64
import io
import json
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
import torch
from lightning import Trainer
from PIL import Image

from lit_infer import load, manifest
from lit_trainer.data.digit_anomalies import write_digit_anomalies
from lit_trainer.data.noisy_digits import write_noisy_digits
from lit_trainer.data.scene_points import NAMES as POINTS
from lit_trainer.data.scene_points import SKELETON, write_test_points
from lit_trainer.data.scenes import write_test_scenes
from tests.conftest import ROOT, run_command
from tests.support.mask_rcnn import InstanceLearner, unsure
from tests.support.server.process import command
from tests.support.warm import run_warm

pytestmark = pytest.mark.slow

# Of a digit: what it stands for, and what the model may say of it.
NAMES = {"digits-multilabel": ["even", "prime", "loop", "above four"], "digits-regression": ["number", "strokes"]}
METRICS = {"digits-multilabel": ("macro F1", "mAP"), "digits-regression": ("MAE", "R2")}


def run(line: list[str], cwd: Path) -> str:
    start = run_command if line[0] == "lit-infer" else run_warm
    done = start(line, cwd, WANDB_MODE="offline", LIT_ARTIFACTS="artifacts")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", list(NAMES))
def test_a_checkpoint_goes_from_training_to_a_served_answer(
    name: str, tmp_path: Path, digit_images: list[Path]
) -> None:
    config = str(ROOT / "configs" / f"{name}.yaml")
    trained = run(["lit-train", "fit", "--config", config, "--trainer.max_epochs", "1"], tmp_path)
    assert f"next: lit-export onnx --artifact local/digits/{name}:best\n" in trained

    more = ["--thresholds-from", config] if name == "digits-multilabel" else []
    exported = run(
        ["lit-export", "onnx", "--artifact", f"local/digits/{name}:best", "--data", config, "--out", "bundle", *more],
        tmp_path,
    )
    metric, other = METRICS[name]
    assert "onnx: proven" in exported
    assert f"eager module: {metric} " in exported
    assert f"onnx: {other} " in exported
    facts = manifest.read(tmp_path / "bundle")
    assert list(facts.labels or ()) == NAMES[name]
    assert facts.graphs[0].score is not None
    assert facts.graphs[0].score.value == pytest.approx(facts.graphs[0].score.eager, abs=1e-3)

    images = [str(path) for path in digit_images[:40]]
    said = run(["lit-infer", *images, "-m", "bundle", "--report", "report.html", "--embeddings", "out.npy"], tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert f"{len(rows)} images" in said
    assert [row["path"] for row in rows] == images
    vectors = np.load(tmp_path / "out.npy")
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(images, output=True)
    np.testing.assert_allclose(vectors, [one.output for one in expected], rtol=1e-4, atol=1e-6)
    for row, one in zip(rows, expected, strict=True):
        own = json.loads(json.dumps(facts.spec.row(one.answer)))
        assert set(own) == set(row) - facts.spec.RESERVED
    assert "figure" in (tmp_path / "report.html").read_text()

    with command("bundle", "--quiet", cwd=tmp_path) as server:
        found = httpx.post(f"{server.url}/predict", content=digit_images[0].read_bytes()).json()
        card = httpx.get(f"{server.url}/v2/models/{facts.name}/card").json()
    assert (found["kind"], card["does"]) == (facts.spec.kind, facts.spec.does)
    key = {"labels": "top", "values": "values"}[facts.spec.kind]
    assert len(found[key]) == len(NAMES[name])


def test_boxes_go_from_training_to_a_drawn_report_and_a_served_answer(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "detection.yaml")
    short = ["--trainer.max_epochs", "4", "--data.count", "200", "--data.image_size", "48"]
    run(["lit-train", "fit", "--config", config, *short], tmp_path)
    held_out = write_test_scenes(tmp_path / "scenes", count=6, size=83)
    (tmp_path / "spec.yaml").write_text(
        "task: object-detection\npreprocess: [resize: {size: [48, 48]}]\n"
        "normalize: {mean: [0.3, 0.3, 0.3], std: [0.25, 0.25, 0.25]}\n"
        f"labels: {json.dumps(list('0123456789'))}\nanswers: {{threshold: 0.05}}\n"
    )
    export = ["lit-export", "onnx", "--artifact", "local/detection/detection:best", "--data", "scenes"]

    exported = run([*export, "--spec", "spec.yaml", "--out", "bundle"], tmp_path)
    line = ["lit-infer", "scenes/images", "-m", "bundle", "--report", "report.html", "--coco", "found.json"]
    said = run(line, tmp_path)

    assert "onnx: proven" in exported
    assert "eager module: mAP50 " in exported
    assert "boxes: " in said
    rows = [json.loads(text) for text in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(held_out)
    for row, one in zip(rows, expected, strict=True):
        assert (row["width"], row["height"]) == (83, 83)
        assert [box["label"] for box in row["boxes"]] == [box.label for box in one.answer.boxes]
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["annotations"]) == sum(len(row["boxes"]) for row in rows) > 0
    assert (tmp_path / "report.html").read_text().count("<rect ") == len(found["annotations"])
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        served = httpx.post(f"{server.url}/predict", content=held_out[0].read_bytes()).json()
    assert served["kind"] == "boxes"
    assert [box["label"] for box in served["boxes"]] == [box["label"] for box in rows[0]["boxes"]]


def test_instances_go_from_training_to_runs_in_a_file(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "instances.yaml")
    short = ["--trainer.max_epochs", "3", "--data.count", "160", "--data.image_size", "48"]
    run(["lit-train", "fit", "--config", config, *short], tmp_path)
    held_out = write_test_scenes(tmp_path / "scenes", count=6, size=83)
    (tmp_path / "spec.yaml").write_text(
        "task: instance-segmentation\npreprocess: [resize: {size: [48, 48]}]\n"
        "normalize: {mean: [0.3, 0.3, 0.3], std: [0.25, 0.25, 0.25]}\n"
        f"labels: {json.dumps(list('0123456789'))}\nanswers: {{threshold: 0.05}}\n"
    )
    export = ["lit-export", "onnx", "--artifact", "local/instances/instances:best", "--data", "scenes"]

    exported = run([*export, "--spec", "spec.yaml", "--out", "bundle"], tmp_path)
    run(["lit-infer", "scenes/images", "-m", "bundle", "--coco", "found.json"], tmp_path)

    assert "onnx: proven" in exported
    assert "eager module: mask mAP50 " in exported
    found = json.loads((tmp_path / "found.json").read_text())["annotations"]
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = [box for one in model.predict(held_out) for box in one.answer.boxes]
    assert len(found) == len(expected) > 0
    for one, box in zip(found, expected, strict=True):
        assert one["segmentation"] == {"size": [83, 83], "counts": box.segmentation.counts}
        left, top, width, height = one["bbox"]
        inside = np.argwhere(box.segmentation.mask())
        assert (
            not len(inside)
            or ((inside >= [top - 2, left - 2]) & (inside <= [top + height + 2, left + width + 2])).all()
        )


def test_points_go_from_training_to_a_drawn_report_and_a_served_answer(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "keypoints.yaml")
    run(["lit-train", "fit", "--config", config, "--trainer.max_epochs", "1", "--data.count", "80"], tmp_path)
    held_out = write_test_points(tmp_path / "scenes", count=6, size=83)
    export = ["lit-export", "onnx", "--artifact", "local/keypoints/keypoints:best", "--data", "scenes"]

    exported = run([*export, "--out", "bundle"], tmp_path)
    more = ["--report", "report.html", "--coco", "found.json", "--draw", "drawn"]
    said = run(["lit-infer", "scenes", "-m", "bundle", *more], tmp_path)

    assert "onnx: proven" in exported
    assert "eager module: PCK@0.1 " in exported
    assert "points: 30 in 6 images" in said
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(held_out)
    for row, one in zip(rows, expected, strict=True):
        assert (row["width"], row["height"]) == (83, 83)
        assert row["points"] == [msgspec.to_builtins(point) for point in one.answer.points]
        assert [point["label"] for point in row["points"]] == list(POINTS)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["categories"][0]["skeleton"] == [[one + 1, other + 1] for one, other in SKELETON]
    page = (tmp_path / "report.html").read_text()
    assert (page.count("<circle "), page.count("<line ")) == (30, 36)
    for path in held_out:
        with Image.open(tmp_path / "drawn" / f"{path.name}.png") as drawn, Image.open(path) as image:
            assert drawn.size == image.size
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        served = httpx.post(f"{server.url}/predict", content=held_out[0].read_bytes()).json()
        infer = httpx.get(f"{server.url}/v2/models/keypoints").json()
    assert (served["kind"], served["points"]) == ("points", rows[0]["points"])
    assert served["skeleton"] == [list(edge) for edge in SKELETON]
    assert infer["outputs"][0]["name"] == "heatmaps"


def test_instances_go_from_a_checkpoint_to_a_drawn_report_and_served_runs(tmp_path: Path) -> None:
    torch.manual_seed(1)
    module = InstanceLearner(11)
    unsure(module.detector)
    trainer = Trainer(max_epochs=0, logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "mine.ckpt")
    held_out = write_test_scenes(tmp_path / "scenes", count=4, size=83)
    labels = json.dumps(["background", *"0123456789"])
    (tmp_path / "spec.yaml").write_text(
        "task: instance-segmentation\npreprocess: [resize: {size: [64, 64]}]\n"
        f"labels: {labels}\nanswers: {{threshold: 0.1}}\n"
    )
    whose = ["--class", "tests.support.mask_rcnn.InstanceLearner", "--submodule", "detector"]
    export = ["lit-export", "onnx", "--checkpoint", "mine.ckpt", *whose, "--spec", "spec.yaml", "--data", "scenes"]

    exported = run([*export, "--out", "bundle"], tmp_path)
    line = ["lit-infer", "scenes/images", "-m", "bundle", "--report", "report.html", "--coco", "found.json"]
    said = run([*line, "--masks", "pngs"], tmp_path)

    assert "onnx: proven" in exported
    assert "eager module: mask mAP50 " in exported
    assert "masks in pngs" in said
    rows = [json.loads(text) for text in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    found = json.loads((tmp_path / "found.json").read_text())["annotations"]
    assert [one["segmentation"] for one in found] == [box["segmentation"] for row in rows for box in row["boxes"]] != []
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(held_out)
    for row, one in zip(rows, expected, strict=True):
        with Image.open(tmp_path / row["mask"]) as mask:
            assert np.array_equal(np.asarray(mask), one.answer.mask)
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        served = httpx.post(f"{server.url}/predict", content=held_out[0].read_bytes()).json()
    assert served["kind"] == "instances"
    assert served["boxes"] == rows[0]["boxes"]


def test_pixels_go_from_training_to_a_drawn_report_and_a_served_mask(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "segmentation.yaml")
    run(["lit-train", "fit", "--config", config, "--trainer.max_epochs", "1", "--data.count", "80"], tmp_path)
    held_out = write_test_scenes(tmp_path / "scenes", count=6, size=67)
    export = ["lit-export", "onnx", "--artifact", "local/segmentation/segmentation:best", "--data", "scenes"]

    exported = run([*export, "--out", "bundle"], tmp_path)
    said = run(["lit-infer", "scenes/images", "-m", "bundle", "--report", "report.html"], tmp_path)

    assert "onnx: proven" in exported
    assert "eager module: mIoU " in exported
    assert "images with: " in said
    assert "masks in predictions-masks" in said
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(held_out)
    for row, one in zip(rows, expected, strict=True):
        with Image.open(tmp_path / row["mask"]) as mask:
            assert mask.size == (67, 67)
            assert np.array_equal(np.asarray(mask), one.answer.mask)
        assert row["areas"] == [msgspec.to_builtins(area) for area in one.answer.areas]
    assert (tmp_path / "report.html").read_text().count("<canvas data-mask=") == len(rows)
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        found = httpx.post(f"{server.url}/predict", content=held_out[0].read_bytes()).json()
    with Image.open(io.BytesIO(base64.b64decode(found["mask"]))) as mask:
        assert np.array_equal(np.asarray(mask), expected[0].answer.mask)
    assert found["kind"] == "mask"


def test_pictures_go_from_training_to_a_report_and_a_served_picture(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "denoising.yaml")
    run(["lit-train", "fit", "--config", config, "--trainer.max_epochs", "1", "--data.count", "80"], tmp_path)
    held_out = write_noisy_digits(tmp_path / "noisy", count=6, size=67)
    export = ["lit-export", "onnx", "--artifact", "local/denoising/denoising:best", "--data", "noisy"]

    exported = run([*export, "--out", "bundle"], tmp_path)
    said = run(["lit-infer", "noisy/inputs", "-m", "bundle", "--report", "report.html"], tmp_path)

    assert "onnx: proven" in exported
    assert "eager module: PSNR " in exported
    assert "images in predictions-images" in said
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(held_out)
    for row, one in zip(rows, expected, strict=True):
        with Image.open(tmp_path / row["image"]) as made:
            assert made.size == (67, 67)
            assert np.array_equal(np.asarray(made), one.answer.image)
    assert (tmp_path / "report.html").read_text().count('class="split"') == len(rows)
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        url, data = f"{server.url}/predict", held_out[0].read_bytes()
        found = httpx.post(url, content=data).json()
        file = httpx.post(url, content=data, headers={"accept": "image/png"}).content
    for png in (base64.b64decode(found["image"]), file):
        with Image.open(io.BytesIO(png)) as made:
            assert np.array_equal(np.asarray(made), expected[0].answer.image)
    assert found["kind"] == "image"


def test_anomalies_go_from_training_to_a_report_with_heat_and_a_served_map(tmp_path: Path) -> None:
    config = str(ROOT / "configs" / "anomaly.yaml")
    run(["lit-train", "fit", "--config", config, "--trainer.max_epochs", "8"], tmp_path)
    images = write_digit_anomalies(tmp_path / "digits")
    export = ["lit-export", "onnx", "--artifact", "local/anomaly/anomaly:best", "--data", "digits"]

    exported = run([*export, "--out", "bundle"], tmp_path)
    said = run(["lit-infer", "digits", "-m", "bundle", "--report", "report.html", "--maps", "heat"], tmp_path)

    assert "onnx: proven" in exported
    assert "an image is anomalous, from its threshold" in exported
    assert "eager module: AUROC " in exported
    assert "images in good/ " in said
    rows = {row["path"]: row for row in map(json.loads, (tmp_path / "predictions.jsonl").read_text().splitlines())}
    with load(tmp_path / "bundle", device="cpu") as model:
        expected = model.predict(images)
    for path, one in zip(images, expected, strict=True):
        row = rows[path.relative_to(tmp_path).as_posix()]
        assert row["is_anomalous"] == one.answer.is_anomalous
        assert (tmp_path / row["map"]).is_file()
    assert (tmp_path / "report.html").read_text().count('class="heat"') == len(rows)
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        found = httpx.post(f"{server.url}/predict", content=images[0].read_bytes()).json()
    assert (found["kind"], found["is_anomalous"]) == ("anomaly", expected[0].answer.is_anomalous)
    assert Image.open(io.BytesIO(base64.b64decode(found["map"]))).size == (8, 8)


def test_embeddings_go_from_training_to_the_most_similar_images_and_a_served_vector(
    tmp_path: Path, digit_images: list[Path]
) -> None:
    config = str(ROOT / "configs" / "digits.yaml")
    run(["lit-train", "fit", "--config", config, "--trainer.max_epochs", "1"], tmp_path)
    (tmp_path / "spec.yaml").write_text(
        "task: image-embedding\npreprocess: [resize: {size: [16, 16]}]\nnormalize: {mean: [0.3], std: [0.35]}\n"
    )
    export = ["lit-export", "onnx", "--artifact", "local/digits/digits-cnn:best", "--spec", "spec.yaml"]
    run([*export, "--out", "bundle"], tmp_path)
    for path in digit_images[:40]:
        (tmp_path / "others" / path.name).parent.mkdir(exist_ok=True)
        (tmp_path / "others" / path.name).write_bytes(path.read_bytes())
    queries = [str(path) for path in digit_images[20:26]]

    run(["lit-infer", *queries, "-m", "bundle", "--nearest", "others", "-k", "3", "--report", "report.html"], tmp_path)

    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    for row in rows:
        assert Path(row["nearest"][0]["path"]).name == Path(row["path"]).name  # its copy
        assert row["nearest"][0]["similarity"] == pytest.approx(1, abs=1e-5)
        assert len(row["nearest"]) == 3
    assert (tmp_path / "report.html").read_text().count('class="beside"') == len(rows)
    with command("bundle", "--quiet", cwd=tmp_path) as server:
        found = httpx.post(f"{server.url}/predict", content=digit_images[20].read_bytes()).json()
    assert (found["kind"], len(found["embedding"])) == ("vector", 10)
