"""Engines open a graph file and give back a function that runs it; a test can pass a lambda instead.

One table: what each format is called, its file's suffix, the module that runs it and the extra that brings
that module. An engine is a function `open_graph(path, *, device, threads) -> OpenGraph`.

In a bundle the files are `model.onnx`, `model.int8.onnx`, `model.fp16.onnx`, `model.xml` with `model.bin`,
`model.pt2`, `model.aoti.pt2`, `model.pt`, `model.engine`.
"""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lit_infer.engines import aotinductor, onnxruntime, openvino, pt2, tensorrt, torchscript
from lit_infer.engines.opened import OpenGraph, Run
from lit_infer.errors import UsageError
from lit_infer.manifest import Format

__all__ = ["ENGINES", "Engine", "OpenGraph", "Run", "check_device", "engine_for_file", "split", "suffixes"]


@dataclass(frozen=True)
class Engine:
    """A row of the table."""

    format: Format
    suffix: str
    module: str
    extra: str
    open_graph: Callable[..., OpenGraph]
    holds_native_code: bool = False
    """Whether opening a file runs its code: then `open_graph` takes `allow_native_code` too."""

    @property
    def is_for_one_host(self) -> bool:
        """Whether its files hold what was compiled for one kind of host."""
        return self.format in ("aotinductor", "tensorrt")

    def is_installed(self) -> bool:
        """Whether the module that runs this format is here; imports nothing."""
        return importlib.util.find_spec(self.module) is not None


# In order of preference: the first that is installed runs a bundle. The last two hold what was compiled for one
# host: they are taken when asked for, or when nothing else is there.
ENGINES: dict[str, Engine] = {
    "onnx": Engine("onnx", ".onnx", "onnxruntime", "cpu", onnxruntime.open_graph),
    "openvino": Engine("openvino", ".xml", "openvino", "openvino", openvino.open_graph),
    "pt2": Engine("pt2", ".pt2", "torch", "torch", pt2.open_graph),
    "torchscript": Engine("torchscript", ".pt", "torch", "torch", torchscript.open_graph),
    "aotinductor": Engine("aotinductor", ".aoti.pt2", "torch", "torch", aotinductor.open_graph, holds_native_code=True),
    "tensorrt": Engine("tensorrt", ".engine", "tensorrt", "tensorrt", tensorrt.open_graph),
}


def engine_for_file(path: Path) -> Engine:
    """The engine that a graph file's suffix names; of two that fit (`.pt2`, `.aoti.pt2`) the longer one."""
    fitting = [engine for engine in ENGINES.values() if path.name.removesuffix(engine.suffix) not in ("", path.name)]
    if not fitting:
        raise UsageError(f"{path}: not a graph file ({suffixes()}) nor a bundle folder")
    return max(fitting, key=lambda engine: len(engine.suffix))


def suffixes() -> str:
    """The suffixes of graph files, for messages."""
    return ", ".join(engine.suffix for engine in ENGINES.values())


def split(engine: str) -> tuple[str, str]:
    """(engine, provider) of `auto`, `onnx`, `onnx:tensorrt`, …; a provider is part of onnxruntime, else `auto`."""
    name, colon, provider = engine.partition(":")
    if name != "auto" and name not in ENGINES:
        raise UsageError(f"engine {engine!r} is not known; use auto, {', '.join(ENGINES)}")
    if colon and (name != "onnx" or provider not in onnxruntime.PROVIDERS):
        offered = ", ".join(f"onnx:{provider}" for provider in onnxruntime.PROVIDERS)
        raise UsageError(f"engine {engine!r} is not known; with a provider it is {offered}")
    return name, provider or "auto"


def check_device(device: str) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N`; anything else is a usage error."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"device {device!r} is not known; use auto, cpu, cuda or cuda:N")
    return device
