"""Which of a module's outputs is its answer, where it has several; the others are named in a warning."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from lit_infer.errors import GateError, UsageError

LOGITS = ("logits",)
FEATURES = ("pooler_output", "image_embeds", "embedding", "embeddings", "features")


@dataclasses.dataclass(frozen=True)
class MainOutput:
    """The logits or features of a module."""

    tensor: Tensor
    name: str | None
    """None for a module that answers a tensor."""
    others: tuple[str, ...] = ()
    """What it answers as well, which is left out."""
    has_fact: bool = False
    """Whether the task has a fact that says which output is taken."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was taken, if there was a choice."""
        if not self.others:
            return ()
        another = (
            f"answers: {{output: {self.others[0]}}} in --spec"
            if self.has_fact
            else "put a module around it that answers that one alone: --adapter PKG.MOD:WRAP"
        )
        return (
            f"of the module's outputs {self.name} is taken, and {', '.join(self.others)} left out. To take another, "
            f"{another}",
        )


def main_output(
    output: Any,
    preferred: Sequence[str] = LOGITS,
    *,
    wanted: str | None = None,
    fits: Callable[[Tensor], int] | None = None,
) -> MainOutput:
    """The first of the preferred names that there is, else the first tensor.

    `fits` says how well a tensor may be the answer, 0 not at all: the best ones are chosen from, for a task that has a
    fact for another, `wanted`.
    """
    if isinstance(output, Tensor):
        if wanted is not None:
            raise UsageError(f"answers: output: {wanted}: the module answers one tensor, without names")
        return MainOutput(output, None)
    parts = parts_of(output)
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    if wanted is not None:
        if wanted not in tensors:
            raise UsageError(f"answers: output: {wanted}: the module answers {', '.join(tensors) or 'no tensors'}")
        return MainOutput(tensors[wanted], wanted)
    if not tensors and parts:  # outputs by task, say, each with several
        name, inner = next(iter(parts.items()))
        found = main_output(inner, preferred, fits=fits)
        return dataclasses.replace(found, name=name, others=(*found.others, *list(parts)[1:]))
    if not tensors:
        raise GateError(f"the module answers {type(output).__name__}, not a tensor of scores")
    likely = tensors if fits is None else _fitting(tensors, fits)
    name = next((one for one in preferred if one in likely), next(iter(likely)))
    return MainOutput(tensors[name], name, tuple(other for other in tensors if other != name), fits is not None)


def _fitting(tensors: Mapping[str, Tensor], fits: Callable[[Tensor], int]) -> dict[str, Tensor]:
    """Those that fit best."""
    found = {name: fits(tensor) for name, tensor in tensors.items()}
    if not any(found.values()):
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
