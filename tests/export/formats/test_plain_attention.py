"""lit_export.formats.plain_attention: torch's own transformer layers, with masks, go into every format."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.backends import mha
from torch.nn.modules import transformer

from lit_export import Options, export
from lit_export.formats.plain_attention import plain_attention

CAUSAL = nn.Transformer.generate_square_subsequent_mask(5)


class Masked(nn.Module):
    """An encoder and a decoder that are given masks, and not told what kind these are."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(x, self.encoder(x, mask=CAUSAL), tgt_mask=CAUSAL)


@pytest.mark.parametrize(("name", "exporter"), [("onnx", "dynamo"), ("pt2", "torch.export"), ("torchscript", "trace")])
def test_layers_with_masks_go_into_a_graph(tmp_path: Path, name: str, exporter: str) -> None:
    options = Options(inputs=("5x8",), publish=False)

    bundle = export(Masked(), [name], out=tmp_path / "bundle", options=options)

    assert not bundle.failed, bundle.failed
    assert exporter in str(bundle.manifest.graphs[0].exporter)


def test_afterwards_masks_are_looked_at_again_and_the_answers_are_the_same() -> None:
    module, x = Masked().eval(), torch.randn(2, 5, 8)
    with torch.no_grad():
        before = module(x)
        with plain_attention():
            within = module(x)
            assert not transformer._detect_is_causal_mask(CAUSAL)
            assert transformer._detect_is_causal_mask(CAUSAL, is_causal=True)
    torch.testing.assert_close(within, before)
    assert transformer._detect_is_causal_mask(CAUSAL)
    assert mha.get_fastpath_enabled()
