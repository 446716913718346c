"""The table of engines itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from lit_infer.engines import ENGINES, check_device, engine_for_file, split
from lit_infer.errors import UsageError
from tests.inference.tiny import without


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:15"])
def test_known_devices_pass(device: str) -> None:
    assert check_device(device) == device


@pytest.mark.parametrize("device", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:0,1", "cpu ", "cpu\n", "mps"])
def test_other_devices_are_refused_with_those_there_are(device: str) -> None:
    with pytest.raises(UsageError, match="use auto, cpu, cuda or cuda:N"):
        check_device(device)


def test_the_suffix_names_the_engine() -> None:
    assert engine_for_file(Path("a/model.onnx")) is ENGINES["onnx"]
    assert engine_for_file(Path("a/model.int8.onnx")) is ENGINES["onnx"]
    assert engine_for_file(Path("a/model.pt")) is ENGINES["torchscript"]
    assert engine_for_file(Path("a/model.xml")) is ENGINES["openvino"]
    assert engine_for_file(Path("a/model.engine")) is ENGINES["tensorrt"]


def test_of_two_suffixes_that_fit_the_longer_one_names_the_engine() -> None:
    assert engine_for_file(Path("a/model.pt2")) is ENGINES["pt2"]
    assert engine_for_file(Path("a/model.aoti.pt2")) is ENGINES["aotinductor"]


def test_what_was_compiled_for_one_host_is_preferred_last() -> None:
    assert list(ENGINES)[:2] == ["onnx", "openvino"]
    assert list(ENGINES)[-2:] == ["aotinductor", "tensorrt"]


@pytest.mark.parametrize("name", ["model.ckpt", "model", "model.onnx.bak", ".onnx", "modelxml"])
def test_an_unknown_suffix_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=r"is neither a graph file \(\.onnx, \.xml, \.pt2, \.pt, "):
        engine_for_file(Path(name))


def test_each_engine_is_in_the_table_under_its_formats_name() -> None:
    assert all(name == engine.format for name, engine in ENGINES.items())
    assert len({engine.suffix for engine in ENGINES.values()}) == len(ENGINES)


def test_whether_an_engine_is_installed_is_known_without_importing_it(tmp_path: Path) -> None:
    code = """
import sys
from lit_infer.engines import ENGINES
print([engine.format for engine in ENGINES.values() if engine.is_installed()])
assert not {"torch", "onnxruntime", "openvino"} & set(sys.modules)
"""
    environment = without(tmp_path, "torch", "tensorrt")

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("['onnx', 'openvino']\n", "")


@pytest.mark.parametrize(
    ("engine", "parts"),
    [("auto", ("auto", "auto")), ("openvino", ("openvino", "auto")), ("onnx:tensorrt", ("onnx", "tensorrt"))],
)
def test_an_engine_may_name_a_provider_of_onnxruntime(engine: str, parts: tuple[str, str]) -> None:
    assert split(engine) == parts


@pytest.mark.parametrize("engine", ["onnx:", "onnx:rocm", "openvino:cpu", "auto:cuda", "onnx:cpu:1"])
def test_a_provider_that_is_not_known_is_refused_with_those_there_are(engine: str) -> None:
    with pytest.raises(UsageError, match="with a provider it is onnx:cpu, onnx:cuda, onnx:tensorrt, onnx:openvino"):
        split(engine)
