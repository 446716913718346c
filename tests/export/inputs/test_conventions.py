"""lit_export.inputs.conventions: how a module takes tensors that have names."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.call import PredictStep
from lit_export.inputs.conventions import argument_names, conventions
from lit_infer.errors import UsageError
from tests.cases import modules

A, B = torch.zeros(1), torch.zeros(2)


class Keyed(TypedDict):
    a: Tensor
    b: Tensor


@dataclass
class Record:
    b: Tensor
    a: Tensor


class Named(NamedTuple):
    a: Tensor
    b: Tensor


def module_of(forward: Any) -> nn.Module:
    return type("Net", (nn.Module,), {"forward": forward})()


def forms(forward: Any, *, by_name: bool = True, **tensors: Tensor) -> list[Any]:
    return list(conventions(module_of(forward), tensors or {"a": A, "b": B}, by_name=by_name))


def test_names_of_arguments_are_keywords() -> None:
    def forward(self: Any, b: Any, a: Any = None, *, c: Any = None) -> None: ...

    assert forms(forward)[0] == ((), {"a": A, "b": B})
    assert forms(forward, b=B, c=A)[0] == ((), {"b": B, "c": A})


def test_without_names_they_are_given_by_position() -> None:
    def forward(self: Any, a: Any, b: Any) -> None: ...

    assert forms(forward, by_name=False)[0] == ((A, B), {})


def test_positional_only_and_any_number_of_arguments() -> None:
    def positional(self: Any, b: Any, a: Any, /) -> None: ...
    def many(self: Any, *tensors: Any) -> None: ...
    def keywords(self: Any, **tensors: Any) -> None: ...

    assert forms(positional)[0] == ((B, A), {})
    assert forms(many)[0] == ((A, B), {})
    assert forms(keywords)[0] == ((), {"a": A, "b": B})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (dict, {"a": A, "b": B}),
        (Mapping[str, Tensor], {"a": A, "b": B}),
        (Keyed, {"a": A, "b": B}),
        (Record, Record(a=A, b=B)),
        (Named, Named(A, B)),
        (tuple[Tensor, Tensor], (A, B)),
        (list, [A, B]),
    ],
)
def test_an_annotated_argument_gets_its_container(kind: Any, expected: Any) -> None:
    def forward(self: Any, batch: Any, scale: float = 1.0) -> None: ...

    forward.__annotations__["batch"] = kind
    assert forms(forward)[0] == ((expected,), {})


def test_an_argument_without_a_type_is_tried_as_each_of_them() -> None:
    def forward(self: Any, batch: Any) -> None: ...

    containers = [args[0] for args, _ in forms(forward)]
    assert containers == [{"a": A, "b": B}, types.SimpleNamespace(a=A, b=B), (A, B), [A, B]]


def test_a_step_gets_its_counters_beside_the_batch() -> None:
    step = PredictStep(modules.PredictOnly())

    assert argument_names(step) == ["batch"]
    assert next(iter(conventions(step, {"batch": A}, by_name=False))) == ((A,), {"batch_idx": 0})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["tokens", "musk"], r"takes tokens, mask, and no musk. Did you mean mask\?"),
        (["tokens"], "mask is missing. Add --input mask=SHAPE"),
    ],
)
def test_names_that_do_not_fit_are_explained(names: list[str], message: str) -> None:
    def forward(self: Any, tokens: Any, mask: Any) -> None: ...

    with pytest.raises(UsageError, match=message):
        forms(forward, **dict.fromkeys(names, A))
