import warnings
from pathlib import Path

import pytest

from lit_infer.engines.opened import MANIFEST_KEY, OpenGraph
from lit_infer.engines.torchscript import open_graph
from lit_infer.errors import EngineError
from tests.inference.engines.torch_contract import TorchEngineContract


class TestTorchScript(TorchEngineContract):
    suffix, kind = ".pt", "TorchScript"

    @staticmethod
    def open_graph(path: Path, *, device: str, threads: int) -> OpenGraph:
        return open_graph(path, device=device, threads=threads)

    @staticmethod
    def make(path: Path, embedded: str | None, *, pair: bool = False) -> Path:
        import torch
        from torch import Tensor, nn

        class Colours(nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                return (images.float().mean((1, 2)) / 64).softmax(-1)

        class Pair(Colours):
            def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
                means = images.float().mean((1, 2))
                return (means / 64).softmax(-1), means

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.jit is deprecated; that is known
            module = torch.jit.trace((Pair() if pair else Colours()).eval(), torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
            torch.jit.save(module, str(path), _extra_files={MANIFEST_KEY: embedded} if embedded else {})
        return path


def test_saved_weights_are_not_taken_for_a_graph(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")

    with pytest.raises(EngineError, match="torch cannot open it"):
        open_graph(tmp_path / "model.pt", device="cpu", threads=1)
