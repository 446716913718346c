"""lit_export.formats.packed_state: layers over sequences of several lengths, of which only the state is used."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lit_export import Options, export
from lit_export.formats.packed_state import packed_state


class EncoderDecoder(nn.Module):
    """Of the first layer the state is used, of the second the sequence."""

    def __init__(self, layer: type[nn.RNNBase]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = layer(3, 4, batch_first=True, bidirectional=True)
        self.decoder = layer(3, 4, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        _, state = self.encoder(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        decoded, _ = self.decoder(pack_padded_sequence(x, lengths.cpu(), True, False), hx=state)
        return pad_packed_sequence(decoded, batch_first=True, total_length=5)[0]


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU])
def test_the_state_after_a_packed_sequence_goes_into_a_graph(tmp_path: Path, layer: type[nn.RNNBase]) -> None:
    generator = np.random.default_rng(0)
    file = tmp_path / "real.npz"
    lengths = generator.integers(1, 6, 24)
    lengths[::3] = 5
    np.savez(file, x=generator.standard_normal((24, 5, 3), np.float32), lengths=lengths)

    bundle = export(EncoderDecoder(layer), out=tmp_path / "bundle", options=Options(input_file=file, publish=False))

    assert not bundle.failed, bundle.failed
    assert "legacy" in str(bundle.manifest.graphs[0].exporter)


def test_layers_answer_as_before_within_and_after() -> None:
    layer, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 5, 3)
    packed = pack_padded_sequence(x, torch.tensor([5, 3]), batch_first=True)
    before = layer(packed)
    with packed_state():
        within = layer(packed)
        padded = layer(x)
    assert not hasattr(nn.LSTM.forward, "__wrapped__")
    torch.testing.assert_close(within, before)
    torch.testing.assert_close(padded, layer(x))
