"""lit_export.inputs.outputs: names of outputs, and which sides follow the inputs'."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs import outputs
from lit_export.inputs.flat import Flat
from lit_export.inputs.given import of_example
from lit_export.inputs.supply import Supply
from lit_export.inputs.taken import taken
from lit_infer.errors import UsageError


def flat_and_supply(module: nn.Module, *, batch: int | str = "batch") -> tuple[Flat, Supply]:
    example = torch.randn(2, 6)
    took = taken(module.eval(), of_example(example), torch.float32)
    return took.flat, Supply(took.names, (0,), ((batch, 6),), took.batches)  # type: ignore[arg-type]


def described(module: nn.Module, base: dict[str, int], **how: Any) -> dict[str, tuple[int | str, ...]]:
    flat, supply = flat_and_supply(module, **how)
    return {tensor.name: tensor.shape for tensor in outputs.found(flat, supply, base).tensors}


class Positive(nn.Module):
    """How many values are positive depends on the content."""

    def forward(self, x: Tensor) -> dict[str, Any]:
        return {"found": x[x > 0], "x": x, "loss": x.mean(), "twice": torch.cat([x, x]), "number": 5}


def test_sides_follow_the_batch_or_have_a_name_of_their_own() -> None:
    assert described(Positive(), {"batch": 2}) == {
        "found": ("found_0",),
        "x_output": ("batch", 6),  # a graph has one `x`
        "loss": (),
        "twice": ("twice_0", 6),
    }


def test_a_count_that_depends_on_the_content_has_a_name_at_a_fixed_batch_too() -> None:
    assert described(Positive(), {}, batch=2)["found"] == ("found_0",)


def test_what_is_left_out_is_told() -> None:
    flat, supply = flat_and_supply(Positive())

    assert outputs.found(flat, supply, {"batch": 2}).notes == ("number of the answer is no tensor, and is left out",)


def test_a_list_with_an_entry_for_each_row_is_explained() -> None:
    class Listed(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return list(x)

    with pytest.raises(UsageError, match="answers 2 tensors for one batch and 4 for another") as caught:
        described(Listed(), {"batch": 2})
    assert "Give --static-batch 1" in str(caught.value)


def test_another_number_of_sides_is_explained() -> None:
    class Squeezed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if len(x) == 2 else x[0]

    with pytest.raises(UsageError, match=r"output has the shape \[2, 6\] for one batch and \[6\] for another"):
        described(Squeezed(), {"batch": 2})


def test_a_batch_that_the_module_does_not_take_is_told_with_the_cure() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.view(2, 6)

    with pytest.raises(UsageError, match=r"takes 2 rows and not 4 .*\n?.*--static-batch 2"):
        described(Fixed(), {"batch": 2})
