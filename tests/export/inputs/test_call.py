"""lit_export.inputs.call: a call with its tensors left open."""

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.call import PredictStep, asked, call_of, callee, counted
from lit_infer.errors import UsageError
from tests.cases import modules


class Many(nn.Module):
    def forward(self, x: Any, *more: Any, mode: str = "plain", mask: Any = None, **rest: Any) -> Any:
        return x, more, mode, mask, rest


ONE, TWO, THREE = torch.ones(1), torch.ones(2), torch.ones(3)


def test_tensors_are_taken_out_named_and_put_back() -> None:
    call, tensors = call_of(Many(), ({"a": ONE, "n": 5},), {"mode": "fast", "mask": [TWO], "late": THREE})

    assert call.names == ("x_a", "mask_0", "late")
    assert [len(tensor) for tensor in tensors] == [1, 2, 3]
    args, kwargs = call.filled(["A", "B", "C"])
    assert (args, kwargs) == (({"a": "A", "n": 5},), {"mode": "fast", "mask": ["B"], "late": "C"})
    assert call.constants == ["argument_0_n is always 5", "mode is always 'fast'"]


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ((ONE,), ("x",)),
        ((ONE, TWO, THREE), ("x", "input_1", "input_2")),
        (({"ids": ONE, "mask": TWO},), ("ids", "mask")),  # the only container gives its keys
        (([ONE, TWO],), ("x_0", "x_1")),
        (({"ids": ONE}, TWO), ("x_ids", "input_1")),
        (({"a": {"b": ONE}, "a_b": TWO},), ("a_b", "a_b_2")),
    ],
)
def test_names_are_those_of_arguments_and_keys(args: tuple[Any, ...], names: tuple[str, ...]) -> None:
    assert call_of(Many(), args, {})[0].names == names


def test_the_form_tells_calls_of_other_structure_or_other_constants_apart() -> None:
    forms = [call_of(Many(), args, {})[0].form for args in ((ONE,), (TWO,), (ONE, 1), (ONE, 2), ([ONE],))]

    assert forms[0] == forms[1]
    assert len(set(forms)) == 4


def test_a_call_that_does_not_fit_is_explained() -> None:
    with pytest.raises(UsageError, match=r"Linear\.forward.* is not called like that: missing a required argument"):
        call_of(nn.Linear(2, 2), (), {})


def test_predict_step_is_called_where_there_is_no_forward() -> None:
    found = callee(modules.PredictOnly())

    assert isinstance(found, PredictStep)
    assert asked(found) == "PredictOnly.predict_step"
    assert counted(found) == {"batch_idx": 0}
    assert found(torch.zeros(3, 4), batch_idx=0).shape == (3, 2)


def test_a_forward_comes_first_and_an_inherited_step_is_none() -> None:
    class Both(modules.PredictOnly):
        def forward(self, x: Tensor) -> Tensor:
            return x

    class Neither(pl.LightningModule):
        pass

    for module in (Both(), Neither(), nn.Linear(2, 2)):
        assert callee(module) is module
