"""`len(x)` of a tensor, as people write it: Python makes a plain number of it, and exporters would freeze the batch.

While an exporter follows a module, `len` of a tensor is its first side, which the exporter knows to be dynamic.
"""

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor


@contextmanager
def symbolic_len() -> Iterator[None]:
    """In the block, `len(tensor)` is `tensor.shape[0]`. What comes out is compared with the module anyway."""
    plain = builtins.len

    def length(of: Any, /) -> Any:
        return of.shape[0] if isinstance(of, Tensor) and of.ndim else plain(of)

    builtins.len = length
    try:
        yield
    finally:
        builtins.len = plain
