"""lit_export.tasks.main_output: which output of several is taken, and that it is said."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from lit_export.tasks.main_output import FEATURES, LOGITS, main_output
from lit_infer.errors import GateError

ONE, TWO = torch.ones(2, 3), torch.zeros(2, 5)


@dataclass
class Output:
    """As people write it."""

    hidden: Tensor
    logits: Tensor
    loss: Tensor | None = None


class Heads(NamedTuple):
    """Two heads."""

    age: Tensor
    sex: Tensor


class Plain:
    """An object with logits."""

    logits = TWO


@pytest.mark.parametrize(
    ("output", "name", "tensor", "others"),
    [
        (ONE, None, ONE, ()),
        ({"age": ONE}, "age", ONE, ()),
        ({"age": ONE, "logits": TWO, "layers": [ONE]}, "logits", TWO, ("age",)),
        (Output(ONE, TWO), "logits", TWO, ("hidden",)),
        (Heads(ONE, TWO), "age", ONE, ("sex",)),
        ((ONE, TWO), "output_0", ONE, ("output_1",)),
        ([None, TWO], "output_1", TWO, ()),
        (Plain(), "logits", TWO, ()),
        ({"faces": {"logits": TWO}, "bodies": {"logits": ONE}}, "faces.logits", TWO, ("bodies.logits",)),
    ],
)
def test_logits_are_taken_else_the_first_and_the_others_are_named(
    output: Any, name: str | None, tensor: Tensor, others: tuple[str, ...]
) -> None:
    found = main_output(output, LOGITS)

    assert (found.name, found.others) == (name, others)
    assert found.tensor is tensor
    assert len(found.warnings) == bool(others)
    assert all(f"{name} is taken, and {', '.join(others)} left out" in warning for warning in found.warnings)


def test_features_of_a_transformer_are_its_pooled_ones() -> None:
    found = main_output({"last_hidden_state": torch.ones(2, 7, 3), "pooler_output": ONE, "logits": TWO}, FEATURES)

    assert found.tensor is ONE
    assert main_output({"last_hidden_state": ONE, "pooler_output": None}, FEATURES).name == "last_hidden_state"


@pytest.mark.parametrize("output", [None, 3, {}, (), {"a": None}, object()])
def test_an_answer_without_a_tensor_is_refused(output: Any) -> None:
    with pytest.raises(GateError, match="not a tensor of scores"):
        main_output(output)
