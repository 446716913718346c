"""lit_export.inputs.recorder: what the module's own step gives to `forward`."""

import importlib
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from lit_export.inputs.recorder import recorded
from lit_infer.errors import UsageError
from tests.export.inputs.real_data import module_class

BATCH = [torch.ones(2, 4), torch.tensor([1, 2]), torch.zeros(2)]


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_the_step_s_call_is_heard_whatever_the_step_does_after_it(package: str) -> None:
    module = module_class(importlib.import_module(package))().eval()

    found = recorded(module, module, [BATCH, BATCH], asked="Experts.forward")

    assert len(found) == 2
    args, kwargs = found[0]
    assert [tensor.tolist() for tensor in args] == [BATCH[0].tolist(), [1, 2]]
    assert kwargs == {"scale": 2.0}


def test_the_module_stays_as_it_is() -> None:
    module = module_class(pl)().eval()

    recorded(module, module, [BATCH], asked="Experts.forward")

    assert module.seen == []
    assert not {"forward", "log"} & set(vars(module))
    with pytest.raises(RuntimeError, match="not attached"):
        _ = module.trainer


class Inner(pl.LightningModule):
    """Its step calls a part, and edits the batch after that."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 2)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002
        answer = self.net(batch[0])
        batch[0].zero_()
        loss = answer.mean()
        self.manual_backward(loss)
        return loss  # type: ignore[no-any-return]


def test_a_part_is_listened_to_where_it_is_what_is_exported() -> None:
    module = Inner()

    ((args, _),) = recorded(module, module.net, [BATCH], asked="Linear.forward")

    assert args[0].sum() == 8
    assert BATCH[0].sum() == 8


def test_an_adapter_around_the_module_has_no_step_that_calls_it() -> None:
    class Around(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Any:
            return self.inner(x)

    module = Inner()
    with pytest.raises(UsageError, match=r"no step of Inner calls Around.forward(.|\n)*--batch-to-inputs"):
        recorded(module, Around(module), [BATCH], asked="Around.forward")


def test_a_step_that_fails_before_its_call_is_told_with_the_line() -> None:
    class Fails(Inner):
        def validation_step(self, batch: Any, batch_idx: int) -> Any:  # noqa: ARG002
            return self.net(batch["image"])

        training_step = None  # type: ignore[assignment]

    module = Fails()
    with pytest.raises(UsageError, match=r"validation_step failed: TypeError: .*test_recorder.py:\d+"):
        recorded(module, module.net, [BATCH], asked="Linear.forward")
