"""Which of a module's outputs is its answer, where it has several; the others are named in a warning."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from lit_export.output_paths import at, tensor_at
from lit_infer.errors import GateError

LOGITS = ("logits",)
FEATURES = ("pooler_output", "image_embeds", "embedding", "embeddings", "features")


@dataclasses.dataclass(frozen=True)
class MainOutput:
    """The logits or features of a module."""

    tensor: Tensor
    name: str | None
    """Its path; None for a module that answers a tensor."""
    others: tuple[str, ...] = ()
    """What it answers as well, which is left out though nobody chose."""
    role: str = "scores"
    """What it is taken for, as `--outputs` names it."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was taken, if there was a choice."""
        if not self.others:
            return ()
        return (
            f"of the module's outputs {self.name} is taken, and {', '.join(self.others)} left out. To take another: "
            f"--outputs {self.role}={self.others[0]}",
        )


def main_output(
    output: Any,
    preferred: Sequence[str] = LOGITS,
    *,
    role: str = "scores",
    wanted: str | None = None,
    fits: Callable[[Tensor], int] | None = None,
) -> MainOutput:
    """What is at the path `wanted`; else the first of the preferred names that there is, else the first tensor.

    `fits` says how well a tensor may be the answer, 0 not at all: the best ones are chosen from. Without it scalars,
    such as a loss, come last. Raises UsageError where nothing is at that path, GateError where nothing fits.
    """
    if wanted is not None:
        found = at(output, wanted)
        if isinstance(found, Tensor) or not wanted:
            return MainOutput(tensor_at(output, wanted), wanted, role=role)
        inner = main_output(found, preferred, role=role, fits=fits)
        return _within(wanted, inner)
    if isinstance(output, Tensor):
        return MainOutput(output, None, role=role)
    parts = parts_of(output)
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    if not tensors and parts:  # outputs by task, say, each with several
        name, inner_output = next(iter(parts.items()))
        inner = _within(name, main_output(inner_output, preferred, role=role, fits=fits))
        return dataclasses.replace(inner, others=(*inner.others, *_first_of_each(list(parts.items())[1:], preferred)))
    if not tensors:
        raise GateError(f"the module answers {type(output).__name__}, not a tensor of scores")
    likely = _fitting(tensors, fits)
    name = next((one for one in preferred if one in likely), next(iter(likely)))
    heads = [(one, part) for one, part in parts.items() if isinstance(part, Mapping)]
    beside = [other for other in tensors if other != name]
    answering = [other for other in beside if tensors[other].ndim > 0]
    scalars = [other for other in beside if tensors[other].ndim == 0]  # last: nobody wants a loss
    return MainOutput(tensors[name], name, (*answering, *_first_of_each(heads, preferred), *scalars), role)


def _within(name: str, inner: MainOutput) -> MainOutput:
    """Of what has several outputs itself, with its name before theirs."""
    whole = name if inner.name is None else f"{name}.{inner.name}"
    return dataclasses.replace(inner, name=whole, others=tuple(f"{name}.{other}" for other in inner.others))


def _first_of_each(parts: Sequence[tuple[str, Any]], preferred: Sequence[str]) -> list[str]:
    """What would be taken of the other parts, by their paths; plain code, as exporters follow it."""
    found = []
    for name, part in parts:
        inner = {} if isinstance(part, Tensor) else parts_of(part)
        tensors = [one for one, tensor in inner.items() if isinstance(tensor, Tensor)]
        likely = next((one for one in preferred if one in tensors), next(iter(tensors), None))
        found.append(name if likely is None else f"{name}.{likely}")
    return found


def _fitting(tensors: Mapping[str, Tensor], fits: Callable[[Tensor], int] | None) -> dict[str, Tensor]:
    """Those that fit best."""
    found = {name: tensor.ndim > 0 if fits is None else fits(tensor) for name, tensor in tensors.items()}
    if fits is not None and not any(found.values()):
        shapes = ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items())
        raise GateError(f"none of the module's outputs is what this task needs: {shapes}")
    return {name: tensor for name, tensor in tensors.items() if found[name] == max(found.values())}


def parts_of(output: Any) -> dict[str, Any]:
    """What a dict, a dataclass, a named tuple, a tuple, a list or a plain object with logits has in it, by name."""
    if isinstance(output, Mapping):
        return {str(name): part for name, part in output.items()}
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return dict(zip(output._fields, output, strict=True))
    if isinstance(output, tuple | list):
        return {f"output_{index}": part for index, part in enumerate(output)}
    return {name: getattr(output, name) for name in LOGITS if hasattr(output, name)}
