"""What all image tasks share: the module that takes images as the runtime sends them, around the user's own."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lit_export import chosen
from lit_export.options import Options
from lit_export.tasks.main_output import LOGITS, MainOutput, main_output
from lit_export.tasks.target import Target, answers, dtype_of
from lit_export.user_code import user_code
from lit_infer import manifest
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import GateError, UsageError
from lit_infer.manifest import DeploymentFacts
from lit_infer.tasks import TASKS
from lit_infer.tensors import Arrays


class ImageModule(nn.Module):
    """Images [batch, height, width, channels] in; a subclass turns the user's module's scores into answers.

    They are uint8, or uint16 or float32 where the preprocessing says so. Scaling, normalisation, layout and what
    follows the scores are in the graph: the host sends bytes as decoded. The arithmetic is that of torchvision v2's
    ToDtype(scale=True) and Normalize, operation by operation.
    """

    output: str
    """The name of what it answers, float32 [batch, size]."""
    preferred: Sequence[str] = LOGITS
    """Names of outputs of the module that are its answer, if it has several."""
    role: str = "scores"
    """What its answer is called where a person says which output it is."""
    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, facts: DeploymentFacts) -> None:
        super().__init__()
        self.module = module
        self.chosen = chosen.paths(facts)
        """By role the outputs of the module that a person chose."""
        self.names = facts.images
        """Of a module that takes several images: what they are called."""
        self.by_name = bool(facts.images) and takes_by_name(module, facts.images)
        """Whether it gets them by the names of its arguments, else in their order."""
        self.dtype = dtype_of(module)
        self.memory_format = torch.contiguous_format
        self.ends_in_sigmoid = False
        """Whether the module's scores come straight from a sigmoid, as far as that was checked."""
        self.ends_in_tanh = False
        self.factor = 1.0 / scale_of(facts)
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
        pixels = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.memory_format)
        if self.factor != 1:
            pixels = pixels * self.factor
        return ((pixels - self.mean) / self.std if self.normalized else pixels).to(self.dtype)

    def called(self, images: Tensor) -> Any:
        """What the user's module answers. Of several images for each item, their channels follow each other."""
        if not self.names:
            return self.module(self.pixels(images))
        each = images.shape[-1] // len(self.names)
        parts = [self.pixels(images[..., each * n : each * n + each]) for n in range(len(self.names))]
        if self.by_name:
            return self.module(**dict(zip(self.names, parts, strict=True)))
        return self.module(*parts)

    def first(self, images: Tensor) -> Tensor:
        """What the user's module is given of the first image of each item."""
        return self.pixels(images[..., : images.shape[-1] // max(1, len(self.names))])

    def blank(self, facts: DeploymentFacts) -> Tensor:
        """Two black images, or as many for each of two items as the module takes."""
        height, width = facts.height_width
        channels = facts.channels * max(1, len(self.names))
        return torch.zeros((2, height, width, channels), dtype=getattr(torch, facts.pixel_dtype))

    def scores(self, images: Tensor) -> Tensor:
        """The module's main answer, in float32."""
        return self.answer(images).tensor.to(torch.float32)

    def answer(self, images: Tensor) -> MainOutput:
        """The module's main answer as it gives it, and the others' names."""
        return self.main(self.called(images))

    def main(self, output: Any) -> MainOutput:
        """What of the module's output is its answer."""
        return main_output(output, self.preferred, role=self.role, wanted=self.chosen.get(self.role))

    def taken(self, *inputs: Tensor) -> dict[str, tuple[str | None, Sequence[str]]]:
        """By role the path of the output that is it, None for a lone tensor, and in what form it was taken."""
        return {self.role: (self.answer(*inputs).name, self.form)}

    @property
    def form(self) -> Sequence[str]:
        """What the main answer was taken for."""
        return ()

    def with_taken(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """The facts, with what was taken of the module's outputs."""
        with torch.no_grad():
            taken = self.taken(*map(torch.from_numpy, example))
        return replace(facts, outputs=chosen.recorded(taken))

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

    def facts_found(self, facts: DeploymentFacts, example: Arrays) -> DeploymentFacts:
        """The facts, with what was found out of how answers are read."""
        del example
        return facts

    def outputs(
        self, found: Arrays, batch: int | str, sides: tuple[int | str, int | str]
    ) -> tuple[manifest.Tensor, ...]:
        """What it answers, as the manifest has it. `sides`: the images' height and width, or their names."""
        del sides
        return (manifest.Tensor(name=self.output, dtype="float32", shape=(batch, found[0].shape[1])),)


MOST = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
"""By dtype: the largest value of a pixel."""


def scale_of(facts: DeploymentFacts) -> float:
    """What values are divided by inside the graph."""
    return MOST[facts.pixel_dtype] if facts.scale is None else facts.scale.by


def takes_by_name(module: nn.Module, names: Sequence[str]) -> bool:
    """Whether the names of several images are those of arguments. Raises UsageError where only some are."""
    taken = inspect.signature(module.forward).parameters
    if others := [name for name in names if name not in taken]:
        if len(others) < len(names):
            raise UsageError(f"images: forward takes {', '.join(taken)}, and no {others[0]}")
        return False
    return True


def _several(wrapper: type[ImageModule]) -> type[ImageModule]:
    """The same of several images for each item, each an input of its own."""

    class Several(wrapper):  # type: ignore[misc, valid-type]
        def forward(self, *images: Tensor) -> Any:
            return super().forward(torch.cat(images, dim=-1))

    Several.__name__ = Several.__qualname__ = f"{wrapper.__name__}OfSeveral"
    return Several


def _check_options(facts: DeploymentFacts, options: Options) -> None:
    """Raise UsageError for what is known of single images only."""
    given = {"--data": options.data, "--calibration": options.calibration, "--thresholds-from": options.thresholds_from}
    if facts.images and (wrong := next((name for name, value in given.items() if value is not None), None)):
        raise UsageError(
            f"{wrong} takes single images, and this module {' and '.join(facts.images)}: leave it out. "
            "--images pairs.csv, with a column of paths for each, compares on real ones"
        )


def _check_count(module: nn.Module, facts: DeploymentFacts) -> None:
    """Raise UsageError where a module needs several images and none are named, or where it needs more."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    try:
        taken = [one for one in inspect.signature(module.forward).parameters.values() if one.kind in kinds]
    except (TypeError, ValueError):  # of compiled code
        return
    needed = [one.name for one in taken if one.default is inspect.Parameter.empty]
    if len(needed) > max(1, len(facts.images)):
        said = f"images: [{', '.join(needed)}]"
        raise UsageError(
            f"forward takes {', '.join(needed)}: if these are images, say so in --spec: {said}; else give them values "
            "in an --adapter PKG.MOD:WRAP"
        )


def image_target(module: nn.Module, facts: DeploymentFacts, options: Options, wrapper: type[ImageModule]) -> Target:
    """The target of an image task: `images` in, what the wrapper answers out."""
    if options.inputs:
        raise UsageError(f"--input is for task tensor; the shape for {facts.task} comes from its preprocess")
    if unknown := sorted(set(options.dynamic) - {"height", "width"}):
        raise UsageError(f"--dynamic {unknown[0]}: images have the sides height and width")
    height, width = facts.height_width
    _check_count(module, facts)
    _check_options(facts, options)
    wrapped = (_several(wrapper) if facts.images else wrapper)(module, facts).eval()
    _check_names(facts, wrapped)
    names = facts.images or ("images",)
    noise = _Noise((height, width, facts.channels), options.dynamic, facts.pixel_dtype, count=len(names))
    example = noise.fixed(np.random.default_rng(0), options.static_batch or 2)
    whole = (joined(example),)
    wrapped.memory_format = _memory_format(wrapped, whole)
    with user_code(f"{type(module).__qualname__}.forward on {facts.channels} x {height} x {width} images"):
        ends, said = ends_in(wrapped, whole)
        wrapped.ends_in_sigmoid, wrapped.ends_in_tanh = ends in SIGMOIDS, ends in _TANHS
        scores = _scores(wrapped, noise, options)
    warnings = (*said, *wrapped.find_out(scores, facts), *_order_of(wrapped, module))
    found = answers(wrapped, example)
    wrapped.check(found[0])
    batch = options.static_batch or BATCH
    sides = ("height" if "height" in options.dynamic else height, "width" if "width" in options.dynamic else width)
    outputs = wrapped.outputs(found, batch, sides)
    size = TASKS[facts.task].size_of(outputs[0].shape)
    if facts.labels is not None and size is not None and len(facts.labels) != size:
        nouns = TASKS[facts.task].nouns[1]
        raise UsageError("; ".join((f"{len(facts.labels)} labels are given and the model has {size} {nouns}", *said)))
    facts = wrapped.with_taken(wrapped.facts_found(facts, whole), whole)
    _check_facts(facts, size)
    return Target(
        module=wrapped,
        inputs=tuple(
            manifest.Tensor(name=name, dtype=facts.pixel_dtype, shape=(batch, *sides, facts.channels)) for name in names
        ),
        outputs=outputs,
        example=example,
        noise=noise,
        sized=noise.sized,
        facts=facts,
        batch=options.static_batch,
        warnings=warnings,
        assumed=warnings,
    )


def _check_names(facts: DeploymentFacts, wrapped: ImageModule) -> None:
    """Raise UsageError for images called as the model's outputs, or as columns of its rows."""
    spec = TASKS[facts.task]
    taken = {*spec.columns(spec.reading(labels=facts.labels, answers=facts.answers, size=None))}
    if wrong := sorted({*facts.images} & (taken | {getattr(wrapped, "output", "")})):
        raise UsageError(f"images: rows of task {facts.task} have a column {wrong[0]}: call the image otherwise")


def _order_of(wrapped: ImageModule, module: nn.Module) -> Sequence[str]:
    """A word where names of images are no arguments' names."""
    if not wrapped.names or wrapped.by_name:
        return ()
    taken = ", ".join(inspect.signature(module.forward).parameters)
    return (f"the images {', '.join(wrapped.names)} are given to forward({taken}) in this order",)


def joined(images: Arrays) -> NDArray[Any]:
    """Of several images for each item one array, their channels one after the other."""
    return images[0] if len(images) == 1 else np.concatenate(images, axis=-1)


def _check_facts(facts: DeploymentFacts, size: int | None) -> None:
    """Whether what is said of the answers fits what the module answers."""
    try:
        TASKS[facts.task].reading(labels=facts.labels, answers=facts.answers, size=size)
    except ValueError as error:
        raise UsageError(f"answers: {error}") from None


class _Noise:
    """Images of noise; where a side is dynamic, of several sizes."""

    def __init__(self, shape: tuple[int, int, int], dynamic: Sequence[str], dtype: str, *, count: int = 1) -> None:
        self._shape = shape
        self._count = count
        self._dtype = dtype
        self._more = (32 * ("height" in dynamic), 64 * ("width" in dynamic))

    def __call__(self, generator: np.random.Generator, batch: int) -> Arrays:
        height, width, channels = self._shape
        sides = (height + self._more[0] * (batch % 3), width + self._more[1] * (batch % 3))
        return self._made(generator, batch, (*sides, channels))

    def fixed(self, generator: np.random.Generator, batch: int) -> Arrays:
        """Images of the one size."""
        return self._made(generator, batch, self._shape)

    def sized(self, generator: np.random.Generator, sizes: Mapping[str, int]) -> Arrays:
        """With these lengths of the sides named in `sizes`."""
        height, width, channels = self._shape
        sides = (sizes.get("height", height), sizes.get("width", width))
        return self._made(generator, sizes.get(BATCH, 2), (*sides, channels))

    def _made(self, generator: np.random.Generator, batch: int, shape: tuple[int, int, int]) -> Arrays:
        return tuple(image_noise(generator, batch, shape, self._dtype) for _ in range(self._count))


_LARGEST = {"uint8": 256, "uint16": 65536, "float32": 256}


def image_noise(
    generator: np.random.Generator, count: int, shape: tuple[int, int, int], dtype: str = "uint8"
) -> NDArray[Any]:
    """Images [count, *shape], dark to bright and fine to coarse, so that no layer sees only one scale.

    float32 is within 0 and 1.
    """
    height, width, channels = shape
    images = []
    for index in range(count):
        coarse = 2 ** (index % 4)  # blocks of 1, 2, 4, 8 pixels
        small = generator.integers(0, _LARGEST[dtype], (-(-height // coarse), -(-width // coarse), channels))
        noise = small.repeat(coarse, axis=0).repeat(coarse, axis=1)[:height, :width]
        images.append(noise * generator.uniform(0.1, 1.0))
    made = np.stack(images)
    return (made / 255).astype(np.float32) if dtype == "float32" else made.astype(dtype)


_LOOKS = 8
"""Batches of noise that show what a module's scores are."""


def _scores(wrapped: ImageModule, noise: _Noise, options: Options) -> Tensor:
    """The module's own answers for some noise: float32 [count, …]."""
    generator, size = np.random.default_rng(1), options.static_batch or 2
    batches = [torch.from_numpy(joined(noise.fixed(generator, size))) for _ in range(_LOOKS)]
    with torch.no_grad():
        found = [wrapped.scores(images) for images in batches]
    shapes = {tuple(scores.shape[1:]) if scores.ndim else () for scores in found}
    if found[0].ndim == 0 or len(shapes) > 1:
        raise GateError(f"the module answers {list(found[0].shape)} for {size} images, and different shapes for others")
    return torch.cat(found)


class _Activations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the outputs of sigmoids and their like."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.answers: list[tuple[Tensor, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func.overloadpacket in (*SIGMOIDS, *_TANHS):
            self.answers.append((answer, func.overloadpacket))  # kept, so that its memory is not reused
        return answer


SIGMOIDS = (torch.ops.aten.sigmoid, torch.ops.aten.sigmoid_, torch.ops.aten.hardsigmoid, torch.ops.aten._softmax)
_TANHS = (torch.ops.aten.tanh, torch.ops.aten.tanh_, torch.ops.aten.hardtanh)


def ends_in(wrapped: ImageModule, example: Arrays) -> tuple[Any, Sequence[str]]:
    """What the module's main answer, or one that it is a view of, comes straight from; and which output that is."""
    with torch.no_grad(), _Activations() as seen:
        found = wrapped.answer(*map(torch.from_numpy, example))
    made = {one.data_ptr(): by for one, by in seen.answers}
    return made.get(found.tensor.data_ptr()), found.warnings


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
