"""What all image tasks share: the module that takes images as the runtime sends them, around the user's own."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lit_export.options import Options
from lit_export.tasks.target import BATCH, Target, answers, dtype_of
from lit_export.user_code import user_code
from lit_infer import manifest
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import TASKS
from lit_infer.tensors import Arrays


class ImageModule(nn.Module):
    """Images uint8 [batch, height, width, channels] in; a subclass turns the user's module's scores into answers.

    Scaling, normalisation, layout and what follows the scores are in the graph: the host sends bytes as decoded. The
    arithmetic is that of torchvision v2's ToDtype(scale=True) and Normalize, operation by operation.
    """

    output: str
    """The name of what it answers, float32 [batch, size]."""
    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype_of(module)
        self.memory_format = torch.contiguous_format
        self.ends_in_sigmoid = False
        """Whether the module's scores come straight from a sigmoid, as far as that was checked."""
        self.normalized = facts.normalize is not None
        if facts.normalize is not None:  # the default dtype may be another: user's code can set it
            mean, std = (
                torch.tensor(values, dtype=torch.float32) for values in (facts.normalize.mean, facts.normalize.std)
            )
            self.register_buffer("mean", mean.view(1, -1, 1, 1))
            self.register_buffer("std", std.view(1, -1, 1, 1))

    def pixels(self, images: Tensor) -> Tensor:
        """What the user's module was trained on: [batch, channels, height, width], contiguous, in the weights' dtype.

        The memory format is set explicitly: a permuted tensor keeps its own, and so do the outputs of convolutions,
        which `view` then refuses.
        """
        pixels = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.memory_format) * (1.0 / 255)
        return ((pixels - self.mean) / self.std if self.normalized else pixels).to(self.dtype)

    def scores(self, images: Tensor) -> Tensor:
        """The module's main answer, in float32."""
        return main_output(self.module(self.pixels(images))).to(torch.float32)

    def find_out(self, scores: Tensor, facts: DeploymentFacts) -> Sequence[str]:
        """Find out from noise what the module's scores are. Returns warnings."""
        del scores, facts
        return ()

    def check(self, answer: NDArray[Any]) -> None:
        """Raise UsageError or GateError for answers that make no sense for this task."""
        if answer.ndim != 2:
            raise GateError(
                f"a module of this task answers [batch, size] for a batch of images; this one {list(answer.shape)}"
            )


def main_output(output: Any) -> Tensor:
    """The logits or features, also of a module with several outputs."""
    if isinstance(output, dict):
        output = output.get("logits", next(iter(output.values()), None))
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    elif not isinstance(output, Tensor) and hasattr(output, "logits"):
        output = output.logits
    if not isinstance(output, Tensor):
        raise GateError(f"the module answers {type(output).__name__}, not a tensor of scores")
    return output


def image_target(module: nn.Module, facts: DeploymentFacts, options: Options, wrapper: type[ImageModule]) -> Target:
    """The target of an image task: `images` in, what the wrapper answers out."""
    if options.inputs:
        raise UsageError(f"--input is for task tensor; the shape for {facts.task} comes from its preprocess")
    if unknown := sorted(set(options.dynamic) - {"height", "width"}):
        raise UsageError(f"--dynamic {unknown[0]}: images have the sides height and width")
    height, width = facts.height_width
    wrapped = wrapper(module, facts).eval()
    example = (image_noise(np.random.default_rng(0), options.static_batch or 2, (height, width, facts.channels)),)
    wrapped.memory_format = _memory_format(wrapped, example)
    with user_code(f"{type(module).__qualname__}.forward on {facts.channels} x {height} x {width} images"):
        wrapped.ends_in_sigmoid = _ends_in_sigmoid(wrapped, example)
        scores = _scores(wrapped, (height, width, facts.channels), options)
    warnings = tuple(wrapped.find_out(scores, facts))
    answer = answers(wrapped, example)[0]
    wrapped.check(answer)
    if facts.labels is not None and len(facts.labels) != answer.shape[1]:
        raise UsageError(f"{len(facts.labels)} labels are given and the model has {answer.shape[1]} classes")
    _check_facts(facts, answer.shape[1])
    batch = options.static_batch or BATCH
    sides = tuple(name if name in options.dynamic else size for name, size in (("height", height), ("width", width)))
    return Target(
        module=wrapped,
        inputs=(manifest.Tensor(name="images", dtype="uint8", shape=(batch, *sides, facts.channels)),),
        outputs=(manifest.Tensor(name=wrapper.output, dtype="float32", shape=(batch, answer.shape[1])),),
        example=example,
        noise=_Noise((height, width, facts.channels), options.dynamic),
        facts=facts,
        batch=options.static_batch,
        warnings=warnings,
    )


def _check_facts(facts: DeploymentFacts, size: int) -> None:
    """Whether what is said of the answers fits what the module answers."""
    try:
        TASKS[facts.task].reading(labels=facts.labels, answers=facts.answers, size=size)
    except ValueError as error:
        raise UsageError(f"answers: {error}") from None


class _Noise:
    """Images of noise; where a side is dynamic, of several sizes."""

    def __init__(self, shape: tuple[int, int, int], dynamic: Sequence[str]) -> None:
        self._shape = shape
        self._more = (32 * ("height" in dynamic), 64 * ("width" in dynamic))

    def __call__(self, generator: np.random.Generator, batch: int) -> Arrays:
        height, width, channels = self._shape
        sides = (height + self._more[0] * (batch % 3), width + self._more[1] * (batch % 3))
        return (image_noise(generator, batch, (*sides, channels)),)


def image_noise(generator: np.random.Generator, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 [count, *shape], dark to bright and fine to coarse, so that no layer sees only one scale."""
    height, width, channels = shape
    images = []
    for index in range(count):
        coarse = 2 ** (index % 4)  # blocks of 1, 2, 4, 8 pixels
        small = generator.integers(0, 256, (-(-height // coarse), -(-width // coarse), channels))
        noise = small.repeat(coarse, axis=0).repeat(coarse, axis=1)[:height, :width]
        images.append(noise * generator.uniform(0.1, 1.0))
    return np.stack(images).astype(np.uint8)


_LOOKS = 8
"""Batches of noise that show what a module's scores are."""


def _scores(wrapped: ImageModule, shape: tuple[int, int, int], options: Options) -> Tensor:
    """The module's own answers for some noise: float32 [count, …]."""
    generator, size = np.random.default_rng(1), options.static_batch or 2
    batches = [torch.from_numpy(image_noise(generator, size, shape)) for _ in range(_LOOKS)]
    with torch.no_grad():
        found = [wrapped.scores(images) for images in batches]
    shapes = {tuple(scores.shape[1:]) if scores.ndim else () for scores in found}
    if found[0].ndim == 0 or len(shapes) > 1:
        raise GateError(f"the module answers {list(found[0].shape)} for {size} images, and different shapes for others")
    return torch.cat(found)


class _Sigmoids(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the outputs of sigmoids."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answers: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func.overloadpacket in _SIGMOIDS:
            self.answers.append(answer)  # kept, so that its memory is not reused
        return answer


_SIGMOIDS = (torch.ops.aten.sigmoid, torch.ops.aten.sigmoid_, torch.ops.aten.hardsigmoid, torch.ops.aten._softmax)


def _ends_in_sigmoid(wrapped: ImageModule, example: Arrays) -> bool:
    """Whether the module's main answer is a sigmoid's, or a view of one."""
    with torch.no_grad(), _Sigmoids() as seen:
        answer = main_output(wrapped.module(wrapped.pixels(torch.from_numpy(example[0]))))
    return answer.data_ptr() in {one.data_ptr() for one in seen.answers}


def _memory_format(wrapped: ImageModule, example: Arrays) -> torch.memory_format:
    """Contiguous, as data loaders give batches; channels-last for a module that takes only that format."""
    if not any(_is_channels_last(weight) for weight in wrapped.module.parameters()):
        return torch.contiguous_format
    for memory_format in (torch.contiguous_format, torch.channels_last):
        wrapped.memory_format = memory_format
        with suppress(RuntimeError), torch.no_grad():  # `view` of a tensor in an unexpected memory format
            wrapped.scores(torch.from_numpy(example[0]))
            return memory_format
    return torch.contiguous_format


def _is_channels_last(weight: Tensor) -> bool:
    return weight.ndim == 4 and not weight.is_contiguous() and weight.is_contiguous(memory_format=torch.channels_last)
