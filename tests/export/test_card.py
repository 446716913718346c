"""The model card says what the manifest says, whatever strings stand in it."""

from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from lit_export.card import card
from lit_infer.manifest import (
    DataScore,
    ExifTranspose,
    Graph,
    Latency,
    Manifest,
    Normalize,
    Parity,
    Proof,
    Quantization,
    Resize,
    Score,
    Source,
    Step,
    Tensor,
    Tiles,
)
from tests.inference.tiny import described

PARITY = Parity(
    batches=(1, 2, 3, 8),
    inputs="noise",
    max_abs=1.234e-7,
    max_rel=1e-5,
    cosine=1.0,
    agreement=1.0,
    atol=1e-5,
    rtol=1e-3,
)
ONNX = Graph(format="onnx", status="ok", file="model.onnx", sha256="0" * 64, bytes=45_678_901, opset=20, parity=PARITY)


def front_matter(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.replace(r"\|", "\0").strip("|").split("|")] for line in lines]


def with_graphs(*graphs: Graph, **changes: Any) -> Manifest:
    return described(graphs=graphs, **changes)


def test_the_front_matter_is_what_hugging_face_reads() -> None:
    graph = Graph(**{**_fields(ONNX), "score": DataScore(metric="accuracy", value=0.91, eager=0.92, images=1000)})

    found = front_matter(card(with_graphs(graph, license="Apache-2.0")))

    assert found == {
        "library_name": "lit-deploy",
        "license": "apache-2.0",
        "pipeline_tag": "image-classification",
        "tags": ["lit-deploy", "onnx"],
        "metrics": ["accuracy"],
    }


def _fields(graph: Graph) -> dict[str, Any]:
    return {name: getattr(graph, name) for name in graph.__struct_fields__}


@pytest.mark.parametrize("licence", ["for research only: ask", 'a "quoted" one', "x\ny: [", "- #"])
def test_a_licence_in_words_stays_valid_yaml(licence: str) -> None:
    found = front_matter(card(with_graphs(ONNX, license=licence)))

    assert (found["license"], found["license_name"]) == ("other", licence)


def test_a_licence_that_nobody_stated_is_not_made_up() -> None:
    text = card(with_graphs(ONNX))

    assert "license" not in front_matter(text)
    assert "not stated: ask whoever trained it" in text


def test_where_it_comes_from_names_checkpoint_run_commit_and_score() -> None:
    source = Source(
        digest="d" * 64,
        class_path="package.Net",
        submodule="encoder",
        reference="ent/proj/model-x:v3",
        run="proj/abc",
        git_commit="c0ffee",
        weights="ema",
        score=Score(monitor="val_loss", mode="min", value=0.123456),
    )

    text = section(card(with_graphs(ONNX, source=source)), "Where it comes from")

    assert rows(text)[3:] == [
        ["Score", "val_loss 0.123456, as recorded in training (lower is better)"],
        ["Checkpoint", "ent/proj/model-x:v3"],
        ["Checkpoint sha256", "d" * 64],
        ["Run", "proj/abc"],
        ["Git commit", "c0ffee"],
        ["Class", "package.Net"],
        ["Part", "encoder"],
        ["Weights", "moving average (EMA)"],
    ]


def test_each_graph_that_passed_has_a_row_and_columns_without_facts_are_left_out() -> None:
    int8 = Graph(
        format="onnx",
        precision="int8",
        status="ok",
        file="model.int8.onnx",
        bytes=12_000_000,
        parity=PARITY,
        score=DataScore(metric="accuracy", value=0.9102, eager=0.92, images=1000),
        latency=Latency(ms=1.5, batch_size=8, threads=2, cpu="Xeon"),
        quantization=Quantization(calibration_images=128, kept=("/head/Gemm",)),
    )
    openvino = Graph(format="openvino", status="ok", file="model.xml", companions={"model.bin": "0"}, parity=PARITY)
    failed = Graph(format="pt2", status="failed", reason="torch.export: no")

    few = rows(section(card(with_graphs(ONNX)), "Graphs"))
    text = section(card(with_graphs(ONNX, int8, openvino, failed)), "Graphs")
    many = rows(text)

    assert few[0] == ["graph", "precision", "file", "size", "max diff", "top-1 agreement"]
    assert few[2] == ["onnx (opset 20)", "fp32", "model.onnx", "45.68 MB", "1.2e-07", "100.0%"]
    assert [row[2] for row in many[2:]] == ["model.onnx", "model.int8.onnx", "model.xml, model.bin"]
    assert many[3][-2:] == ["accuracy 0.9102 (module: 0.9200, 1,000 labelled)", "1.50"]
    assert "- onnx int8: 1.50 ms per input in batches of 8, on 2 threads of Xeon" in text
    assert "- onnx int8: calibrated on 128 images; left in float: /head/Gemm" in text
    assert "- pt2 was tried and is not here: torch.export: no" in text
    assert "- onnx, onnx int8, openvino: max diff is" in text


def test_preprocessing_is_told_in_order() -> None:
    steps = (
        Step(exif_transpose=ExifTranspose()),
        Step(resize=Resize(size=(32, 48), interpolation="bicubic")),
        *described().preprocess,
    )
    normalize = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

    text = card(with_graphs(ONNX, preprocess=steps, normalize=normalize))

    assert "1. turn it upright by its EXIF orientation" in text
    assert "2. resize to 32 x 48 (height x width), bicubic, antialiased" in text
    assert "3. resize its shorter side to 8, bilinear, antialiased" in text
    assert "4. crop the centre, 8 x 8 (height x width)" in text
    assert "normalization (mean 0.485, 0.456, 0.406; std 0.229, 0.224, 0.225)" in text


def test_a_tensor_model_is_told_without_images() -> None:
    tensors = (
        Tensor(name="tokens", dtype="int64", shape=("batch", "time")),
        Tensor(name="mask", dtype="bool", shape=()),
    )

    text = card(with_graphs(ONNX, task="tensor", inputs=tensors, preprocess=(), labels=None))

    assert "pipeline_tag" not in front_matter(text)
    assert ["input", "tokens", "int64", "batch x time"] in rows(text)
    assert ["input", "mask", "bool", "scalar"] in rows(text)
    assert 'load(".").run({"tokens": …, "mask": …})' in text
    assert "image" not in section(text, "Limits")
    assert "Classes" not in text


def test_many_labels_are_counted_and_not_listed() -> None:
    labels = tuple(f"class {number}" for number in range(1000))
    output = Tensor(name="probabilities", dtype="float32", shape=("batch", 1000))

    text = card(with_graphs(ONNX, labels=labels, outputs=(output,)))

    assert "It knows 1,000 classes." in text
    assert "class 9, … (1,000 in all, in manifest.json)" in text
    assert "class 10" not in text


def test_strings_of_others_cannot_break_a_table_or_become_markup() -> None:
    hostile = "a | b\n# [x](http://evil) <script>`*_x_"
    source = Source(digest="d" * 64, class_path=hostile, run=hostile)
    graph = Graph(**{**_fields(ONNX), "file": hostile})
    failed = Graph(format="pt2", status="failed", reason=hostile)

    text = card(with_graphs(graph, failed, name=hostile, source=source, labels=(hostile, "b", "c")))

    body = text.split("---\n", 2)[2]
    assert r"\[x\](http://evil) \<script\>\`\*\_x\_" in body
    assert "<script>" not in body
    assert "\n# [" not in body
    widths = {len(row) for row in rows(section(text, "Graphs"))}
    assert widths == {6}


def test_the_same_manifest_gives_the_same_card() -> None:
    assert card(with_graphs(ONNX)) == card(with_graphs(ONNX))


def test_what_was_compared_stands_behind_the_graphs() -> None:
    text = card(with_graphs(ONNX, proof=Proof(inputs="noise", rows=14, lines=3, lines_run=3)))

    assert "Compared on 14 rows of seeded noise" in section(text, "What was compared")
    assert text.index("## Graphs") < text.index("## What was compared") < text.index("## Use")


def test_an_agreement_that_says_nothing_has_no_column() -> None:
    graph = Graph(**{**_fields(ONNX), "parity": replace(PARITY, agreement=None)})

    assert "agreement" not in section(card(with_graphs(graph)), "Graphs")


def test_tiles_are_told_before_what_is_done_to_each() -> None:
    scores = (Tensor(name="scores", dtype="float32", shape=("batch", 3, 8, 8)),)
    cut = {"task": "image-segmentation", "outputs": scores, "tiles": Tiles(size=512, overlap=64)}

    text = card(with_graphs(ONNX, **cut))

    assert "Images are cut into tiles of 512 x 512 pixels that overlap by 64 or more" in text
    assert "their answers are merged (mean)" in text
    assert "Before the graph, on each tile of the image as it is read:" in text
