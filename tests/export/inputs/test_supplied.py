"""lit_export.inputs.supplied: from what was given to what inputs are drawn from."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.conventions import Arguments
from lit_export.inputs.given import GivenCalls, of_example
from lit_export.inputs.supplied import supplied
from lit_export.inputs.supply import Supply
from lit_export.inputs.taken import taken
from lit_export.inputs.typed import parsed
from lit_export.options import Options
from lit_infer.errors import UsageError
from tests.cases import modules


def supply_of(module: nn.Module, what: GivenCalls | Any = None, *typed: str, **options: Any) -> Supply:
    what = what if isinstance(what, GivenCalls) else of_example(module.example_input_array if what is None else what)
    texts = {one.name or "": one for one in map(parsed, typed)}
    return supplied(taken(module.eval(), what, torch.float32), what, Options(**options), texts)


def real(*batches: Any) -> GivenCalls:
    calls: list[list[Arguments]] = [[((batch,), {})] for batch in batches]
    return GivenCalls(calls[0], "data", more=tuple(calls[1:]))


def test_the_batch_is_found_in_an_example_and_the_others_keep_their_sides() -> None:
    assert supply_of(modules.Prototypes()).sides == (("batch", 4), (7, 4))
    assert supply_of(modules.TimeFirst()).sides == ((10, "batch", 20), (1, "batch", 20))


def test_it_may_be_said_or_frozen() -> None:
    assert supply_of(modules.TimeFirst(), batch_axis=("x=1",)).sides[0] == (10, "batch", 20)
    assert supply_of(modules.TimeFirst(), static_batch=4).sides == ((10, 4, 20), (1, 4, 20))
    assert supply_of(nn.ReLU(), torch.randn(3, 4), batch_axis=("none",)).sides == ((3, 4),)


class Fixed(nn.Module):
    """Built for three rows."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(3, 2, 4).sum()


def test_where_no_side_is_the_batch_the_cure_is_told_and_works() -> None:
    with pytest.raises(UsageError, match=r"no side of x \[6, 4\] is the batch.*\nGive --static-batch 6"):
        supply_of(Fixed(), torch.randn(6, 4))
    assert supply_of(Fixed(), torch.randn(6, 4), static_batch=6).sides == ((6, 4),)
    with pytest.raises(UsageError, match=r"and no other size\. Give 6"):
        supply_of(Fixed(), torch.randn(6, 4), static_batch=2)


def test_a_module_that_looks_at_its_first_row_alone_has_a_batch_of_one() -> None:
    boxes = torch.rand(12, 3, 64, 64)

    with pytest.raises(UsageError, match="Give --static-batch 1 for a graph of one size"):
        supply_of(modules.GuardedDetector(), real(boxes))
    assert supply_of(modules.GuardedDetector(), real(boxes), static_batch=1).sides == ((1, 3, 64, 64),)


def test_integers_of_an_only_row_change_places_where_the_module_takes_that() -> None:
    categories = modules.Categories()
    row = (torch.randn(1, 6), torch.tensor([[39, 8, 2]]))

    assert not supply_of(categories, row).is_loose  # column 1 has no 39
    assert supply_of(nn.Embedding(50, 4), torch.tensor([[3, 49, 5]])).is_loose


def test_real_batches_are_kept_as_they_are_if_their_fixed_sides_fit() -> None:
    batches = [torch.randn(4, 5, 3), torch.randn(2, 5, 3), torch.randn(4, 7, 3)]

    fixed = supply_of(nn.Linear(3, 2), real(*batches))
    dynamic = supply_of(nn.Linear(3, 2), real(*batches), dynamic=("length=1",))

    assert fixed.keeps_rows
    assert [len(batch) for (batch,) in fixed.batches] == [6]  # joined: a loader may give one row at a time
    assert [batch.shape for (batch,) in dynamic.batches] == [(6, 5, 3), (4, 7, 3)]


def test_a_typed_range_takes_the_place_of_one_input_s_values() -> None:
    found = supply_of(modules.Recommender(), None, "user=:int64:0..99")

    assert found.bounds[0].high == 99
    with pytest.raises(UsageError, match="without its batch, this input is user=:int64"):
        supply_of(modules.Recommender(), None, "user=3:int64:0..99")
    with pytest.raises(UsageError, match="no such input; the inputs are user, item"):
        supply_of(modules.Recommender(), None, "users=:int64:0..99")
