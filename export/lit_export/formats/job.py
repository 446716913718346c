"""What every writer is given, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lit_export.options import Options
from lit_export.proof.sizes import Doubt
from lit_export.tasks import Target
from lit_export.tasks.target import tensors_of
from lit_infer.errors import GateError
from lit_infer.manifest import Manifest, Precision, Quantization


@dataclass(frozen=True)
class Written:
    """A graph file, as read back."""

    path: Path
    exporter: str
    opset: int | None = None
    ir_version: int | None = None
    companions: tuple[Path, ...] = ()
    quantization: Quantization | None = None
    doubts: tuple[Doubt, ...] = ()
    """What the exporter took for granted of the sizes."""


@dataclass(frozen=True)
class WriteJob:
    """One graph to write."""

    target: Target
    described: Manifest
    """The facts that the file will carry."""
    precision: Precision
    options: Options
    onnx: Callable[[Precision], Written]
    """A proven ONNX file, for what is made from one; written when first asked for."""
    quantize: Callable[[Path, Path], Quantization]
    """From a float32 ONNX file to an int8 one, calibrated and as accurate as was asked."""
    frozen: Callable[[], str | None] = lambda: None
    """Why a graph that follows one run would not be the module; None if nothing says so."""

    doubts: Callable[[], tuple[Doubt, ...]] = tuple
    """Sizes for which a graph that follows one run may not be the module."""

    def examples(self) -> tuple[Tensor, ...]:
        """Inputs to trace with."""
        return tensors_of(self.target.example)

    def require_exercised(self) -> None:
        """For a writer that follows one run and keeps its branches: GateError if another input would take others."""
        if why := self.frozen():
            raise GateError(why)

    @property
    def input_names(self) -> list[str]:
        """In the order of the module's arguments."""
        return [tensor.name for tensor in self.target.inputs]

    @property
    def output_names(self) -> list[str]:
        """In the order of the module's answer."""
        return [tensor.name for tensor in self.target.outputs]


Writer = Callable[[WriteJob, Path], Written]
