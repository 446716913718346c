"""lit_export.proof.observed: where a module looks at values, draws random numbers and writes."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lit_export.proof.observed import Observed, observed
from tests.export.proof.branches import Ragged

X = np.random.default_rng(0).random((3, 4), dtype=np.float32)


def watched(module: nn.Module, *inputs: np.ndarray) -> Observed:
    return observed(module.eval(), inputs or (X,), ["x"])


def line_of(text: str) -> int:
    with open(__file__) as file:
        return next(number for number, line in enumerate(file, start=1) if line.strip() == text)


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = functional.dropout(x)
        return x + torch.randn_like(x)


class Keeps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))
        self.plain = torch.zeros(4)

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        self.plain[1:].add_(1)
        x[:, 0].clamp_(0.5)
        return x * self.count


def test_random_numbers_have_a_name_and_a_line() -> None:
    found = {name: spot.line for spot, name in watched(Noisy()).random.items()}
    assert found == {
        "torch.nn.functional.dropout": line_of("x = functional.dropout(x)"),
        "torch.randn_like": line_of("return x + torch.randn_like(x)"),
    }
    assert watched(Ragged()).random == {}


def test_what_is_written_to_is_named_with_its_line_views_included() -> None:
    found = {name: spot.line for spot, name in watched(Keeps()).written.items()}
    assert found == {
        "count": line_of("self.count += 1"),
        "plain": line_of("self.plain[1:].add_(1)"),
        "its input x": line_of("x[:, 0].clamp_(0.5)"),
    }
    assert watched(Ragged()).written == {}


def test_the_inputs_stay_as_they_were() -> None:
    before = X.copy()
    watched(Keeps())
    assert np.array_equal(before, X)


def test_a_look_at_a_value_is_seen_in_every_frame_that_led_to_it() -> None:
    found = watched(Ragged())
    (filename,) = {spot.code.co_filename for spot in found.looks if "branches" in spot.place}
    lines = {span[0] for span in found.spans(filename)}
    with open(filename) as file:
        text = [line.strip() for line in file]
    assert {text[line - 1] for line in lines} == {
        "count = int(mask.sum())",
        "y = x * 2 if len(rows) else x",
        "if self._is_bright(x):",
        "for row in rows:",
        "values = [value for value in x.tolist() if value[0] > 1000]",
    }


def test_a_mask_makes_sizes_that_depend_on_values_and_an_index_does_not() -> None:
    class Picks(nn.Module):
        def __init__(self, by_mask: bool) -> None:
            super().__init__()
            self.by_mask = by_mask

        def forward(self, x: Tensor) -> Tensor:
            found = x[x > 0] if self.by_mask else x[torch.argmax(x, 0)]
            return found[: found.numel() // 2]

    assert watched(Picks(by_mask=True)).looks
    assert not watched(Picks(by_mask=False)).looks


class ByLength(nn.Module):
    def forward(self, x: Tensor, length: Tensor) -> Tensor:
        return x * 2 if length.max() > 3 else x


def test_a_look_at_an_input_that_is_constant_is_no_look_at_data() -> None:
    inputs, names = (X, np.full(3, 4)), ["x", "length"]
    module = ByLength().eval()
    by_data = {spot.line for spot in observed(module, inputs, names).looks if spot.code.co_filename == __file__}
    assert line_of("return x * 2 if length.max() > 3 else x") in by_data
    assert not observed(module, inputs, names, constant=["length"]).looks
