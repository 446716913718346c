"""What is exported, whatever the task: a `Target`.

A module from a tuple of tensors to a tuple of tensors, with a name, a dtype and a shape for each, and inputs to try it
on. Here are also the eager module's answers, which everything is compared with.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lit_export.inputs.tree import mapped
from lit_export.proof import coverage
from lit_export.user_code import user_code
from lit_infer import manifest
from lit_infer.errors import GateError
from lit_infer.manifest import DeploymentFacts, Precision, ProofInputs
from lit_infer.proof_words import MADE_OF
from lit_infer.tasks import TASKS, Reading, TaskSpec
from lit_infer.tensors import Arrays


@dataclass(frozen=True)
class Target:
    """A module that is ready for an exporter, in eval mode on the CPU."""

    module: nn.Module
    inputs: tuple[manifest.Tensor, ...]
    outputs: tuple[manifest.Tensor, ...]
    example: Arrays
    """What exporters trace with; two in the batch where it is dynamic, since one would be frozen into the graph."""
    noise: Callable[[np.random.Generator, int], Arrays]
    """Inputs for a batch of that size, at several scales."""
    sized: Callable[[np.random.Generator, Mapping[str, int]], Arrays]
    """Inputs with these lengths of dynamic sides; the others are as in the example."""
    facts: DeploymentFacts
    batch: int | None
    """The batch size that the graph is frozen to; None: any."""
    warnings: tuple[str, ...] = ()
    """What the user should know about how the module was taken."""
    inputs_kind: ProofInputs = "noise"
    """What `noise` draws from."""
    inputs_source: str | None = None
    """Where the inputs came from, in words: `the validation data of pkg.mod:Data`; None for noise."""
    inputs_given: int | None = None
    """How many different rows of real inputs there are; None where inputs are made up."""
    assumed: tuple[str, ...] = ()
    """What was taken as given about the inputs: `attention_mask is always 1 (--input)`."""
    constant: tuple[str, ...] = ()
    """Inputs that have one value because the user said so."""
    call: str = "forward"
    """The method that the graph computes."""

    @property
    def dynamic(self) -> tuple[dict[int, str], ...]:
        """For each input, its dynamic sides by axis."""
        return tuple(
            {axis: side for axis, side in enumerate(tensor.shape) if isinstance(side, str)} for tensor in self.inputs
        )

    @property
    def takes_images(self) -> bool:
        """Whether the runtime feeds it from image files."""
        return self.spec.takes_images

    @property
    def takes_one_image(self) -> bool:
        """Whether an item is one image, and not several."""
        return self.takes_images and len(self.inputs) == 1

    @property
    def spec(self) -> TaskSpec:
        """The task's row in the runtime's table."""
        return TASKS[self.facts.task]

    @property
    def reading(self) -> Reading:
        """What is needed to read its answers."""
        return self.spec.reading(labels=self.facts.labels, answers=self.facts.answers, size=self.size)

    @property
    def size(self) -> int | None:
        """How many labels its first output has numbers for; None if that is not fixed."""
        return self.spec.size_of(self.outputs[0].shape)


class NotFiniteError(GateError):
    """The eager module answers NaN or infinity."""


def answers(module: nn.Module, inputs: Arrays, *, kind: ProofInputs = "noise") -> Arrays:
    """The eager module's answers; the inputs stay as they are, whatever the module does with them.

    Raises GateError for a module in training mode, and for NaN or infinity; `kind` says what the inputs are, and so
    what is to blame.
    """
    if any(part.training for part in module.modules()):
        raise GateError("the module is in training mode: its answers would not be those of deployment")
    asked = getattr(module, "asked", f"{type(getattr(module, 'module', module)).__qualname__}.forward")
    with torch.no_grad(), user_code(asked), coverage.running():  # no inference mode: a module may need gradients itself
        output = module(*tensors_of(inputs))
    found = tuple(tensor.detach().numpy() for tensor in (output if isinstance(output, tuple) else (output,)))
    if not all(np.isfinite(array).all() for array in found):
        raise NotFiniteError(f"the eager module itself answers NaN or infinity{_why_not_finite(module, kind)}")
    return found


def tensors_of(inputs: Arrays) -> tuple[Tensor, ...]:
    """Copies of arrays, for a module that may write to what it is given."""
    return tuple(torch.from_numpy(array.copy()) for array in inputs)


def _why_not_finite(module: nn.Module, kind: ProofInputs) -> str:
    broken = [name for name, weight in module.named_parameters() if not bool(torch.isfinite(weight).all())]
    broken += [name for name, kept in module.named_buffers() if bool(torch.isnan(kept).any())]  # a mask may be -inf
    if broken:
        name = broken[0].removeprefix("module.")
        return f", and its weight {name} holds some. The checkpoint is of no use: take an earlier one"
    if kind != "noise":
        return f" for {MADE_OF[kind]}. The checkpoint is of no use: take an earlier one"
    return (
        " for the noise that stands in for its inputs, and real ones may be otherwise. Give some (--data-module, "
        "--inputs or --images), or the range of an input, as in --input mel=80x50:float32:0..1"
    )


class _Cast(nn.Module):
    """A module in a lower precision with the same inputs and outputs as before."""

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.module = module.to(dtype)
        self.dtype = dtype

    def forward(self, *tensors: Tensor, **named: Tensor) -> Any:
        tensors, named = self._floats_to(self.dtype, (tensors, named))
        return self._floats_to(torch.float32, self.module(*tensors, **named))

    @staticmethod
    def _floats_to(dtype: torch.dtype, nested: Any) -> Any:
        def cast(leaf: Any) -> Any:
            return leaf.to(dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf

        return mapped(nested, cast)


def in_precision(module: nn.Module, precision: Precision | Literal["fp64"]) -> nn.Module:
    """A target's module whose inside computes in `precision`; its inputs and outputs stay as they are."""
    if precision == "fp32" and getattr(module, "dtype", torch.float32) == torch.float32:
        return module
    lower = copy.deepcopy(module)
    lower.module = _Cast(lower.get_submodule("module"), _DTYPES[precision])
    return lower.eval()


_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "fp64": torch.float64}


def dtype_of(module: nn.Module) -> torch.dtype:
    """The dtype of a module's weights where they have one, else float32."""
    found = {weight.dtype for weight in module.parameters() if weight.is_floating_point()}
    return found.pop() if len(found) == 1 else torch.float32
