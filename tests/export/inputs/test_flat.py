"""lit_export.inputs.flat: the user's module as a function of flat tensors."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.call import call_of
from lit_export.inputs.flat import Flat, flattened, left_out
from lit_infer.errors import UsageError


class Pair(NamedTuple):
    total: Tensor
    largest: Tensor | None


@dataclass
class Detection:
    boxes: Tensor
    label: str = "cat"


class ModelOutput(OrderedDict[str, Any]):
    """As transformers has it: a dict, without the keys that are None."""


ONE = torch.ones(2)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ONE, ["output"]),
        ((ONE, None, [ONE]), ["output_0", "output_2_0"]),
        ({"logits": ONE, "hidden": (ONE, ONE), "past": None}, ["logits", "hidden_0", "hidden_1"]),
        (Pair(ONE, None), ["total"]),
        ((ONE, Pair(ONE, ONE)), ["output_0", "output_1_total", "output_1_largest"]),
        (Detection(ONE), ["boxes"]),
        (ModelOutput(logits=ONE), ["logits"]),
        ([{"boxes": ONE}], ["output_0_boxes"]),
    ],
)
def test_the_tensors_of_an_answer_have_names(answer: Any, names: list[str]) -> None:
    assert [name for name, _ in flattened(answer)] == names


@pytest.mark.parametrize(
    ("dtype", "answered"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float64, torch.float64),
        (torch.bool, torch.bool),
        (torch.uint16, torch.int64),
    ],
)
def test_dtypes_that_not_every_format_has_are_answered_as_others(dtype: torch.dtype, answered: torch.dtype) -> None:
    ((_, tensor),) = flattened(torch.ones(2, dtype=dtype))

    assert tensor.dtype == answered


def test_a_complex_answer_is_two() -> None:
    found = dict(flattened({"spectrum": torch.tensor([1 + 2j, 3 - 4j])}))

    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "spectrum_real": [1, 3],
        "spectrum_imag": [2, -4],
    }


def test_what_is_no_tensor_is_left_out_and_told() -> None:
    assert left_out({"loss": 0.5, "logits": ONE, "none": None}) == [("loss", 0.5)]
    assert left_out((Detection(ONE), 3)) == [("output_0_label", "cat"), ("output_1", 3)]


@pytest.mark.parametrize("answer", [None, "text", {"loss": 0.5}])
def test_an_answer_without_a_tensor_is_refused(answer: Any) -> None:
    with pytest.raises(UsageError, match=f"the module answers {type(answer).__name__}; a graph answers tensors"):
        flattened(answer)


def test_a_module_is_called_as_it_wants_and_casts_its_inputs() -> None:
    class Net(nn.Module):
        def forward(self, batch: dict[str, Tensor], *, scale: Tensor) -> dict[str, Tensor]:
            assert batch["x"].dtype == torch.float64
            return {"y": batch["x"] * scale}

    call, _ = call_of(Net(), ({"x": ONE},), {"scale": ONE})
    flat = Flat(Net(), call, (torch.float64, None))

    (found,) = flat(ONE, 3 * ONE)
    assert found.tolist() == [3, 3]
    assert flat.asked.endswith("Net.forward")
