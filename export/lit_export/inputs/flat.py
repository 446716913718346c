"""A module from tensors to a tuple of tensors, whatever it takes and returns itself."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lit_export.inputs import tree
from lit_export.inputs.call import OpenCall, TensorSlot, asked
from lit_export.output_paths import tensor_at
from lit_infer.errors import UsageError

_KEPT = (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float32, torch.float64,
)  # fmt: skip


class Flat(nn.Module):
    """The user's module, called with flat tensors."""

    def __init__(self, module: nn.Module, call: OpenCall, dtypes: tuple[torch.dtype | None, ...]) -> None:
        super().__init__()
        self.module = module
        self.call = call
        self.plan = _planned(call)
        self.dtypes = dtypes
        """What each tensor is cast to inside; None: it stays."""
        self.asked = asked(module)
        """What is called, for messages."""
        self.chosen: dict[str, str] = {}
        """Names and paths of the outputs that a person chose; empty: all."""

    def answer(self, *tensors: Tensor) -> Any:
        """The module's answer, unchanged, or what was chosen of it."""
        answer = self._called(*tensors)
        return {name: tensor_at(answer, path) for name, path in self.chosen.items()} if self.chosen else answer

    def _called(self, *tensors: Tensor) -> Any:
        cast = [
            tensor if dtype is None else tensor.to(dtype) for tensor, dtype in zip(tensors, self.dtypes, strict=True)
        ]
        if self.plan is None:
            args, kwargs = self.call.filled(cast)
            return self.module(*args, **kwargs)
        by_place, by_name = self.plan
        return self.module(
            *[_filled(part, cast) for part in by_place], **{name: _filled(part, cast) for name, part in by_name}
        )

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The tensors of the answer, in its order."""
        return tuple(_tensors(self.answer(*tensors)))


Plan = tuple[str, Any]
"""How a part of a call is made: a tensor, a constant, or a dict, tuple or list of parts.

An exporter that reads this file's code as well as the module's own follows it, which it does not `tree`.
"""


def _plan(part: Any) -> Plan:
    """Raises TypeError for containers of other types."""
    if isinstance(part, TensorSlot):
        return "slot", int(part)
    if type(part) is dict:
        return "dict", [(key, _plan(value)) for key, value in part.items()]
    if type(part) in (tuple, list):
        return type(part).__name__, [_plan(value) for value in part]
    if tree.is_container(part):
        raise TypeError(type(part))
    return "constant", part


def _planned(call: OpenCall) -> tuple[list[Plan], list[tuple[str, Plan]]] | None:
    """The plan of a whole call; None where it has other containers."""
    try:
        return [_plan(part) for part in call.args], [(name, _plan(part)) for name, part in call.kwargs.items()]
    except TypeError:
        return None


def _filled(plan: Plan, tensors: list[Tensor]) -> Any:
    kind, value = plan
    if kind == "slot":
        return tensors[value]
    if kind == "dict":
        return {key: _filled(part, tensors) for key, part in value}
    if kind == "list":
        return [_filled(part, tensors) for part in value]
    if kind == "tuple":
        return tuple([_filled(part, tensors) for part in value])
    return value


def _tensors(output: Any) -> list[Tensor]:
    """The tensors of an answer in its order, without their names; plain code, as exporters follow it."""
    if isinstance(output, Tensor):
        return [tensor for _, tensor in _plain("", output)]
    if output is None:
        return []
    if isinstance(output, Mapping):
        return [tensor for part in output.values() for tensor in _tensors(part)]
    if isinstance(output, tuple | list):
        return [tensor for part in output for tensor in _tensors(part)]
    return [tensor for _, leaf in tree.leaves(output) if leaf is not output for tensor in _tensors(leaf)]


def flattened(output: Any) -> list[tuple[str, Tensor]]:
    """Names and tensors of an answer: a tensor, or dicts, dataclasses, tuples and lists of such; None is left out.

    Half precision is answered as float32, and a complex tensor as two: its real and its imaginary part.
    """
    if isinstance(output, Tensor):
        return _plain("output", output)
    prefix = "output" if type(output) in (tuple, list) else ""
    found = [
        pair for name, leaf in tree.leaves(output, prefix) if isinstance(leaf, Tensor) for pair in _plain(name, leaf)
    ]
    if not found:
        raise UsageError(
            f"the module answers {type(output).__name__}; a graph answers tensors, or dicts and tuples of them"
        )
    return found


def left_out(output: Any) -> list[tuple[str, Any]]:
    """What is in an answer and is no tensor."""
    prefix = "output" if type(output) in (tuple, list) else ""
    return [(name, leaf) for name, leaf in tree.leaves(output, prefix) if not isinstance(leaf, Tensor | None)]


def _plain(name: str, tensor: Tensor) -> list[tuple[str, Tensor]]:
    """In dtypes and layouts that every format has."""
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_complex():
        parts = torch.view_as_real(tensor.resolve_conj())
        return [pair for at, part in enumerate(("real", "imag")) for pair in _plain(f"{name}_{part}", parts[..., at])]
    if tensor.dtype in _KEPT:
        return [(name, tensor)]
    return [(name, tensor.float() if tensor.is_floating_point() else tensor.to(torch.int64))]
