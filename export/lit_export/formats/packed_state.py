"""The state of a recurrent layer that was given a packed sequence, where nothing else of its answer is used.

`_, (hidden, cell) = self.lstm(pack_padded_sequence(...))` is how sequences of several lengths are classified. The older
ONNX exporter has packed sequences (as the operator's lengths), but looks for what the layer's first answer is used for
and fails where that is nothing.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

_LAYERS = (nn.RNN, nn.LSTM, nn.GRU)


@contextmanager
def packed_state() -> Iterator[None]:
    """In the block, a recurrent layer's state has as many rows as its packed answer, which is a use of that answer."""
    plain: dict[Any, Callable[..., Any]] = {cls: cls.forward for cls in _LAYERS}
    for cls in _LAYERS:
        cls.forward = _tied(plain[cls])  # type: ignore[method-assign]
    try:
        yield
    finally:
        for cls in _LAYERS:
            cls.forward = plain[cls]  # type: ignore[method-assign]


def _tied(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def tied(layer: nn.Module, *args: Any, **kwargs: Any) -> Any:
        answer, state = forward(layer, *args, **kwargs)
        if not isinstance(answer, PackedSequence):
            return answer, state
        rows = pad_packed_sequence(answer, batch_first=True)[0].shape[0]
        return answer, state[:, :rows] if isinstance(state, Tensor) else tuple(one[:, :rows] for one in state)

    return tied
