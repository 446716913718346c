"""The formats, as one table: what each is called, what it supports, who writes it, and what its files say.

Importing it imports no torch. It is the twin of `lit_infer.engines.ENGINES`, which says how a format is run.

A format with several writers tries them in order: where the first one's file is not the module that was exported,
the next one's may be.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lit_export.formats import unopened
from lit_infer import manifest
from lit_infer.engines import ENGINES
from lit_infer.errors import UsageError, require
from lit_infer.manifest import Precision

if TYPE_CHECKING:
    from lit_export.formats.job import Writer

STANDARD = "onnx"
"""What is exported where no format is named, and what others are made from."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A row of the table. What the format is called and how it is run is in `lit_infer.engines.ENGINES`."""

    name: manifest.FormatName
    help: str
    extra: str
    modules: tuple[str, ...]
    """What writing needs to be installed, beside torch."""
    packages: tuple[str, ...] = ()
    """Distributions whose versions say what wrote a file, beside torch and those that run it."""
    writers: Mapping[Precision, Sequence[str]]
    """For each precision, `module.function` of those who can write it, the first choice first."""
    contents: Callable[[Path], unopened.Contents]
    """What a file of the format says of itself, for `lit-export inspect`."""
    in_all: bool = True
    """Whether `lit-export all` makes it; what needs a compiler or a GPU is made when asked for."""
    library: manifest.FormatName | None = None
    """The format that `--aot` adds: a library that is compiled from the same program."""
    viewer: str | None = None
    """A program that displays the file."""

    def check(self, precision: Precision) -> None:
        """Raises UsageError for a precision the format cannot have, MissingExtraError for what is not installed."""
        if precision not in self.writers:
            raise UsageError(f"{self.name} does not support {precision}; it supports {', '.join(self.writers)}")
        for module in self.modules:
            require(module, extra=self.extra, purpose=f"Exporting to {self.name}")

    @property
    def missing(self) -> str | None:
        """The module that writing needs and that is not installed; None: all is there. Imports nothing."""
        return next((name for name in self.modules if importlib.util.find_spec(name) is None), None)

    def writers_of(self, precision: Precision) -> "list[Writer]":
        """The functions that write the format in a precision."""
        dotted = (name.partition(".") for name in self.writers[precision])
        return [getattr(importlib.import_module(f"lit_export.formats.{module}"), name) for module, _, name in dotted]


_ROWS = (
    Format(
        name="onnx",
        help="ONNX, for onnxruntime and most other runtimes. Start here.",
        extra="export",
        modules=("onnx", "onnxscript"),
        packages=("onnx", "onnxscript"),
        writers={
            "fp32": ("onnx.write_dynamo", "onnx.write_legacy"),
            "fp16": ("onnx.write_fp16",),
            "int8": ("onnx.write_int8",),
        },
        contents=unopened.onnx,
        viewer="netron",
    ),
    Format(
        name="openvino",
        help="OpenVINO IR, for Intel's and other x86 CPUs.",
        extra="export,openvino",
        modules=("onnx", "onnxscript", "openvino"),
        writers=dict.fromkeys(("fp32", "fp16", "bf16", "int8"), ("openvino.write",)),
        contents=unopened.openvino,
    ),
    Format(
        name="pt2",
        help="torch.export, for torch without the training code. TorchScript's successor.",
        extra="export",
        modules=(),
        writers=dict.fromkeys(("fp32", "fp16", "bf16"), ("pt2.write",)),
        contents=unopened.archive,
        library="aotinductor",
    ),
    Format(
        name="torchscript",
        help="TorchScript by trace, for torch and libtorch. Legacy: PyTorch has deprecated it.",
        extra="export",
        modules=(),
        writers=dict.fromkeys(("fp32", "bf16"), ("torchscript.write",)),
        contents=unopened.archive,
    ),
    Format(
        name="aotinductor",
        help="A native library, for this kind of host only. By AOTInductor; needs a C++ compiler.",
        extra="export",
        modules=(),
        writers={"fp32": ("aotinductor.write",)},
        contents=unopened.archive,
        in_all=False,
    ),
    Format(
        name="tensorrt",
        help="A TensorRT engine, for this GPU only.",
        extra="export,tensorrt",
        modules=("tensorrt", "onnx", "onnxscript"),
        writers=dict.fromkeys(("fp32", "fp16"), ("tensorrt.write",)),
        contents=unopened.tensorrt,
        in_all=False,
    ),
)
FORMATS: dict[manifest.FormatName, Format] = {row.name: row for row in _ROWS}


def file_name(name: manifest.FormatName, precision: Precision) -> str:
    """What a graph is called in a bundle: `model.onnx`, `model.int8.onnx`, `model.pt2`."""
    return f"model{'' if precision == 'fp32' else f'.{precision}'}{ENGINES[name].suffix}"


def writing_packages() -> tuple[str, ...]:
    """The distributions whose versions say what wrote graphs here."""
    return tuple(dict.fromkeys(name for row in FORMATS.values() for name in row.packages))
