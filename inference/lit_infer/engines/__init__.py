"""Engines open a graph file and give back a function that runs it; a test can pass a lambda instead.

One table: a row is all that is known of a format here. A new format is a row and the file that opens it, and a row in
`lit_export.formats.FORMATS`. An engine is a function `open_graph(path, *, device, threads) -> OpenGraph`.
"""

import importlib.util
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lit_infer.engines import aotinductor, onnxruntime, openvino, pt2, tensorrt, torchscript
from lit_infer.engines.opened import OpenGraph, Run
from lit_infer.errors import UsageError

__all__ = [
    "ENGINES",
    "FROM_BYTES",
    "HEAD_BYTES",
    "Engine",
    "OpenGraph",
    "Run",
    "check_device",
    "engine_for_content",
    "engine_for_file",
    "engine_for_suffix",
    "packages",
    "split",
    "suffixes",
]

HEAD_BYTES = 64
"""How much of the beginning of a file `Engine.recognises` needs."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A row of the table."""

    format: str
    title: str
    """What people call such a file, as in "this is a TorchScript graph"."""
    suffix: str
    is_suffix_its_own: bool = True
    """Whether no other files end in it; checkpoints end in `.pt`, too."""
    module: str
    extra: str
    """What installs the module."""
    open_graph: Callable[..., OpenGraph]
    recognises: Callable[[bytes, frozenset[str]], bool]
    """Whether a file is of the format, by its first bytes and, of a zip archive, its entries below the one folder."""
    packages: tuple[str, ...]
    """Distributions whose versions say what runs a graph."""
    is_for_one_host: bool = False
    """Whether its files hold what was compiled for one kind of host: elsewhere they do not run."""
    is_cpu_only: bool = False
    holds_native_code: bool = False
    """Whether opening a file runs its code: then `open_graph` takes `allow_native_code` too."""
    providers: tuple[str, ...] = ()
    """The parts of the engine that can be named, as in `onnx:cuda`; `open_graph` takes `provider` then."""

    @property
    def article(self) -> str:
        """Of the title, in a sentence."""
        return "an" if self.title[0] in "AEIO" else "a"

    def is_installed(self) -> bool:
        """Whether the module that runs this format is here; imports nothing."""
        return importlib.util.find_spec(self.module) is not None


# In order of preference: the first that is installed runs a bundle. Those for one host are taken when they are asked
# for, or when nothing else is there.
_ROWS = (
    Engine(
        format="onnx",
        title="ONNX graph",
        suffix=".onnx",
        module="onnxruntime",
        extra="cpu",
        open_graph=onnxruntime.open_graph,
        recognises=onnxruntime.recognises,
        packages=("onnxruntime", "onnxruntime-gpu"),
        providers=onnxruntime.PROVIDERS,
    ),
    Engine(
        format="openvino",
        title="OpenVINO graph",
        suffix=".xml",
        module="openvino",
        extra="openvino",
        open_graph=openvino.open_graph,
        recognises=openvino.recognises,
        packages=("openvino",),
        is_cpu_only=True,
    ),
    Engine(
        format="pt2",
        title="torch.export graph (.pt2)",
        suffix=".pt2",
        module="torch",
        extra="torch",
        open_graph=pt2.open_graph,
        recognises=pt2.recognises,
        packages=("torch",),
    ),
    Engine(
        format="torchscript",
        title="TorchScript graph",
        suffix=".pt",
        is_suffix_its_own=False,
        module="torch",
        extra="torch",
        open_graph=torchscript.open_graph,
        recognises=torchscript.recognises,
        packages=("torch",),
    ),
    Engine(
        format="aotinductor",
        title="AOTInductor library",
        suffix=".aoti.pt2",
        module="torch",
        extra="torch",
        open_graph=aotinductor.open_graph,
        recognises=aotinductor.recognises,
        packages=("torch",),
        is_for_one_host=True,
        holds_native_code=True,
    ),
    Engine(
        format="tensorrt",
        title="TensorRT engine",
        suffix=".engine",
        module="tensorrt",
        extra="tensorrt",
        open_graph=tensorrt.open_graph,
        recognises=tensorrt.recognises,
        packages=("tensorrt",),
        is_for_one_host=True,
    ),
)
ENGINES: dict[str, Engine] = {row.format: row for row in _ROWS}

FROM_BYTES = ENGINES["onnx"]
"""What opens a graph that a program holds in memory."""


def engine_for_file(path: Path) -> Engine:
    """The engine that a graph file's suffix names; of two that fit (`.pt2`, `.aoti.pt2`) the longer one."""
    fitting = [engine for engine in ENGINES.values() if path.name.removesuffix(engine.suffix) not in ("", path.name)]
    if not fitting:
        raise UsageError(f"{path} is neither a graph file ({suffixes()}) nor a bundle folder")
    return max(fitting, key=lambda engine: len(engine.suffix))


def engine_for_content(head: bytes, entries: Iterable[str] = ()) -> Engine | None:
    """The engine for a file of any name, by its first bytes and, for an archive, its entries."""
    below = frozenset(name.partition("/")[2] for name in entries)
    return next((engine for engine in ENGINES.values() if engine.recognises(head, below)), None)


def engine_for_suffix(path: Path) -> Engine | None:
    """The engine whose suffix a file has, unless other files have that suffix too."""
    try:
        engine = engine_for_file(path)
    except UsageError:
        return None
    return engine if engine.is_suffix_its_own else None


def suffixes() -> str:
    """The suffixes of graph files, for messages."""
    return ", ".join(engine.suffix for engine in ENGINES.values())


def packages() -> tuple[str, ...]:
    """The distributions whose versions say what runs graphs here."""
    return tuple(dict.fromkeys(name for engine in ENGINES.values() for name in engine.packages))


def split(engine: str) -> tuple[str, str]:
    """(engine, provider) of `auto`, `onnx`, `onnx:tensorrt`, …; most engines have no providers, so it is `auto`."""
    name, colon, provider = engine.partition(":")
    if name != "auto" and name not in ENGINES:
        raise UsageError(f"engine {engine!r} is not known; use auto, {', '.join(ENGINES)}")
    if colon and (name == "auto" or provider not in ENGINES[name].providers):
        offered = ", ".join(f"{row.format}:{provider}" for row in ENGINES.values() for provider in row.providers)
        raise UsageError(f"engine {engine!r} is not known; with a provider it is {offered}")
    return name, provider or "auto"


def check_device(device: str) -> str:
    """`auto`, `cpu`, `cuda` or `cuda:N`; anything else is a usage error."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"device {device!r} is not known; use auto, cpu, cuda or cuda:N")
    return device
