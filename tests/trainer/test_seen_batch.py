"""lit_trainer.callbacks.seen_batch: what a batch holds, and what forward is called with."""

# ruff: noqa: ARG002 - Lightning's hooks have fixed parameters

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lit_infer.manifest import BatchTensor
from lit_trainer.callbacks.seen_batch import SeenBatch


class Net(pl.LightningModule):
    """Answers what is asked of it in `call`."""

    def __init__(self, call: Any, *, compiled: bool = False) -> None:
        super().__init__()
        self.layer, self.call = nn.Linear(4, 1), call
        if compiled:
            self.compile(backend="eager")

    def forward(self, row: Tensor, mask: Any = None) -> Tensor:
        return self.layer(row)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.layer(batch[0]).sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.call(self, batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


ROW = (torch.ones(4), 1)


def seen(module: Net, folder: Path, row: Any = ROW, **changes: Any) -> SeenBatch:
    callback = SeenBatch()
    loader = DataLoader([row] * 6, batch_size=3)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        callbacks=[callback],
        **changes,
    )
    trainer.fit(module, loader, loader)
    assert not module._forward_pre_hooks
    return callback


def test_tensors_of_a_batch_are_named_by_where_they_are(tmp_path: Path) -> None:
    row = (torch.ones(4), {"mask": torch.ones(2, dtype=torch.bool), "parts": [torch.ones(1).double()]})
    found = seen(Net(lambda module, batch: module(batch[0])), tmp_path, row)
    assert found.batch == (
        BatchTensor(name="0", dtype="float32", shape=(3, 4)),
        BatchTensor(name="1.mask", dtype="bool", shape=(3, 2)),
        BatchTensor(name="1.parts.0", dtype="float64", shape=(3, 1)),
    )
    assert found.inputs == (BatchTensor(name="row", dtype="float32", shape=(3, 4)),)
    assert not found.by_keyword


def test_inputs_by_keyword_stand_in_the_order_of_the_arguments(tmp_path: Path) -> None:
    found = seen(Net(lambda module, batch: module(mask=batch[1], row=batch[0])), tmp_path)
    assert found.inputs is not None
    assert [tensor.name for tensor in found.inputs] == ["row", "mask"]
    assert found.by_keyword


def test_what_is_no_tensor_is_no_input_of_a_graph(tmp_path: Path) -> None:
    found = seen(Net(lambda module, batch: module(batch[0], mask="all")), tmp_path)
    assert found.batch
    assert found.inputs is None


def test_without_validation_a_training_batch_serves(tmp_path: Path) -> None:
    found = seen(Net(None), tmp_path, limit_val_batches=0)
    assert found.batch is not None
    assert found.batch[0].shape == (3, 4)


def test_a_batch_of_very_many_tensors_is_not_listed(tmp_path: Path) -> None:
    found = seen(Net(lambda *_: None), tmp_path, [torch.ones(4)] * 65)
    assert found.batch is None


def test_a_compiled_module_is_not_compiled_again_for_it(tmp_path: Path) -> None:
    found = seen(Net(lambda module, batch: module(batch[0]), compiled=True), tmp_path)
    assert found.batch
    assert found.inputs is None
