"""lit_export.graph_builder: where a graph is made, compared, measured and judged; on real files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lit_export import Options, export, formats, latency
from lit_export.formats import onnx  # noqa: F401 - patched below as an attribute of the package
from lit_infer import load, manifest
from lit_infer.bench.subjects import open_subjects
from lit_infer.errors import ArtifactError, EngineError
from lit_infer.manifest import Graph, Latency
from lit_infer.predictor import Predictor
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_trainer.modules import DigitsCNN
from tests.cases.modules import Prototypes
from tests.export.foreign import Plain

SPEC = """\
task: image-classification
preprocess:
  - resize: {size: [16, 16]}
normalize: {mean: [0.3], std: [0.35]}
"""
Formats = list[manifest.FormatName]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many images as calibration wants, of one channel."""
    folder, generator = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for place in range(128):
        Image.fromarray(generator.integers(0, 256, (16, 16), dtype=np.uint8)).save(folder / f"{place:03}.png")
    return folder


@pytest.fixture
def int8(tmp_path: Path, photos: Path) -> Callable[..., Any]:
    """Export an untrained DigitsCNN to int8."""
    (tmp_path / "spec.yaml").write_text(SPEC)

    def run(formats_: Formats, **more: Any) -> Any:
        options = Options(spec=tmp_path / "spec.yaml", precisions=("int8",), calibration=photos, **more)
        return export(DigitsCNN(width=8), formats_, out=tmp_path / "b", options=options)

    return run


def timed(monkeypatch: pytest.MonkeyPatch, ms: Callable[[str, Predictor], float]) -> None:
    """Have graphs take as long as is said; what is measured is another module's test."""

    def compare(predictors: Mapping[str, Predictor], **_: object) -> dict[str, Latency]:
        return {
            name: Latency(ms=ms(name, predictor), batch_size=8, threads=1, cpu="x")
            for name, predictor in predictors.items()
        }

    monkeypatch.setattr(latency, "compare", compare)


def outcome(bundle: Any) -> dict[str, str]:
    return {graph.label: graph.status for graph in bundle.attempted}


@pytest.mark.slow
def test_int8_that_is_not_faster_is_removed_and_the_reason_says_so(
    int8: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    timed(monkeypatch, lambda name, _: {"fp32": 1.0}.get(name, 0.99))
    bundle = int8(["onnx"])
    assert outcome(bundle) == {"onnx int8": "failed"}
    assert bundle.failed[0].reason == (
        "it is not faster here: 0.99 ms an image, and float32 takes 1.00 ms. --keep-anyway keeps it"
    )
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.rglob("*.onnx"))

    kept = int8(["onnx"], keep_anyway=True)
    graph = kept.manifest.ok_graphs()[0]
    assert (graph.file, graph.latency.ms, graph.quantization.calibration_images) == ("model.int8.onnx", 0.99, 128)


@pytest.mark.slow
def test_what_is_too_slow_on_one_engine_may_be_fast_on_another(
    int8: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    timed(monkeypatch, lambda name, at: 0.5 if name == "int8" and "openvino" in at.engine.lower() else 1.0)
    bundle = int8(["onnx", "openvino"])
    assert outcome(bundle) == {"onnx int8": "failed", "openvino int8": "ok"}
    assert {path.name for path in (tmp_path / "b").glob("model.*")} == {"model.int8.xml", "model.int8.bin"}


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: Path) -> Path:
    """A bundle whose graph counts as too large for one file."""
    monkeypatch.setattr(formats.onnx, "EXTERNAL_DATA_FROM", 1000)
    options = Options(spec=spec, precisions=("fp32", "fp16"))
    bundle = export(Plain(classes=3), ["onnx"], out=tmp_path / "large", options=options)
    assert not bundle.failed, bundle.failed
    return tmp_path / "large"


@pytest.mark.slow
def test_weights_beside_a_large_graph_belong_to_it(large: Path, spec: Path, tmp_path: Path) -> None:
    graph: Graph = manifest.read(large).ok_graphs()[0]
    assert graph.companions.keys() == {"model.onnx.data"}
    assert graph.bytes == sum((large / name).stat().st_size for name in ("model.onnx", "model.onnx.data"))
    assert (large / "model.onnx.data").stat().st_size >= 4 * 3 * 3 * 8 * 8
    export(Plain(), ["onnx"], out=tmp_path / "small", options=Options(spec=spec))
    image = [np.full((9, 9, 3), 99, dtype=np.uint8)]
    score = load(tmp_path / "small").predict(image)[0].score
    assert load(large / "model.onnx").predict(image)[0].score == pytest.approx(score, abs=1e-6)
    assert load(large / "model.fp16.onnx").predict(image)[0].score == pytest.approx(score, abs=1e-2)

    raw = bytearray((large / "model.onnx.data").read_bytes())
    raw[40] ^= 1
    (large / "model.onnx.data").write_bytes(raw)
    with pytest.raises(ArtifactError, match=r"model\.onnx\.data is not the file that its manifest describes"):
        load(large).predict(image)


def test_versions_that_change_pixels_are_recorded(spec: Path, tmp_path: Path) -> None:
    bundle = export(Plain(), ["torchscript"], out=tmp_path / "b", options=Options(spec=spec))
    assert {"torch", "torchvision", "pillow", "simplejpeg", "python"} <= bundle.manifest.made_with.versions.keys()


@pytest.mark.slow
def test_a_library_that_was_just_compiled_is_opened_to_be_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIT_ALLOW_NATIVE_CODE", raising=False)
    bundle = export(nn.Linear(3, 2), ["aotinductor"], out=tmp_path / "b", options=Options(inputs=("3",)))
    assert outcome(bundle) == {"aotinductor": "ok"}
    (graph,) = bundle.manifest.ok_graphs()
    assert graph.parity is not None
    assert graph.parity.batches == (1, 2, 3, 8)
    assert str(graph.exporter).startswith("torch AOTInductor ")
    with pytest.raises(EngineError, match="holds native code"):
        load(tmp_path / "b")


class Lookup(nn.Module):
    """A small vocabulary: noise of any integers is none of its words."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.example_input_array = torch.tensor([[0, 4]])

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.embed(words).mean(1)


@pytest.mark.parametrize("module", [Lookup(), Prototypes()])
def test_a_graph_is_timed_and_warmed_up_on_what_it_was_compared_on(tmp_path: Path, module: nn.Module) -> None:
    (graph,) = export(module, ["onnx"], out=tmp_path / "b").attempted
    repository = Repository(parse([str(tmp_path / "b")]), Opening(device="cpu"))
    assert [slot.state for slot in repository.slots] == ["READY"]
    repository.close()
    (subject,), left_out = open_subjects(str(tmp_path / "b"), device="cpu")
    subject.one(5).each[0].call()
    assert left_out == []
    assert graph.latency is not None
    assert graph.latency.ms > 0


def test_a_proven_graph_is_not_lost_where_it_cannot_be_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(*_: object, **__: object) -> None:
        raise RuntimeError("the clock has stopped")

    monkeypatch.setattr(latency, "compare", compare)
    (graph,) = export(Lookup(), ["onnx"], out=tmp_path / "b").attempted
    assert (graph.status, graph.latency) == ("ok", None)
    assert (tmp_path / "b" / "model.onnx").is_file()
