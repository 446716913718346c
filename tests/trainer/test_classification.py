"""lit_trainer.modules.classification: testing on a list of loaders."""

import lightning.pytorch as pl
import pytest

from lit_trainer.data import DigitsDataModule
from lit_trainer.modules import DigitsCNN


def metrics(module: DigitsCNN, *test_on: str) -> dict[str, float]:
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    found = trainer.test(module, datamodule=DigitsDataModule(test_on=test_on), verbose=False)  # type: ignore[arg-type]
    return {name: value for part in found for name, value in part.items()}


@pytest.mark.parametrize("order", [("val", "test"), ("test", "val")])
def test_each_of_several_loaders_has_its_own_accuracy(order: tuple[str, str]) -> None:
    pl.seed_everything(3, verbose=False)
    module = DigitsCNN(width=4)
    together = metrics(module, *order)
    for place, name in enumerate(order):
        alone = metrics(module, name)
        assert together[f"test_acc/dataloader_idx_{place}"] == pytest.approx(alone["test_acc"])
        assert together[f"test_loss/dataloader_idx_{place}"] == pytest.approx(alone["test_loss"], rel=1e-5)
    assert metrics(module, "val")["test_acc"] != metrics(module, "test")["test_acc"]
