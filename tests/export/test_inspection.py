"""lit_export.inspection: what a file is, without running any of it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from rich.console import Console

from lit_export.inspection import Description, inspect, render
from lit_infer import artifacts
from lit_infer.engines import tensorrt
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from tests.inference import tiny


def shown(description: Description) -> dict[str, str]:
    return dict(reversed(description.rows))


def test_a_checkpoint_tells_what_training_recorded(digits_checkpoint: Path) -> None:
    found = inspect(str(digits_checkpoint))
    rows = shown(found)
    assert found.kind == "checkpoint"
    assert rows["class"] == "lit_trainer.modules.digits_cnn.DigitsCNN"
    assert rows["epoch"] in ("0", "1")
    assert rows["score"].startswith("val_loss ")
    assert rows["task"] == "image-classification"
    assert rows["labels"].startswith("10: 0, 1")
    assert rows["batch"].startswith("0: float32 [")
    assert rows["forward"].endswith(", 1, 16, 16]")
    assert "tensors" in rows["state_dict"]
    assert "width: 8" in [value for _, value in found.rows]


def test_it_needs_neither_torch_nor_lightning(digits_checkpoint: Path, tmp_path: Path) -> None:
    code = "import sys; from lit_export.inspection import inspect; print(inspect(sys.argv[1]).kind)"
    environment = {**os.environ, **tiny.without(tmp_path / "hide", "torch", "lightning", "onnx")}
    command = [sys.executable, "-c", code, str(digits_checkpoint)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("checkpoint", "")


def test_averaged_weights_and_sizes_are_told(tmp_path: Path) -> None:
    state = {"w": torch.zeros(2, 3), "b": torch.zeros(2)}
    torch.save({"state_dict": state, "current_model_state": dict(state)}, tmp_path / "x.ckpt")
    rows = shown(inspect(str(tmp_path / "x.ckpt")))
    assert rows["state_dict"] == "2 tensors, 8 values, 32 bytes"
    assert "averaged" in rows["EMA"]


def test_a_plain_state_dict_is_told(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "x.pth")
    assert "plain state_dict" in shown(inspect(str(tmp_path / "x.pth")))["kind"]


def test_an_onnx_graph_tells_its_opset_values_and_manifest(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny.graph_bytes(tiny.described().embedded()))
    rows = shown(inspect(str(path)))
    assert rows["opset"] == "ai.onnx 20 · IR 10"
    assert rows["inputs"] == "images uint8 [batch, 8, 8, 3]"
    assert rows["outputs"] == "probabilities float [batch, 3]"
    assert rows["name"] == "colours (image-classification)"


def test_an_archive_is_listed_and_its_code_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/constants.pkl", b"not a pickle")
        archive.writestr("model/code/a.py", "raise SystemExit")
        archive.writestr(f"model/extra/{MANIFEST_KEY}", tiny.manifest.encode(tiny.described()))
    found = inspect(str(path))
    assert found.kind == "TorchScript graph"
    assert shown(found)["name"].startswith("colours")


def test_a_native_library_is_listed_and_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.aoti.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/data/aotinductor/model/x.so", b"no library")
        archive.writestr(f"model/extra/{MANIFEST_KEY}", tiny.manifest.encode(tiny.described()))
    found = inspect(str(path))
    assert found.kind == "AOTInductor library"
    assert shown(found)["name"].startswith("colours")


def test_a_tensorrt_engine_tells_the_manifest_before_it(tmp_path: Path) -> None:
    path = tmp_path / "model.engine"
    path.write_bytes(tensorrt.pack(tiny.manifest.encode(tiny.described()).decode(), b"engine"))
    found = inspect(str(path))
    assert found.kind == "TensorRT engine"
    assert shown(found)["name"].startswith("colours")


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model.pt2", "model.aoti.pt2"])
def test_a_damaged_graph_is_named_by_its_suffix(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\0damaged")
    with pytest.raises(ArtifactError, match=r"is not a complete (ONNX file|OpenVINO file|archive)"):
        inspect(str(tmp_path / name))


def test_an_openvino_file_with_entities_is_not_expanded(tmp_path: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><net name="&b;"/>'
    (tmp_path / "model.xml").write_text(bomb)
    with pytest.raises(ArtifactError, match="declares entities of its own"):
        inspect(str(tmp_path / "model.xml"))


def test_a_bundle_is_verified(tmp_path: Path) -> None:
    folder = tiny.make_bundle(tmp_path / "bundle")
    (folder / "golden.npz").write_bytes(b"x")
    assert inspect(str(folder)).problems == ()
    assert shown(inspect(str(folder)))["files"] == "all verified against the manifest"
    (folder / "model.onnx").write_bytes(b"other")
    assert inspect(str(folder)).problems == ("model.onnx is not the file that the manifest lists",)


def test_a_reference_is_what_it_holds(tmp_path: Path) -> None:
    folder = tiny.make_bundle(tmp_path / "bundle")
    (folder / "golden.npz").write_bytes(b"x")
    reference = artifacts.parse("local/p/net")
    artifacts.registry(reference).publish(folder, reference, type="model", aliases=["best"])
    assert inspect("local/p/net:best").kind == "bundle"


def test_what_is_none_of_these_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(os.urandom(100))
    for target, kind in [(tmp_path / "x.bin", ArtifactError), (tmp_path, UsageError), (tmp_path / "no", NotFoundError)]:
        with pytest.raises(kind):
            inspect(str(target))


def test_it_is_shown_as_it_is() -> None:
    console = Console(width=60, record=True, file=open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    console.print(render(Description("a[b].ckpt", "checkpoint", (("epoch", "[3]"),), ("x is missing",))))
    console.file.close()
    text = console.export_text()
    assert "a[b].ckpt" in text
    assert "[3]" in text
    assert "x is missing" in text
