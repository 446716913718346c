"""lit_export.tasks.target: what is exported, whatever the task, and the eager module's answers."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.tasks import answers, dtype_of, in_precision
from lit_infer.errors import GateError
from tests.export.formats.jobs import Mixing, make_job, rows


def test_a_target_knows_its_dynamic_sides_and_its_task() -> None:
    target = make_job().target

    assert target.dynamic == ({0: "batch"}, {0: "batch"})
    assert (target.takes_images, target.spec.name, target.reading.size) == (False, "tensor", 3)


def test_the_answers_are_the_eager_module_s() -> None:
    left, right = rows(3)

    mixed, total = answers(Mixing().eval(), (left, right))

    assert mixed.shape == (3, 3)
    np.testing.assert_array_equal(total, left + right)


def test_a_module_in_training_mode_is_refused() -> None:
    with pytest.raises(GateError, match="the module is in training mode"):
        answers(Mixing().train(), rows(1))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_answers_that_are_no_numbers_are_refused(value: float) -> None:
    with pytest.raises(GateError, match="answers NaN or infinity"):
        answers(Mixing().eval(), (rows(1)[0] * value, rows(1)[1]))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp64", torch.float64)]
)
def test_another_precision_is_inside_and_the_original_stays_as_it_is(precision: Any, dtype: torch.dtype) -> None:
    module = Mixing().eval()

    lower = in_precision(module, precision)

    assert {weight.dtype for weight in lower.parameters()} == {dtype}
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}
    found = lower(*map(torch.from_numpy, rows(2)))
    assert {tensor.dtype for tensor in found} == {torch.float32}
    np.testing.assert_allclose(found[0].detach(), module(*map(torch.from_numpy, rows(2)))[0].detach(), atol=0.05)


def test_float32_is_the_module_itself() -> None:
    module = Mixing().eval()

    assert in_precision(module, "fp32") is module


@pytest.mark.parametrize(
    ("module", "dtype"),
    [
        (nn.Linear(2, 2).half(), torch.float16),
        (nn.Sequential(nn.Linear(2, 2).half(), nn.Linear(2, 2)), torch.float32),
        (nn.Identity(), torch.float32),
    ],
)
def test_the_dtype_of_a_module_is_that_of_all_its_weights(module: nn.Module, dtype: torch.dtype) -> None:
    assert dtype_of(module) == dtype


def test_a_module_may_want_gradients_of_its_own_inside() -> None:
    class Sloped(nn.Module):
        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            with torch.enable_grad():
                leaf = left.clone().requires_grad_()
                (slope,) = torch.autograd.grad((leaf * right).sum(), leaf)
            return slope

    (found,) = answers(Sloped().eval(), rows(2))

    np.testing.assert_array_equal(found, rows(2)[1])
