"""lit_export.loaded_state: what calls leave in a module is not there for an exporter that comes afterwards."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.loaded_state import LoadedState


class KeepsMask(nn.Module):
    """As forecasting models do: a mask for this batch's size is made when another size comes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(4, 3)
        self.rows = -1
        self.cache: dict[str, Any] = {}
        self.register_buffer("mask", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] != self.rows:
            self.rows = x.shape[0]
            self.mask = torch.ones(x.shape[0], 3)
            self.cache["mask"] = self.mask
        return self.layer(x) * self.mask


def test_a_module_is_as_it_was_loaded_in_the_block_and_afterwards_as_it_was() -> None:
    module = KeepsMask()
    loaded = LoadedState.of(module)
    assert not loaded.is_changed

    module(torch.zeros(2, 4))
    module.other = 1
    assert loaded.is_changed
    with loaded.restored():
        assert (module.rows, module.mask, module.cache, hasattr(module, "other")) == (-1, None, {}, False)
        assert not loaded.is_changed

    assert (module.rows, list(module.cache), module.other) == (2, ["mask"], 1)
    assert module.mask is not None


class Collects(nn.Module):
    """As transformers does: the first call leaves hooks that collect, and remembers that it has."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.found: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        if not getattr(self, "has_hooks", False):
            for layer in self.layers:
                layer.register_forward_hook(lambda _, __, output: self.found.append(output))
            self.has_hooks = True
        self.found.clear()
        for layer in self.layers:
            x = layer(x)
        first, second = self.found
        return first + 2 * second


def test_hooks_that_a_call_has_left_are_not_left_twice(tmp_path: Path) -> None:
    module = Collects()
    loaded = LoadedState.of(module)
    answer = module(torch.ones(1, 4))

    for _ in range(2):
        with loaded.restored():
            assert torch.equal(module(torch.ones(1, 4)), answer)
    assert [len(layer._forward_hooks) for layer in module.layers] == [1, 1]

    bundle = export(Collects(), ["onnx"], out=tmp_path / "bundle", options=Options(inputs=("4",), publish=False))
    assert not bundle.failed, bundle.failed


def test_a_hook_can_be_taken_away_after_the_module_was_restored() -> None:
    module = nn.Linear(4, 4)
    handle = module.register_forward_hook(lambda *_: None)
    loaded = LoadedState.of(module)

    with loaded.restored():
        pass
    handle.remove()

    assert not module._forward_hooks


def test_what_a_call_left_for_its_batch_is_not_frozen(tmp_path: Path) -> None:
    bundle = export(KeepsMask(), ["onnx"], out=tmp_path / "bundle", options=Options(inputs=("4",), publish=False))

    assert not bundle.failed, bundle.failed
    assert bundle.manifest.graphs[0].parity is not None
    assert bundle.manifest.graphs[0].parity.batches == (1, 2, 3, 8)
