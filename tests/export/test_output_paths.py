"""lit_export.output_paths: where in what a module answers a tensor is."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from lit_export.output_paths import at, listed, paths, tensor_at, told
from lit_infer.errors import UsageError

ONE, TWO = torch.ones(2, 3), torch.zeros(2, 5)
Heads = namedtuple("Heads", "age sex")


@dataclass
class Output:
    logits: Tensor
    loss: Tensor | None = None


class Plain:
    def __init__(self) -> None:
        self.kept = TWO

    @property
    def logits(self) -> Tensor:
        return self.kept


@pytest.mark.parametrize(
    ("output", "path", "tensor"),
    [
        (ONE, "", ONE),
        ({"a": ONE, "b": TWO}, "b", TWO),
        ({"a.b": TWO, "a": {"c": ONE}}, "a.b", TWO),
        ({"a.b": {"c": TWO}}, "a.b.c", TWO),
        ({0: ONE, 1: TWO}, "1", TWO),
        ((ONE, TWO), "1", TWO),
        ([ONE, TWO], "output_1", TWO),
        (Heads(ONE, TWO), "sex", TWO),
        ((Output(TWO),), "0.logits", TWO),
        ({"heads": [{"logits": ONE}, Output(TWO)]}, "heads.1.logits", TWO),
        (Plain(), "logits", TWO),
        ({"plain": Plain()}, "plain.logits", TWO),
    ],
)
def test_a_tensor_is_found_at_its_path(output: Any, path: str, tensor: Tensor) -> None:
    assert tensor_at(output, path) is tensor


@pytest.mark.parametrize(
    ("output", "path", "message"),
    [
        ({"logits": ONE}, "logit", r"nothing called logit \(is logits meant\?\); it answers logits \[2, 3\]$"),
        (ONE, "logits", r"nothing called logits; it answers one tensor \[2, 3\]$"),
        ((ONE, TWO), "2", r"nothing called 2; it answers 0 \[2, 3\], 1 \[2, 5\]$"),
        ({"a": {"b": ONE}}, "a", r"a is a dict, not a tensor. The module answers a.b \[2, 3\]$"),
        ({"a": ONE, "b": TWO}, "", r"several outputs are answered: say which. .* a \[2, 3\], b \[2, 5\]$"),
        ({"a": ONE, "n": 3}, "n", r"n is an int, not a tensor"),
        (Output(ONE), "loss", r"loss is a NoneType, not a tensor"),
        ({}, "a", r"nothing called a; it answers a dict without tensors$"),
        ({str(n): ONE for n in range(15)}, "x", r"11 \[2, 3\] and 3 more$"),
    ],
)
def test_what_is_not_there_is_told_with_all_that_is(output: Any, path: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"^outputs: .*{message}"):
        tensor_at(output, path)


def test_what_is_no_tensor_is_found_too_and_the_paths_of_all_tensors_lead_to_them() -> None:
    output = {"a": (ONE, {"b": TWO}), "c": Output(ONE, TWO), "n": 3}

    assert at(output, "a") is output["a"]
    found = list(paths(output))
    assert [path for path, _ in found] == ["a.0", "a.1.b", "c.logits", "c.loss"]
    assert all(tensor_at(output, path) is tensor for path, tensor in found)
    assert told(output).startswith("a.0 [2, 3], a.1.b [2, 5], c.logits")


def test_places_in_tuples_are_listed_as_in_messages() -> None:
    assert (listed((ONE,), "0"), listed({"0": ONE}, "0"), listed(Heads(ONE, TWO), "age")) == ("output_0", "0", "age")
