"""lit_export.inputs.taken: the first form of a call that the module accepts."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.given import GivenCalls, of_arrays, of_example
from lit_export.inputs.taken import run, taken
from lit_infer.errors import ArtifactError, UsageError

ARRAYS = {"a": np.ones((2, 3), dtype=np.float32), "b": np.zeros((2, 3), dtype=np.float32)}


class ByKey(nn.Module):
    def forward(self, batch):  # type: ignore[no-untyped-def]
        return batch["a"] - batch["b"]


class ByAttribute(nn.Module):
    def forward(self, batch):  # type: ignore[no-untyped-def]
        return batch.a - batch.b


class ByPlace(nn.Module):
    def forward(self, batch):  # type: ignore[no-untyped-def]
        a, b = batch
        return a - b if isinstance(batch, list) else 1 / 0


@pytest.mark.parametrize("module", [ByKey(), ByAttribute(), ByPlace()])
def test_how_tensors_are_taken_is_found_by_trying(module: nn.Module) -> None:
    found = taken(module, of_arrays(module, ARRAYS, by_name=True, kind="file"), torch.float32)

    assert found.names == ("a", "b")
    (answer,) = run(found.flat, (ARRAYS["b"], ARRAYS["a"]))
    np.testing.assert_array_equal(answer, -np.ones((2, 3)))


def test_the_user_s_names_follow_the_order_of_the_call() -> None:
    class Swapped(nn.Module):
        def forward(self, b: Tensor, a: Tensor, /) -> Tensor:
            return a - b

    found = taken(Swapped(), of_arrays(Swapped(), ARRAYS, by_name=True, kind="file"), torch.float32)

    assert found.names == ("b", "a")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_floats_are_cast_to_the_weights_dtype_where_the_module_needs_it(dtype: torch.dtype) -> None:
    module = nn.Linear(3, 2).to(dtype)

    found = taken(module, of_example(torch.ones(2, 3)), dtype)

    assert found.batches[0][0].dtype == np.float32
    assert run(found.flat, found.batches[0])[0].shape == (2, 2)


def test_a_bfloat16_example_is_an_array_of_float32() -> None:
    found = taken(nn.Linear(3, 2).bfloat16(), of_example(torch.ones(2, 3).bfloat16()), torch.bfloat16)

    assert found.batches[0][0].dtype == np.float32
    assert run(found.flat, found.batches[0])[0].dtype == np.float32


def test_a_call_that_fails_is_told_with_its_inputs_and_the_line() -> None:
    with pytest.raises(ArtifactError, match=r"Linear\.forward on input float32 \[2, 5\] failed: RuntimeError: .*mat1"):
        taken(nn.Linear(3, 2), of_example(torch.ones(2, 5)), torch.float32)


def test_an_input_stays_as_it_is_if_the_module_edits_it() -> None:
    class Edits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.add_(1)

    example = torch.zeros(2, 3)
    found = taken(Edits(), of_example(example), torch.float32)

    run(found.flat, found.batches[0])
    assert example.sum() == 0
    assert found.batches[0][0].sum() == 0


@pytest.mark.parametrize(
    "tensor", [torch.ones(2, 3, dtype=torch.complex64), torch.ones(2, 3).to_sparse()], ids=["complex", "sparse"]
)
def test_tensors_that_no_graph_takes_are_explained(tensor: Tensor) -> None:
    with pytest.raises(UsageError, match=r"graphs take dense tensors of real numbers"):
        taken(nn.Identity(), of_example(tensor), torch.float32)


def test_a_name_that_does_not_fit_is_told_with_what_was_tried() -> None:
    linear = nn.Linear(3, 2)
    given = of_arrays(linear, {"inputs": ARRAYS["a"]}, by_name=True, kind="file")

    with pytest.raises(UsageError, match=r"takes input, and no inputs. Did you mean input\? Given in one argument: "):
        taken(linear, given, torch.float32)


class OfGraphs(nn.Module):
    def forward(self, graph: Any) -> Tensor:
        return graph.V.sum(1)


def test_a_form_of_the_module_s_own_is_given_by_an_adapter() -> None:
    given = of_arrays(OfGraphs(), {"nodes": ARRAYS["a"]}, by_name=True, kind="file")

    with pytest.raises(UsageError, match=r"no attribute (?s:.*)--adapter pkg\.mod:Wrap$"):
        taken(OfGraphs(), given, torch.float32)


def calls(*others: Any) -> GivenCalls:
    return GivenCalls((((torch.ones(2, 3), 1.0), {}),), "data", more=tuple([(args, {})] for args in others))


class Scaled(nn.Module):
    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return x * scale


def test_other_calls_of_the_same_form_are_more_batches() -> None:
    found = taken(Scaled(), calls((torch.ones(4, 3), 1.0), ([torch.ones(1, 3)], 1.0)), torch.float32)

    assert [len(x) for (x,) in found.batches] == [2, 4]
    assert found.notes == ("argument_1 is always 1.0",)


def test_a_number_that_changes_from_batch_to_batch_is_refused() -> None:
    with pytest.raises(UsageError, match="a number, text or None that is another from batch to batch"):
        taken(Scaled(), calls((torch.ones(4, 3), 2.0)), torch.float32)
