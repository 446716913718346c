"""lit_export.inputs.data_module: the user's data, set up as Lightning does."""

from typing import Any

import pytest
import torch
from torch import nn

from lit_export.inputs.data_module import real_batches
from lit_export.options import Options
from lit_infer import progress
from lit_infer.errors import ArtifactError, LitError, UsageError
from tests.export.inputs.real_data import ROWS

HERE = "tests.export.inputs.real_data"


def batches(name: str) -> Any:
    return real_batches(Options(data_module=f"{HERE}:{name}"), nn.Identity())


def test_validation_batches_come_as_the_loader_and_the_hooks_give_them() -> None:
    found = batches("Data")

    assert found.source == f"the validation data of {HERE}:Data"
    assert [len(batch[0]) for batch in found.batches] == [8, 8, 4]
    torch.testing.assert_close(torch.cat([batch[0] for batch in found.batches]), ROWS / 80)


def test_training_data_take_the_place_of_none_and_that_is_said() -> None:
    notes: list[str] = []

    with progress.listening(progress.Listener(note=notes.append)):
        found = batches("OnlyTraining")

    assert len(found.batches) == 16
    assert found.source.startswith("the training data of")
    assert any("has no validation data; its training data are compared on" in note for note in notes)


def test_a_function_may_return_a_loader() -> None:
    found = batches("loader")

    assert [len(batch[0]) for batch in found.batches] == [5, 5, 5, 5]
    assert found.source == f"the batches of {HERE}:loader"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("Needs", UsageError, r"needs folder. Name a function .* def data\(\): return Needs\(folder=...\)"),
        ("Broken", ArtifactError, r"val_dataloader failed: FileNotFoundError: no such folder: /data \(real_data.py:\d"),
        ("Nothing", UsageError, "gives no batch: it has none of val_dataloader, test_dataloader"),
        ("Dataa", UsageError, "has no Dataa. Did you mean Data"),
    ],
)
def test_what_gives_no_batch_is_explained_in_a_line(name: str, error: type[LitError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        batches(name)
    assert "\n" not in str(caught.value)


def test_without_an_option_there_are_no_data() -> None:
    assert real_batches(Options(), nn.Identity()) is None
