"""torch's transformer layers, without the shortcuts that they take where nobody follows them.

They look whether the values of a mask are those of a causal one, which is a decision on data, and in inference they
call one fused operator, which formats do not have. The plain way computes the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor
from torch.backends import mha
from torch.nn.modules import transformer

_ASKS = "_detect_is_causal_mask"


@contextmanager
def plain_attention() -> Iterator[None]:
    """In the block, masks are used as they are given, and attention is computed by torch's usual operators."""
    asks, was_fast = getattr(transformer, _ASKS), mha.get_fastpath_enabled()
    setattr(transformer, _ASKS, _said)
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        setattr(transformer, _ASKS, asks)
        mha.set_fastpath_enabled(was_fast)


def _said(mask: Tensor | None, is_causal: bool | None = None, size: int | None = None) -> bool:
    """Whether the caller says that the mask is causal. The mask itself is not looked at."""
    del mask, size
    return is_causal is True
