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


def test_what_a_call_left_for_its_batch_is_not_frozen(tmp_path: Path) -> None:
    bundle = export(KeepsMask(), ["onnx"], out=tmp_path / "bundle", options=Options(inputs=("4",), publish=False))

    assert not bundle.failed, bundle.failed
    assert bundle.manifest.graphs[0].parity is not None
    assert bundle.manifest.graphs[0].parity.batches == (1, 2, 3, 8)
