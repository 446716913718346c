"""What is exported, whatever the task: a `Target`.

A module from a tuple of tensors to a tuple of tensors, with a name, a dtype and a shape for each, and inputs to try it
on. Here are also the eager module's answers, which everything is compared with.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from lit_export.user_code import user_code
from lit_infer import manifest
from lit_infer.errors import GateError
from lit_infer.manifest import DeploymentFacts, Precision
from lit_infer.tasks import TASKS, Reading, TaskSpec
from lit_infer.tensors import Arrays

BATCH = "batch"


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
    facts: DeploymentFacts
    batch: int | None
    """The batch size that the graph is frozen to; None: any."""
    warnings: tuple[str, ...] = ()
    """What the user should know about how the module was taken."""

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
    def spec(self) -> TaskSpec:
        """The task's row in the runtime's table."""
        return TASKS[self.facts.task]

    @property
    def reading(self) -> Reading:
        """What is needed to read its answers."""
        last = self.outputs[0].shape[-1] if self.outputs[0].shape else None
        size = last if isinstance(last, int) else None
        return self.spec.reading(labels=self.facts.labels, answers=self.facts.answers, size=size)


def answers(module: nn.Module, inputs: Arrays) -> Arrays:
    """The eager module's answers. Raises GateError for a module in training mode, and for NaN or infinity."""
    if any(part.training for part in module.modules()):
        raise GateError("the module is in training mode: its answers would not be those of deployment")
    asked = f"{type(getattr(module, 'module', module)).__qualname__}.forward"
    with torch.no_grad(), user_code(asked):  # and not in inference mode: a module may compute gradients itself
        output = module(*(torch.from_numpy(array) for array in inputs))
    found = tuple(tensor.detach().numpy() for tensor in (output if isinstance(output, tuple) else (output,)))
    if not all(np.isfinite(array).all() for array in found):
        raise GateError("the eager module itself answers NaN or infinity: the checkpoint is of no use")
    return found


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
    def _floats_to(dtype: torch.dtype, tree: Any) -> Any:
        return tree_map_only(Tensor, lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor, tree)


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
