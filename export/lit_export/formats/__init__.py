"""The formats, as one table: what each is called, what it can do, and who writes it. Importing it imports no torch.

A format with several writers tries them in order: where the first one's file is not the module that was exported,
the next one's may be.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lit_infer import manifest
from lit_infer.engines import ENGINES
from lit_infer.errors import UsageError, require
from lit_infer.manifest import Precision

if TYPE_CHECKING:
    from lit_export.formats.job import Writer


@dataclass(frozen=True)
class Format:
    """A row of the table. Suffix and engine are those of `lit_infer.engines.ENGINES`."""

    name: manifest.Format
    help: str
    extra: str
    modules: tuple[str, ...]
    """What writing needs to be installed, beside torch."""
    writers: Mapping[Precision, Sequence[str]]
    """For each precision, `module.function` of those who can write it, the first choice first."""
    in_all: bool = True
    """Whether `lit-export all` makes it; what needs a compiler or a GPU is made when asked for."""

    def check(self, precision: Precision) -> None:
        """Raises UsageError for a precision the format cannot have, MissingExtraError for what is not installed."""
        if precision not in self.writers:
            raise UsageError(f"{self.name} cannot be {precision}; it can be {', '.join(self.writers)}")
        for module in self.modules:
            require(module, extra=self.extra, purpose=f"Exporting to {self.name}")

    def writers_of(self, precision: Precision) -> "list[Writer]":
        """The functions that write the format in a precision."""
        places = (name.partition(".") for name in self.writers[precision])
        return [getattr(importlib.import_module(f"lit_export.formats.{module}"), name) for module, _, name in places]


_ROWS = (
    Format(
        "onnx",
        "ONNX, for onnxruntime and most other runtimes. Start here.",
        extra="export",
        modules=("onnx", "onnxscript"),
        writers={
            "fp32": ("onnx.write_dynamo", "onnx.write_legacy"),
            "fp16": ("onnx.write_fp16",),
            "int8": ("onnx.write_int8",),
        },
    ),
    Format(
        "openvino",
        "OpenVINO IR, for Intel's and other x86 CPUs.",
        extra="export,openvino",
        modules=("onnx", "onnxscript", "openvino"),
        writers=dict.fromkeys(("fp32", "fp16", "bf16", "int8"), ("openvino.write",)),
    ),
    Format(
        "pt2",
        "torch.export, for torch without the training code. TorchScript's successor.",
        extra="export",
        modules=(),
        writers=dict.fromkeys(("fp32", "fp16", "bf16"), ("pt2.write",)),
    ),
    Format(
        "torchscript",
        "TorchScript by trace, for torch and libtorch. Legacy: PyTorch has deprecated it.",
        extra="export",
        modules=(),
        writers=dict.fromkeys(("fp32", "bf16"), ("torchscript.write",)),
    ),
    Format(
        "aotinductor",
        "A native library, for this kind of host only. By AOTInductor; needs a C++ compiler.",
        extra="export",
        modules=(),
        writers={"fp32": ("aotinductor.write",)},
        in_all=False,
    ),
    Format(
        "tensorrt",
        "A TensorRT engine, for this GPU only.",
        extra="export,tensorrt",
        modules=("tensorrt", "onnx", "onnxscript"),
        writers=dict.fromkeys(("fp32", "fp16"), ("tensorrt.write",)),
        in_all=False,
    ),
)
FORMATS: dict[manifest.Format, Format] = {row.name: row for row in _ROWS}


def file_name(name: manifest.Format, precision: Precision) -> str:
    """What a graph is called in a bundle: `model.onnx`, `model.int8.onnx`, `model.pt2`."""
    return f"model{'' if precision == 'fp32' else f'.{precision}'}{ENGINES[name].suffix}"
