"""lit_export.proof.read_out: values that a graph which follows one run would keep."""

import math
import re

import numpy as np
import torch
from torch import Tensor, nn

from lit_export.proof.observed import Observed, observed
from lit_export.proof.read_out import kept

generator = np.random.default_rng(0)
RUNS = [generator.standard_normal((rows, 4)).astype(np.float32) for rows in (1, 2, 3)]


class Reads(nn.Module):
    """One way to read a value, chosen by name."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(4, 2) for _ in range(2))
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.how)(x)

    def by_index(self, x: Tensor) -> Tensor:
        return self.heads[int(x.max() > 40)](x)

    def by_key(self, x: Tensor) -> Tensor:
        return {False: x, True: -x}[bool((x > 40).any())]

    def by_name(self, x: Tensor) -> Tensor:
        return getattr(self, f"head_{int(x.abs().max().item() // 1000)}", x)

    def by_limit(self, x: Tensor) -> Tensor:
        return x * (max(float(x.max()), 60.0) / 60)

    def by_floor(self, x: Tensor) -> Tensor:
        return x * math.floor(x.abs().sum().item() / 1e6)

    def by_numpy(self, x: Tensor) -> Tensor:
        return x * (1 + int(np.sum(x.numpy() > 50)))

    def by_list(self, x: Tensor) -> Tensor:
        return x * sum(value > 50 for value in x.flatten().tolist())

    def in_a_helper(self, x: Tensor) -> Tensor:
        return x * self.count(x)

    def count(self, x: Tensor) -> int:
        return int((x > 50).sum())

    def by_turn(self, x: Tensor) -> Tensor:
        return x * sum(float(x.max() > limit) for limit in (-50, 50))

    def varied(self, x: Tensor) -> Tensor:
        return x * x.max().item() + float(x.min()) / 2

    def tested(self, x: Tensor) -> Tensor:
        found = bool((x > 50).any())
        if not found and not bool((x > 60).any()) and len(x.tolist()) < 60:
            return x
        return -x

    def asserted(self, x: Tensor) -> Tensor:
        good = bool((x < 50).all())
        assert good
        if not torch.isfinite(x).all().item():
            raise ValueError(x.max().item())
        return x

    def told(self, x: Tensor) -> Tensor:
        print(int(x.max() > 50))  # noqa: T201 - as people do
        return x


def said(how: str, *constant: str) -> list[str]:
    module = Reads(how).eval()
    return [re.sub(r" \([^ ]*\.py:\d+\)", "", one) for one in kept(runs(module, *constant))]


def runs(module: nn.Module, *constant: str) -> list[Observed]:
    return [observed(module, (rows,), ["x"], constant=constant) for rows in RUNS]


def test_a_value_that_never_varied_is_kept_whatever_python_does_with_it() -> None:
    assert said("by_index") == ["`int(x.max() > 40)` was always 0"]
    assert said("by_key") == ["`bool((x > 40).any())` was always False"]
    assert said("in_a_helper") == ["`int((x > 50).sum())` was always 0"]


def test_a_number_that_varied_and_came_to_one_value_is_kept() -> None:
    assert said("by_name") == ["`x.abs().max().item()` came to 0.0 always"]
    assert said("by_limit") == ["`float(x.max())` came to 60.0 always"]
    assert said("by_floor") == ["`x.abs().sum().item()` came to 0 always"]


def test_lists_and_arrays_leave_the_tensors() -> None:
    assert said("by_numpy") == ["`x.numpy()` leaves the tensors"]
    assert said("by_list") == ["`x.flatten().tolist()` leaves the tensors"]


def test_each_turn_of_a_loop_is_a_value_of_its_own() -> None:
    assert said("by_turn") == ["`float(x.max() > limit)` was always 1.0"]


def test_what_varied_and_what_is_only_tested_or_told_is_not_kept() -> None:
    for how in ("varied", "tested", "asserted", "told"):
        assert said(how) == [], how


def test_an_input_that_is_constant_by_the_users_word_may_be_read() -> None:
    assert said("by_index", "x") == []
