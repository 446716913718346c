"""A call of a module, with its tensors left open: how a flat list of tensors becomes the arguments that it takes."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lit_export.inputs import tree
from lit_infer.errors import UsageError

_BASES = ("lightning.", "pytorch_lightning.", "torch.nn.")
COUNTERS = ("batch_idx", "dataloader_idx")
"""What Lightning gives a step beside the batch."""


class TensorSlot(int):
    """The place of the n-th tensor in a call."""


@dataclass(frozen=True)
class OpenCall:
    """Arguments with slots for the tensors; everything else in them is constant."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    names: tuple[str, ...]
    """A name for each tensor."""

    def filled(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments with these tensors."""

        def value(leaf: Any) -> Any:
            return tensors[leaf] if isinstance(leaf, TensorSlot) else leaf

        return tree.mapped(self.args, value), tree.mapped(dict(self.kwargs), value)

    @property
    def constants(self) -> list[str]:
        """Arguments that are built in, in words; None and Lightning's counters are not worth a word."""
        found = [*tree.leaves(self.args, "argument"), *tree.leaves(dict(self.kwargs))]
        named = {name: leaf for name, leaf in found if not isinstance(leaf, TensorSlot) and leaf is not None}
        return [f"{name} is always {leaf!r:.60}" for name, leaf in named.items() if name not in COUNTERS]

    @property
    def form(self) -> str:
        """What must be the same in another call, for both to be one graph."""
        return repr((tree.mapped(self.args, _shown), tree.mapped(dict(self.kwargs), _shown)))


def _shown(leaf: Any) -> Any:
    return f"tensor {int(leaf)}" if isinstance(leaf, TensorSlot) else leaf


def call_of(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[OpenCall, tuple[Tensor, ...]]:
    """A call as it was made, and the tensors in it."""
    tensors: list[Tensor] = []

    def opened(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        tensors.append(leaf)
        return TensorSlot(len(tensors) - 1)

    open_args, open_kwargs = tree.mapped(tuple(args), opened), tree.mapped(dict(kwargs), opened)
    return OpenCall(open_args, open_kwargs, _names(module, open_args, open_kwargs)), tuple(tensors)


def _names(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    """The argument's name for a tensor; keys alone for what is in the only container, as in `forward(batch: dict)`."""
    given = _bound(module, args, kwargs)
    holding = {name: part for name, part in given.items() if _has_slot(part)}
    only = next(iter(holding.values())) if len(holding) == 1 else None
    has_keys = only is not None and not isinstance(only, TensorSlot) and type(only) not in (tuple, list)
    named = tree.leaves(only) if has_keys else tree.leaves(holding)
    by_slot = {int(leaf): name for name, leaf in named if isinstance(leaf, TensorSlot)}
    return tuple(tree.unique([_identifier(by_slot[index]) for index in sorted(by_slot)]))


def _has_slot(part: Any) -> bool:
    return any(isinstance(leaf, TensorSlot) for _, leaf in tree.leaves(part))


def _identifier(name: str) -> str:
    return name if not name[:1].isdigit() else f"input_{name}"


def _bound(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name; those of `*args` by their number."""
    signature = signature_of(module)
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise UsageError(f"{asked(module)}{signature} is not called like that: {error}") from None
    found: dict[str, Any] = {}
    for name, value in bound.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            found |= {f"input_{len(found) + index}": part for index, part in enumerate(value)}
        else:
            found[name] = value
    return found


class PredictStep(nn.Module):
    """A module whose `predict_step` is called, since it has no `forward` of its own."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What `predict_step` answers."""
        return self.module.predict_step(*args, **kwargs)  # type: ignore[operator]


def callee(module: nn.Module) -> nn.Module:
    """What is called: the module, or its `predict_step` where it has no `forward` of its own."""
    step = getattr(type(module), "predict_step", None)
    if _is_own(type(module).forward) or step is None or not _is_own(step):
        return module
    return PredictStep(module)


def asked(module: nn.Module) -> str:
    """What is called, for messages: `Net.forward`."""
    owner, method = (module.module, "predict_step") if isinstance(module, PredictStep) else (module, "forward")
    return f"{type(owner).__qualname__}.{method}"


def signature_of(module: nn.Module) -> inspect.Signature:
    """The parameters of what is called."""
    return inspect.signature(module.module.predict_step if isinstance(module, PredictStep) else module.forward)  # type: ignore[arg-type]


def counted(module: nn.Module) -> dict[str, int]:
    """Lightning's counters, where what is called has to have them."""
    parameters = signature_of(module).parameters
    return {name: 0 for name in COUNTERS if name in parameters and parameters[name].default is inspect.Parameter.empty}


def _is_own(method: Any) -> bool:
    """Whether a method is not the one that a base class has, which only raises."""
    return not getattr(method, "__module__", "").startswith(_BASES)
