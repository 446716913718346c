"""Modules that take several images, from a checkpoint to rows: as a user runs it, against the eager module."""

import base64
import csv
import importlib.util
import json
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from lit_export import export
from lit_export.options import Options
from lit_infer import load, manifest
from lit_infer.errors import UsageError
from lit_infer.server.app import create_app
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.conftest import run_command
from tests.support.server.client import Client
from tests.support.warm import run_warm

CODE = """
import lightning
import torch
from torch import nn


class Siamese(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2))
        self.head = nn.Linear(16, 3)

    def forward(self, before, after):
        one, other = (self.body(images).mean((2, 3)) for images in (before, after))
        return self.head(torch.cat((one, one - other), dim=1)) * 20
"""
SPEC = """
task: image-classification
images: [before, after]
preprocess: [{resize: {size: [32, 40]}}]
normalize: {mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]}
labels: [same, moved, gone]
"""
PAIRS = ("before", "after")
SIZES = ((37, 51), (80, 33), (32, 40), (19, 90), (64, 64), (41, 41))


def picture(path: Path, size: tuple[int, int], seed: int) -> Path:
    """Noise, coarse and tinted, so that answers differ."""
    draw = np.random.default_rng(seed)
    blocks = draw.integers(0, 256, (-(-size[0] // 8), -(-size[1] // 8), 3)) * draw.uniform(0.2, 1, 3)
    Image.fromarray(blocks.astype(np.uint8).repeat(8, 0).repeat(8, 1)[: size[0], : size[1]]).save(path)
    return path


def prepared(path: Path) -> Tensor:
    """As training does it: Pillow's resize, then scaling and normalisation."""
    pixels = np.asarray(Image.open(path).convert("RGB").resize((40, 32), Image.Resampling.BILINEAR))
    shares = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
    return (shares - mean[:, None, None]) / std[:, None, None]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, its code, a spec, images of odd sizes, and files of pairs."""
    folder = tmp_path_factory.mktemp("several")
    (folder / "pairs_net.py").write_text(CODE)
    (folder / "spec.yaml").write_text(SPEC)
    net = module_of(folder)
    trainer = lightning.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", enable_progress_bar=False)
    trainer.strategy.connect(net)
    trainer.save_checkpoint(folder / "net.ckpt")
    (folder / "photos").mkdir()
    for index, size in enumerate(SIZES):
        picture(folder / "photos" / f"{index}.png", size, index)
    rows = [(f"photos/{index}.png", f"photos/{(index * 2 + 1) % 6}.png") for index in range(6)]
    write(folder / "pairs.csv", rows)
    (folder / "broken.png").write_bytes(b"no image")
    write(folder / "bad.csv", [rows[0], ("photos/1.png", ""), ("none.png", "photos/1.png"), rows[3]])
    with (folder / "bad.csv").open("a") as file:
        file.write("photos/1.png,broken.png\n")
    return folder


def module_of(folder: Path) -> Any:
    found = importlib.util.spec_from_file_location("pairs_net_of_the_test", folder / "pairs_net.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    torch.manual_seed(3)
    return module.Siamese().eval()


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(PAIRS)
        table.writerows(rows)


@pytest.fixture(scope="module")
def bundle(here: Path) -> Path:
    line = "lit-export onnx -c net.ckpt --class pairs_net:Siamese --spec spec.yaml --images pairs.csv --out bundle"
    done = run_warm(line.split(), here)
    assert done.returncode == 0, done.stderr
    assert "proven on 20 rows of image files and noise" in done.stderr
    assert "predict with: lit-infer pairs.csv --model bundle" in done.stderr
    return here / "bundle"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def expected(here: Path, before: str, after: str) -> NDArray[np.float32]:
    with torch.no_grad():
        found = module_of(here)(prepared(here / before)[None], prepared(here / after)[None])
    return torch.softmax(found, -1)[0].numpy()


def test_rows_of_pairs_are_answered_as_the_module_answers_them(here: Path, bundle: Path) -> None:
    facts = manifest.read(bundle)
    assert facts.image_names == PAIRS
    assert [one.shape for one in facts.inputs] == [("batch", 32, 40, 3)] * 2

    done = run_command(["lit-infer", "pairs.csv", "--model", "bundle", "--json", "-q"], here)

    assert done.returncode == 0, done.stderr
    rows = lines(done.stdout)
    assert [(row["path"], row["before"]) for row in rows] == [(f"pairs.csv#{n}", f"photos/{n}.png") for n in range(6)]
    for row in rows:
        truth = expected(here, row["before"], row["after"])
        scores = {one["index"]: one["score"] for one in row["top"]}
        np.testing.assert_allclose([scores[index] for index in range(3)], truth, rtol=1e-4, atol=1e-5)
    assert len({row["label"] for row in rows}) > 1
    assert expected(here, "photos/0.png", "photos/1.png").argmax() == rows[0]["index"]


def test_a_bad_image_is_a_row_that_says_which_one_and_harms_no_other(here: Path, bundle: Path) -> None:
    done = run_command(["lit-infer", "bad.csv", "--model", "bundle", "-o", "out.jsonl"], here)

    assert done.returncode == 1
    rows = lines((here / "out.jsonl").read_text())
    said = [(row["error"], row["code"]) for row in rows]
    assert said[1] == ("after is missing", "missing")
    assert said[2] == ("before: no such file", "not_found")
    assert said[4][0].startswith("after: not an image in a known format")
    assert [row["after"] for row in rows] == ["photos/1.png", None, "photos/1.png", "photos/1.png", "broken.png"]
    good = [rows[0], rows[3]]
    for row in good:
        truth = expected(here, row["before"], row["after"])
        np.testing.assert_allclose(row["score"], truth.max(), rtol=1e-4)
    assert "5 rows in" in done.stderr
    assert bundle.is_dir()


def test_items_are_mappings_in_python_however_they_come(here: Path, bundle: Path) -> None:
    one = {"before": here / "photos/0.png", "after": (here / "photos/3.png").read_bytes()}
    other = {"after": Image.open(here / "photos/2.png"), "before": np.asarray(Image.open(here / "photos/1.png"))}
    wrong = [{"before": one["before"]}, here / "photos/0.png", {**one, "more": b""}, {**one, "after": b"none"}]

    with load(bundle) as model:
        found = model.predict([one, other, *wrong], output=True)
        streamed = list(model.stream([one, other] * 20, output=True))
        submitted = model.submit(one).result()

    for prediction, (before, after) in zip(found[:2], (("0", "3"), ("1", "2")), strict=True):
        truth = expected(here, f"photos/{before}.png", f"photos/{after}.png")
        np.testing.assert_allclose(prediction.output, truth, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(streamed[38].output, found[0].output, rtol=1e-5)
    assert submitted.answer.index == found[0].answer.index
    assert [one.code for one in found[2:]] == ["bad_row", "bad_row", "bad_row", "unknown_format"]
    assert found[2].error == "an item has the images before, after, by these names; this one is before"
    assert found[5].error.startswith("after: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("photos", "takes before and after for each answer, and not single images"),
        ("photos/0.png", "columns before, after, paths relative to it: pairs.csv"),
        ("pairs.csv --report out.html", "--report is for answers of one image each"),
        ("pairs.csv --column bfore=x", "--column bfore=x: the model takes before, after"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_cure(here: Path, bundle: Path, arguments: str, message: str) -> None:
    done = run_command(["lit-infer", *arguments.split(), "--model", bundle.name], here)

    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--from photos", "--from gives single images, and bundle takes before and after"),
        ("--callers 2", "takes several images: callers and scenarios are measured on models of one"),
    ],
)
def test_only_the_graph_alone_is_benchmarked(here: Path, bundle: Path, arguments: str, message: str) -> None:
    done = run_command(["lit-bench", "--model", bundle.name, "--seconds", "0.05", *arguments.split()], here)

    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_a_server_takes_them_by_name_in_each_of_its_ways(here: Path, bundle: Path) -> None:
    repository = Repository(parse([str(bundle)]), Opening(device="cpu"))
    client = Client(create_app(repository))
    truth = expected(here, "photos/0.png", "photos/3.png")
    files = {name: (here / f"photos/{n}.png").read_bytes() for name, n in (("after", 3), ("before", 0))}
    plain = {name: base64.b64encode(data).decode() for name, data in files.items()}
    tensors = [{"name": name, "datatype": "BYTES", "shape": [1], "data": [plain[name]]} for name in PAIRS]

    form = client.post("/predict", files=files).json()
    as_json = client.post("/predict", json={"instances": [plain, plain]}).json()
    v1 = client.post("/v1/models/net:predict", json={"instances": [plain]}).json()
    v2 = client.post("/v2/models/net/infer", json={"inputs": tensors}).json()
    one = client.post("/predict", content=files["before"])
    bad = client.post("/predict", files={**files, "after": b"no image"})
    half = client.post("/v2/models/net/infer", json={"inputs": tensors[:1]})
    client.close()
    repository.close()

    np.testing.assert_allclose(form["score"], truth.max(), rtol=1e-4)
    assert [found["index"] for found in as_json["predictions"]] == [truth.argmax()] * 2
    np.testing.assert_allclose(v1["predictions"][0], truth, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(v2["outputs"][0]["data"], truth, rtol=1e-4, atol=1e-5)
    assert one.status_code == 400
    assert "send before and after as files of a form" in one.json()["error"]
    assert bad.json()["error"].startswith("after: not an image in a known format")
    assert half.status_code == 400


class Change(nn.Module):
    """A score for each pixel: how much brighter it has become, in one order only."""

    def forward(self, after: Tensor, before: Tensor) -> dict[str, Any]:
        return {"aux": before, "out": (after - before).mean(1, keepdim=True) * 9 - 1}


def test_a_map_of_change_is_of_the_first_image_and_images_go_where_they_are_named(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    steps = "preprocess: [{resize: {size: [16, 24]}}]"
    spec.write_text(f"task: image-segmentation\nimages: [before, after]\n{steps}\nlabels: [same, changed]\n")
    dark = Image.new("RGB", (24, 16), (20, 20, 20))
    half = Image.new("RGB", (24, 16), (20, 20, 20))
    half.paste((250, 250, 250), (12, 0, 24, 16))
    export(Change().eval(), ["onnx", "torchscript", "pt2"], out=tmp_path / "bundle", options=Options(spec=spec))

    wanted = np.zeros((16, 24), int)
    wanted[:, 12:] = 1
    for engine in ("onnx", "torchscript", "pt2"):
        with load(tmp_path / "bundle", engine=engine) as model:
            found, back, large = model.predict(
                [
                    {"before": dark, "after": half},
                    {"before": half, "after": dark},
                    {"before": dark.resize((48, 40)), "after": half},
                ]
            )
        assert (found.answer.mask == wanted).all()
        assert (back.answer.mask == 0).all()
        assert large.answer.mask.shape == (40, 48)
        assert (large.answer.mask[:, 30:] == 1).all()


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ({}, {}, r"forward takes before, after: .* say so in --spec: images: \[before, after\]"),
        ({"images": ["before", "aftr"]}, {}, "forward takes before, after, and no aftr"),
        ({"images": ["before"]}, {}, "give two names or more"),
        ({"images": ["before", "before"]}, {}, "give two names or more"),
        ({"images": ["label", "index"]}, {}, "have a column index: call the image otherwise"),
        (
            {"images": ["before", "after"]},
            {"data": Path("photos")},
            "--data takes single images, and this module before",
        ),
        ({"images": ["before", "after"], "task": "tensor"}, {}, "images are of tasks on images"),
    ],
)
def test_what_the_spec_says_of_images_must_fit(
    here: Path, tmp_path: Path, spec: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    task = spec.pop("task", "image-classification")
    steps = [] if task == "tensor" else [{"resize": {"size": [32, 40]}}]
    (tmp_path / "spec.yaml").write_text(json.dumps({"task": task, "preprocess": steps, **spec}))

    with pytest.raises(UsageError, match=message):
        export(module_of(here), out=tmp_path / "out", options=Options(spec=tmp_path / "spec.yaml", **options))
