"""lit_export.inputs.lightning_parts: what Lightning gives a module while it runs it."""

import importlib

import pytest
from torch import nn

from lit_export.inputs.lightning_parts import is_own, package_of, trainer_for
from tests.export.inputs.real_data import data_class, module_class


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_a_trainer_is_of_the_module_s_own_package_and_logs_nowhere(
    package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pl = importlib.import_module(package)
    module, data = module_class(pl)(), data_class(pl)()

    trainer = trainer_for(module)

    assert (package_of(module), package_of(data)) == (package, package)
    assert isinstance(trainer, pl.Trainer)
    trainer.logger.experiment.add_image("anything", 1)
    assert capsys.readouterr() == ("", "")


def test_another_module_has_none() -> None:
    assert (package_of(nn.Linear(2, 2)), trainer_for(nn.Linear(2, 2))) == (None, None)


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_the_user_s_own_methods_are_told_from_lightning_s(package: str) -> None:
    pl = importlib.import_module(package)
    module, data = module_class(pl)(), data_class(pl)()

    assert is_own(module, "validation_step")
    assert not is_own(module, "test_step")
    assert is_own(data, "val_dataloader")
    assert not is_own(data, "test_dataloader")
    assert is_own(pl.LightningDataModule.from_datasets(val_dataset=[1]), "val_dataloader")
