"""lit_export.front.own_loading: a class's own load_from_checkpoint."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn

from lit_export.front.checkpoint import Checkpoint
from lit_export.front.own_loading import cure, loaded, mention
from lit_export.options import Options
from lit_infer import files
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Listener, listening
from tests.export import ways

ASKED = Options(use_load_from_checkpoint=True)


def checkpoint(path: Path) -> Checkpoint:
    """As it is opened; these hold objects, which only the class's own loading reads."""
    return Checkpoint(
        path=path,
        where=path.name,
        digest=files.sha256(path) if path.is_file() else "",
        contents={"state_dict": {}},
        reference=None,
        record=None,
        score=None,
        weights="model",
    )


@pytest.fixture
def own(save: Callable[[pl.LightningModule], Path]) -> Path:
    """A checkpoint with an object of which Lightning does not know."""
    path = save(ways.OwnLoading(width=2, scale=3.0))
    contents = torch.load(path, weights_only=True)
    torch.save({**contents, "own": SimpleNamespace(scale=7.0)}, path)
    return path


def call(path: Path, cls: Any = ways.OwnLoading, options: Options = ASKED) -> tuple[Any, list[str]]:
    said: list[str] = []
    with listening(Listener(note=said.append)):
        return loaded(cls, checkpoint(path), options), said


def test_it_is_called_where_that_is_asked_for_and_said_to_run_what_the_file_names(own: Path) -> None:
    module, said = call(own)

    assert (module.scale, module.layer.out_features) == (7.0, 2)
    assert said == [
        "warning: OwnLoading.load_from_checkpoint runs what OwnLoading.ckpt names (--use-load-from-checkpoint)"
    ]
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ


def test_hparams_go_over_the_recorded_ones_and_lightning_s_own_is_called_the_same(own: Path) -> None:
    module, _ = call(own, ways.Simple, Options(use_load_from_checkpoint=True, hparams={"scale": 4.0}))

    assert module.scale == 4.0


def test_a_class_that_cannot_be_made_from_what_is_recorded_may_know_how_itself() -> None:
    assert "OwnLoading.load_from_checkpoint may know how: --use-load-from-checkpoint" in cure(ways.OwnLoading)
    assert cure(ways.Simple) == ". To make the module yourself: --factory pkg.mod:make, a function that returns it"


@pytest.mark.parametrize(("cls", "told"), [(ways.OwnLoading, True), (ways.Simple, False), (ways.Net, False)])
def test_one_that_is_not_called_is_told(cls: type, told: bool) -> None:
    said: list[str] = []
    with listening(Listener(note=said.append)):
        mention(cls, Options())
    assert any("load_from_checkpoint of its own, which was not called" in line for line in said) == told


def test_a_file_that_changes_meanwhile_is_refused(own: Path) -> None:
    class Changing(ways.Simple):
        @classmethod
        def load_from_checkpoint(cls, checkpoint_path: str, **_: Any) -> "Changing":
            Path(checkpoint_path).write_bytes(b"other")
            return cls()

    with pytest.raises(ArtifactError, match="has changed while it was loaded"):
        call(own, Changing)


@pytest.mark.parametrize(
    ("cls", "options", "says"),
    [
        (nn.Linear, ASKED, "Linear has no load_from_checkpoint; it is no LightningModule"),
        (ways.Simple, Options(use_load_from_checkpoint=True, weights="ema"), "leave --weights out"),
        (ways.Simple, Options(use_load_from_checkpoint=True, ignore_keys=("a",)), "leave --ignore-keys out"),
    ],
)
def test_what_it_cannot_do_is_explained(own: Path, cls: type, options: Options, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(own, cls, options)


def test_a_download_is_gone_when_it_is_called(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs a file: download gone\.ckpt first"):
        call(tmp_path / "gone.ckpt")


def test_code_of_the_class_that_fails_is_named_with_the_line(own: Path) -> None:
    torch.save({"state_dict": {}}, own)

    with pytest.raises(ArtifactError, match=r"OwnLoading.load_from_checkpoint failed: .*\(ways.py:\d+\)"):
        call(own)
