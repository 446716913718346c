"""Libraries of AOTInductor: native code, opened only where that is allowed, and where it can run."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lit_infer import load, manifest
from lit_infer.bundle import GraphFile
from lit_infer.engines.aotinductor import ALLOW, open_graph
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import EngineError
from tests.inference.tiny import colour, described


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, compiled for this host (half a minute), with its manifest."""
    import torch
    from torch import Tensor, nn

    class Colours(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (images.float().mean((1, 2)) / 64).softmax(-1)

    folder = tmp_path_factory.mktemp("graphs")
    program = torch.export.export(
        Colours().eval(),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8),),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    torch._inductor.aoti_compile_and_package(program, package_path=str(folder / "bare.pt2"))
    embedded = manifest.encode(described().embedded())
    return rewritten(folder / "bare.pt2", folder / "model.aoti.pt2", {f"extra/{MANIFEST_KEY}": embedded})


def rewritten(path: Path, to: Path, records: dict[str, bytes]) -> Path:
    import torch

    reader = torch._C.PyTorchFileReader(str(path))
    writer = torch._C.PyTorchFileWriter(str(to))
    for name in reader.get_all_records():
        if name not in (".data/version", ".data/serialization_id", "byteorder", *records):
            data = reader.get_record(name)
            writer.write_record(name, data, len(data))
    for name, data in records.items():
        writer.write_record(name, data, len(data))
    writer.write_end_of_file()
    return to


def test_native_code_is_not_run_unless_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "model.aoti.pt2"
    path.write_bytes(b"anything")

    with pytest.raises(EngineError, match=rf"holds native code.*If you trust it, set {ALLOW}=1"):
        open_graph(path, device="auto", threads=1)


def test_who_compiled_a_library_opens_it_without_a_word_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.aoti.pt2"
    path.write_bytes(b"anything")
    monkeypatch.delenv(ALLOW, raising=False)
    ours = GraphFile(path, manifest=None, listed=None, allow_native_code=True)
    before = dict(os.environ)

    with pytest.raises(EngineError, match="torch cannot open it"):  # it was tried
        ours.open(device="cpu", threads=1)
    assert dict(os.environ) == before
    with pytest.raises(EngineError, match="holds native code"):
        replace(ours, allow_native_code=False).open(device="cpu", threads=1)


@pytest.mark.parametrize("content", [b"", b"anything"])
def test_what_is_no_library_is_an_engine_error_of_one_line(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW, "1")
    path = tmp_path / "model.aoti.pt2"
    path.write_bytes(content)

    with pytest.raises(EngineError) as caught:
        open_graph(path, device="auto", threads=1)

    assert str(caught.value).startswith(f"{path}: torch cannot open it: ")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_library_answers_as_the_onnx_graph_of_the_same_model(
    graph: Path, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW, "1")
    items = [colour("red"), colour("green", 80), colour("blue", 3)]
    predictor = load(graph, device="auto", threads=1)

    found = predictor.predict(items)
    expected = load(bundle_folder, device="cpu", threads=1).predict(items)

    assert predictor.device == "cpu"
    assert predictor.engine.endswith("AOTInductor")
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], rtol=1e-5)


@pytest.mark.slow
def test_another_device_than_it_was_compiled_for_is_refused(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW, "1")

    with pytest.raises(EngineError, match=r"asked for cuda:99|was compiled for cpu, not for cuda:99"):
        open_graph(graph, device="cuda:99", threads=1)


@pytest.mark.slow
def test_another_processor_than_it_was_compiled_for_is_refused(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    import torch

    monkeypatch.setenv(ALLOW, "1")
    reader = torch._C.PyTorchFileReader(str(graph))
    (name,) = (name for name in reader.get_all_records() if name.endswith("wrapper_metadata.json"))
    other = json.dumps({**json.loads(reader.get_record(name)), "AOTI_CPU_ISA": "SVE512"}).encode()
    path = rewritten(graph, tmp_path / "model.aoti.pt2", {name: other})

    with pytest.raises(
        EngineError, match=r"was compiled for cpu_isa 'SVE512', this host has .* Export it on this host"
    ):
        open_graph(path, device="cpu", threads=1)
