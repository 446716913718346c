"""What the module's own step gives to `forward` for a batch: found by running the step and listening."""

import copy
import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lit_export.inputs import lightning_parts, tree
from lit_export.inputs.call import COUNTERS
from lit_export.inputs.conventions import Arguments
from lit_export.user_code import said_of
from lit_infer.errors import UsageError

_STEPS = ("validation_step", "test_step", "training_step", "predict_step")


def recorded(whole: nn.Module, exported: nn.Module, batches: Sequence[Any], *, asked: str) -> list[Arguments]:
    """The arguments of each call of the exported module that went well, in the first step that makes any.

    `whole` has the steps, and `exported` is the module itself, a part of it, or put around it.
    """
    failed = ""
    for name in _STEPS:
        if (name != "predict_step" and not lightning_parts.is_own(whole, name)) or not hasattr(whole, name):
            continue
        found, error = _of_step(whole, exported, name, batches)
        if found:
            return found
        failed = f"\n{name} failed: {said_of(error)}" if error and not failed else failed
    raise UsageError(
        f"no step of {type(whole).__qualname__} calls {asked} for a batch of this data.{failed}\n"
        "Say what it is given: --batch-to-inputs pkg.mod:fn, a function from a batch to its arguments"
    )


def _of_step(
    whole: nn.Module, exported: nn.Module, name: str, batches: Sequence[Any]
) -> tuple[list[Arguments], Exception | None]:
    """The calls that a step makes, and what it raised. A copy runs, with the same weights."""
    whole, exported = _copied(whole, exported)
    found: list[Arguments] = []
    for batch in batches:
        with _attached(whole), _listening(exported, found), torch.no_grad():
            try:
                _called(getattr(whole, name), batch)
            except Exception as error:  # after the call it may fail: its loss and its metrics are not what is asked
                if not found:
                    return [], error
    return found, None


def _copied(whole: nn.Module, exported: nn.Module) -> tuple[nn.Module, nn.Module]:
    memo: dict[int, Any] = {id(weight): weight for module in (whole, exported) for weight in module.parameters()}
    return copy.deepcopy((whole, exported), memo)


def _called(step: Any, batch: Any) -> Any:
    """A step, called as Lightning calls it: the batch, and by position its index, whatever that is called."""
    usual, named = [], {}
    for one in list(inspect.signature(step).parameters.values())[1:]:
        if one.kind is one.KEYWORD_ONLY and one.name in COUNTERS:
            named[one.name] = 0
        elif one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            if one.name not in COUNTERS and one.default is not one.empty:
                break
            usual.append(0)
    return step(tree.mapped(batch, _copy), *usual, **named)


@contextmanager
def _attached(whole: nn.Module) -> Iterator[None]:
    """With a trainer, and what a step logs goes nowhere."""
    trainer = lightning_parts.trainer_for(whole)
    if trainer is not None:
        whole.trainer = trainer
        trainer.strategy.connect(whole)
        for method in ("log", "log_dict", "print"):
            vars(whole)[method] = lambda *_, **__: None
    yield


@contextmanager
def _listening(exported: nn.Module, found: list[Arguments]) -> Iterator[None]:
    """Collect the arguments of calls that went well, also of `self.forward(x)`, which no hook hears."""
    forward = exported.forward

    @functools.wraps(forward)
    def heard(*args: Any, **kwargs: Any) -> Any:
        given = tree.mapped(args, _copy), tree.mapped(kwargs, _copy)
        answer = forward(*args, **kwargs)
        found.append(given)
        return answer

    vars(exported)["forward"] = heard
    try:
        yield
    finally:
        del vars(exported)["forward"]


def _copy(leaf: Any) -> Any:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf
