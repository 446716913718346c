"""What is exported: the user's module with its task's head and host-free preprocessing around it, and its sides.

Every task ends as a `Target`: a module from a tuple of tensors to a tuple of tensors, with a name, a dtype and a
shape for each, and inputs to try it on.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts, Precision

Arrays = tuple[NDArray[Any], ...]
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

    @property
    def dynamic(self) -> tuple[dict[int, str], ...]:
        """For each input, its dynamic sides by axis."""
        return tuple(
            {axis: side for axis, side in enumerate(tensor.shape) if isinstance(side, str)} for tensor in self.inputs
        )

    @property
    def takes_images(self) -> bool:
        """Whether the runtime feeds it from image files."""
        return self.facts.task in _IMAGE_TASKS


class Classifier(nn.Module):
    """Images uint8 [batch, height, width, channels] in, probabilities float32 [batch, classes] out.

    A module's logits become probabilities here; `answers_probabilities` where they are that already.

    Scaling, normalisation, layout and softmax are in the graph: the host sends bytes as decoded. The arithmetic
    is that of torchvision v2's ToDtype(scale=True) and Normalize, operation by operation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype_of(module)
        self.memory_format = torch.contiguous_format
        self.answers_probabilities = False
        self.normalized = facts.normalize is not None
        if facts.normalize is not None:  # the default dtype may be another: user's code can set it
            mean, std = (
                torch.tensor(values, dtype=torch.float32) for values in (facts.normalize.mean, facts.normalize.std)
            )
            self.register_buffer("mean", mean.view(1, -1, 1, 1))
            self.register_buffer("std", std.view(1, -1, 1, 1))

    def pixels(self, images: Tensor) -> Tensor:
        """What the user's module was trained on: [batch, channels, height, width], contiguous, in the weights' dtype.

        The order in memory is asked for, since a permuted tensor keeps its own and so do the answers of convolutions,
        which `view` then refuses.
        """
        pixels = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.memory_format) * (1.0 / 255)
        return ((pixels - self.mean) / self.std if self.normalized else pixels).to(self.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities, each row summing to 1. Log-probabilities from the module give the same as logits."""
        scores = self.scores(images)
        return scores if self.answers_probabilities else torch.softmax(scores, dim=-1)

    def scores(self, images: Tensor) -> Tensor:
        """The module's main answer, in float32."""
        return _main_output(self.module(self.pixels(images))).to(torch.float32)


class Embedder(Classifier):
    """Images as `Classifier` takes them in, float32 [batch, features] out."""

    def forward(self, images: Tensor) -> Tensor:
        """The features as the module gives them, flattened after the batch."""
        return self.scores(images).flatten(1)


def _main_output(output: Any) -> Tensor:
    """The logits or features, also of a module that answers several things."""
    if isinstance(output, dict):
        output = output.get("logits", next(iter(output.values()), None))
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    elif not isinstance(output, Tensor) and hasattr(output, "logits"):
        output = output.logits
    if not isinstance(output, Tensor):
        raise GateError(f"the module answers {type(output).__name__}, not a tensor of scores")
    return output


_IMAGE_TASKS: dict[str, tuple[type[Classifier], str]] = {
    "image-classification": (Classifier, "probabilities"),
    "image-embedding": (Embedder, "embedding"),
}


def image_target(
    module: nn.Module, facts: DeploymentFacts, *, static_batch: int | None, dynamic: Sequence[str]
) -> Target:
    """The target of an image task: `images` in, `probabilities` or `embedding` out."""
    wrapper, output = _IMAGE_TASKS[facts.task]
    height, width = facts.height_width
    if unknown := sorted(set(dynamic) - {"height", "width"}):
        raise UsageError(f"--dynamic {unknown[0]}: images have the sides height and width")
    wrapped = wrapper(module, facts).eval()

    def noise(generator: np.random.Generator, batch: int) -> Arrays:
        larger = 32 * (batch % 3)  # where a side is dynamic, other sizes are tried too
        sides = (height + larger * ("height" in dynamic), width + 2 * larger * ("width" in dynamic))
        return (image_noise(generator, batch, (*sides, facts.channels)),)

    example = (image_noise(np.random.default_rng(0), static_batch or 2, (height, width, facts.channels)),)
    wrapped.memory_format = _memory_format(wrapped, example)
    if wrapper is Classifier:
        wrapped.answers_probabilities = _are_probabilities(wrapped, example)
    answer = answers(wrapped, example)[0]
    if answer.ndim != 2:
        raise GateError(f"a classifier answers [batch, classes]; this module answers {list(answer.shape)}")
    if wrapper is Classifier and answer.shape[1] == 1:
        raise UsageError(
            "the module answers one value for each image, and the softmax of one value is always 1. "
            "Export it as task image-embedding, which gives the value as it is"
        )
    if facts.labels is not None and len(facts.labels) != answer.shape[1]:
        raise UsageError(f"{len(facts.labels)} labels are given and the model has {answer.shape[1]} classes")
    batch = static_batch or BATCH
    sides = tuple(name if name in dynamic else size for name, size in (("height", height), ("width", width)))
    return Target(
        module=wrapped,
        inputs=(manifest.Tensor(name="images", dtype="uint8", shape=(batch, *sides, facts.channels)),),
        outputs=(manifest.Tensor(name=output, dtype="float32", shape=(batch, answer.shape[1])),),
        example=example,
        noise=noise,
        facts=facts,
        batch=static_batch,
    )


def _memory_format(wrapped: Classifier, example: Arrays) -> torch.memory_format:
    """Contiguous, as data loaders give batches; channels-last for a module in that format that takes nothing else."""
    if not any(_is_channels_last(weight) for weight in wrapped.module.parameters()):
        return torch.contiguous_format
    for memory_format in (torch.contiguous_format, torch.channels_last):
        wrapped.memory_format = memory_format
        with suppress(RuntimeError), torch.no_grad():  # `view` of a tensor in another order than it expects
            wrapped(torch.from_numpy(example[0]))
            return memory_format
    return torch.contiguous_format


def _is_channels_last(weight: Tensor) -> bool:
    return weight.ndim == 4 and not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last)


def _are_probabilities(wrapped: Classifier, example: Arrays) -> bool:
    """Whether the module ends in a softmax of its own: another one would level its answers."""
    with torch.no_grad():
        scores = wrapped.scores(torch.from_numpy(example[0]))
    return scores.ndim == 2 and bool((scores >= 0).all()) and bool(((scores.sum(-1) - 1).abs() < 1e-5).all())


def answers(module: nn.Module, inputs: Arrays) -> Arrays:
    """The eager module's answers. Raises GateError for a module in training mode, and for NaN or infinity."""
    if any(part.training for part in module.modules()):
        raise GateError("the module is in training mode: its answers would not be those of production")
    with torch.no_grad():  # and not in inference mode: a module may want gradients of its own inside
        output = module(*(torch.from_numpy(array) for array in inputs))
    found = tuple(tensor.detach().numpy() for tensor in (output if isinstance(output, tuple) else (output,)))
    if not all(np.isfinite(array).all() for array in found):
        raise GateError("the eager module itself answers NaN or infinity: the checkpoint is of no use")
    return found


def image_noise(generator: np.random.Generator, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 [count, *shape], dark to bright and fine to coarse, so that no layer sees one scale only."""
    height, width, channels = shape
    images = []
    for index in range(count):
        coarse = 2 ** (index % 4)  # blocks of 1, 2, 4, 8 pixels
        small = generator.integers(0, 256, (-(-height // coarse), -(-width // coarse), channels))
        noise = small.repeat(coarse, axis=0).repeat(coarse, axis=1)[:height, :width]
        images.append(noise * generator.uniform(0.1, 1.0))
    return np.stack(images).astype(np.uint8)


class _Cast(nn.Module):
    """A module in a lower precision that takes and answers what it did before."""

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
