"""Which of a module's outputs is its answer, where it has several; the others are named in a warning."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lit_infer.errors import GateError

LOGITS = ("logits",)
FEATURES = ("pooler_output", "image_embeds", "embedding", "embeddings", "features")


@dataclasses.dataclass(frozen=True)
class MainOutput:
    """The logits or features of a module."""

    tensor: Tensor
    name: str | None
    """None for a module that answers a tensor."""
    others: tuple[str, ...] = ()
    """Tensors that it answers as well, which are left out."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was taken, if there was a choice."""
        if not self.others:
            return ()
        return (
            f"of the module's outputs {self.name} is taken, and {', '.join(self.others)} left out. To take another, "
            "put a module around it that answers that one alone: --adapter PKG.MOD:WRAP",
        )


def main_output(output: Any, preferred: Sequence[str] = LOGITS) -> MainOutput:
    """The first of the preferred names that there is, else the first tensor."""
    if isinstance(output, Tensor):
        return MainOutput(output, None)
    parts = parts_of(output)
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    if not tensors and parts:  # outputs by task, say, each with several
        name, inner = next(iter(parts.items()))
        found = main_output(inner, preferred)
        return dataclasses.replace(found, name=name, others=(*found.others, *list(parts)[1:]))
    if not tensors:
        raise GateError(f"the module answers {type(output).__name__}, not a tensor of scores")
    name = next((one for one in preferred if one in tensors), next(iter(tensors)))
    return MainOutput(tensors[name], name, tuple(other for other in tensors if other != name))


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
