"""A module's inputs: the tensors of a batch, and those that its `forward` is called with; of integers the range too."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import lightning.pytorch as pl
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from lit_infer.manifest import BatchTensor

_MOST = 64
"""Tensors of a batch that are recorded; a batch of more is one of parts, such as graphs."""

BatchTensors = tuple[BatchTensor, ...]


class SeenBatch(pl.Callback):
    """Notes names, dtypes and shapes of the first validation batch, or of a training batch if there is none yet."""

    def __init__(self) -> None:
        self.batch: BatchTensors | None = None
        self.inputs: BatchTensors | None = None
        """The inputs of `forward`, in the order of its arguments."""
        self.by_keyword = False
        """Whether `forward` was given keywords."""
        self._is_final = False
        self._listening: RemovableHandle | None = None

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Look at the first one."""
        if not self._is_final:
            self._look(pl_module, batch)
            self._is_final = True

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop looking."""
        self._stop()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Look at the first one, until there is a validation batch."""
        if self.batch is None:
            self._look(pl_module, batch)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """Stop looking."""
        self._stop()

    def _look(self, module: pl.LightningModule, batch: Any) -> None:
        found = tuple(_tensors(batch, ""))
        self.batch, self.inputs = found if len(found) <= _MOST else None, None
        self._stop()
        if module._compiled_call_impl is None:  # a hook would compile it once more
            self._listening = module.register_forward_pre_hook(self._heard, with_kwargs=True)

    def _heard(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Record a call of `forward`; one with a batch and its index is a distributed strategy's call of the step."""
        given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        tensors = {name: value for name, value in given.items() if value is not None}
        if tensors and all(isinstance(value, Tensor) for value in tensors.values()):
            self.inputs = tuple(_described(name, value) for name, value in tensors.items())
            self.by_keyword = bool(kwargs)

    def _stop(self) -> None:
        if self._listening is not None:
            self._listening.remove()
            self._listening = None


def _tensors(tree: Any, name: str) -> Iterator[BatchTensor]:
    """The tensors in a batch, named by their position."""
    if isinstance(tree, Tensor):
        yield _described(name or "batch", tree)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _tensors(value, f"{name}.{key}".lstrip("."))
    elif isinstance(tree, tuple | list):
        for index, value in enumerate(tree):
            yield from _tensors(value, f"{name}.{index}".lstrip("."))


def _described(name: str, tensor: Tensor) -> BatchTensor:
    dtype = str(tensor.dtype).removeprefix("torch.")
    is_integer = dtype.startswith(("int", "uint")) and tensor.numel() > 0
    shown = (int(tensor.min()), int(tensor.max())) if is_integer else None
    return BatchTensor(name=name, dtype=dtype, shape=tuple(tensor.shape), range=shown)
