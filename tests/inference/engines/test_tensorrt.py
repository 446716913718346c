"""What can be known of TensorRT without a GPU: who is refused, with what words, and how a file is laid out.

The stand-ins are the two modules themselves, as far as the engine gets before it needs a device.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from lit_infer.engines.tensorrt import open_graph, pack, unpack
from lit_infer.errors import EngineError, MissingExtraError


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "model.engine"
    path.write_bytes(pack("{}", b"engine"))
    return path


def pretend(monkeypatch: pytest.MonkeyPatch, *, devices: int) -> None:
    """TensorRT and CUDA's runtime as they answer on a machine with so many devices."""
    trt = ModuleType("tensorrt")
    logger = type("Logger", (), {"ERROR": 1, "__init__": lambda *_: None})
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda _: None)
    vars(trt).update(__version__="10.0", Logger=logger, Runtime=lambda _: runtime)
    cuda = ModuleType("cuda.bindings.runtime")
    error = SimpleNamespace(cudaSuccess=0)
    vars(cuda).update(
        cudaError_t=error,
        cudaGetDeviceCount=lambda: (0 if devices else 100, devices),
        cudaSetDevice=lambda _: (0,),
    )
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)


@pytest.mark.parametrize("embedded", ["", "{}", '{"name": "é"}'])
def test_what_is_packed_is_unpacked(embedded: str) -> None:
    assert unpack(pack(embedded, b"\x00engine")) == (embedded, b"\x00engine")


def test_an_engine_of_another_tool_has_no_manifest() -> None:
    assert unpack(b"ftrt\x00\x01") == (None, b"ftrt\x00\x01")


def test_the_cpu_is_refused(graph: Path) -> None:
    with pytest.raises(EngineError, match="TensorRT runs on a CUDA device, not on the CPU"):
        open_graph(graph, device="cpu", threads=1)


@pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="it is installed here")
def test_without_tensorrt_the_command_that_installs_it_is_named(graph: Path) -> None:
    with pytest.raises(MissingExtraError, match=r'pip install "lit-deploy\[tensorrt\]"'):
        open_graph(graph, device="auto", threads=1)


@pytest.mark.parametrize(
    ("device", "devices", "found"),
    [("auto", 0, "no CUDA device"), ("cuda", 0, "no CUDA device"), ("cuda:2", 2, "2 CUDA")],
)
def test_a_device_that_is_not_here_is_refused(
    device: str, devices: int, found: str, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, devices=devices)

    with pytest.raises(EngineError, match=f"asked for {device}, found {found}"):
        open_graph(graph, device=device, threads=1)


def test_an_engine_that_does_not_open_is_said_to_be_damaged_or_of_another_host(
    graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, devices=1)

    with pytest.raises(EngineError, match=r"TensorRT 10\.0 cannot open it: damaged, or built by another version"):
        open_graph(graph, device="cuda:0", threads=1)
