"""lit_export.front.recorded: what a checkpoint says about itself, whatever stands at its keys."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import ModelCheckpoint

from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.plain_values import Foreign
from lit_export.front.recorded import hparams, record, score, table
from lit_infer.errors import LitError
from lit_infer.manifest import CHECKPOINT_KEY, Score

KEY = "ModelCheckpoint{'monitor': 'val_acc', 'mode': 'max', 'every_n_epochs': 1}"
anything = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=2),
    max_leaves=5,
)


@given(value=anything)
def test_anything_at_a_key_is_a_dict_or_an_empty_one(value: Any) -> None:
    assert table({"a": value}, "a") == (value if isinstance(value, dict) else {})
    assert table(value, "callbacks") == table({"a": value}, "b") or isinstance(value, dict)
    assert all(isinstance(key, str) for key in hparams({"hyper_parameters": value}))


@given(key=st.text(max_size=12) | st.just(KEY), state=anything)
def test_whatever_a_callback_left_is_a_score_or_none(key: str, state: Any) -> None:
    found = score({"callbacks": {key: state, f"ModelCheckpoint{key}": state}, "global_step": 1}, {"x.ckpt", ""})

    assert found is None or isinstance(found, Score)


def test_hyperparameters_are_found_in_older_checkpoints_and_the_newest_key_wins() -> None:
    old = {"hparams": {"a": 1, "b": 1}, "module_arguments": {"b": 2}, "hyper_parameters": {"c": 3, 4: 5}}

    assert hparams(old) == {"a": 1, "b": 2, "c": 3}


STATE = {
    "monitor": "val_acc",
    "best_model_path": "/runs/best.ckpt",
    "best_model_score": 0.9,
    "current_score": 0.75,
    "best_k_models": {"/runs/best.ckpt": 0.9, "C:\\runs\\epoch=3-step=40.ckpt": 0.75},
}


@pytest.mark.parametrize(
    ("names", "step", "value"),
    [
        ({"best.ckpt"}, 20, 0.9),
        ({"epoch=3-step=40.ckpt"}, 40, 0.75),
        ({"model.ckpt"}, 40, 0.75),
        ({"last.ckpt"}, 60, None),
        ({"epoch=3-step=40.ckpt"}, 60, None),
        ({"model.ckpt"}, None, None),
    ],
)
def test_the_score_is_that_of_the_same_file_or_step(names: set[str], step: int | None, value: float | None) -> None:
    found = score({"callbacks": {"EarlyStopping": {}, KEY: STATE}, "global_step": step}, names)

    assert found == (None if value is None else Score(monitor="val_acc", mode="max", value=value))


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (KEY, {**STATE, "monitor": None}),
        (KEY, {"monitor": "val_acc", "current_score": 1.0}),
        (KEY, {"monitor": "val_acc", "best_model_path": "best.ckpt", "best_model_score": "good"}),
        (KEY, {"monitor": "val_acc", "best_model_path": "best.ckpt", "best_model_score": None}),
        (KEY, {"monitor": "val_acc", "best_model_path": ["best.ckpt"], "best_model_score": 1.0, "best_k_models": 3}),
        ("ModelCheckpoint", STATE),
        (Foreign("lightning.pytorch.callbacks.ModelCheckpoint", "name"), STATE),
        ("ModelCheckpoint{'mode': __import__('os')}", STATE),
        ("ModelCheckpoint" + "[" * 2000, STATE),
    ],
)
def test_a_callback_that_does_not_say_what_it_measured_gives_no_score(key: Any, state: dict[Any, Any]) -> None:
    assert score({"callbacks": {key: state}}, {"best.ckpt"}) is None


class Worsening(pl.LightningModule):
    """Its loss is 0.25 in the first epoch and 1.25 in the second."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        return self.layer(batch[0]).sum()

    def validation_step(self, *_: Any) -> None:
        for name in ("val_loss", "val_other"):
            self.log(name, 0.25 + self.current_epoch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01)


@pytest.mark.filterwarnings("ignore")
def test_a_last_checkpoint_does_not_carry_the_score_of_the_best(tmp_path: Path) -> None:
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(2, 1)))
    best = ModelCheckpoint(tmp_path, filename="best", monitor="val_loss")
    stepped = ModelCheckpoint(tmp_path, filename="{epoch}-{step}", monitor="val_other", save_last="link")
    every = ModelCheckpoint(tmp_path / "every", filename="newest", save_last=True)
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=[best, stepped, every],
    )  # fmt: skip
    trainer.fit(Worsening(), data, data)
    trainer.save_checkpoint(tmp_path / "manual.ckpt")
    (tmp_path / "model.ckpt").write_bytes((tmp_path / "epoch=0-step=2.ckpt").read_bytes())

    paths = [*tmp_path.glob("*.ckpt"), *tmp_path.glob("every/*.ckpt")]
    found = {str(path.relative_to(tmp_path)): open_checkpoint(artifact=None, checkpoint=path).score for path in paths}

    assert {name: score.value if score else None for name, score in found.items()} == {
        "best.ckpt": 0.25,
        "epoch=0-step=2.ckpt": 0.25,
        "model.ckpt": 0.25,
        "last.ckpt": 0.25,
        "manual.ckpt": None,
        "every/newest.ckpt": None,
        "every/last.ckpt": None,
    }


def test_facts_are_read_strictly_and_their_absence_is_none() -> None:
    facts = {"deployment": {"task": "image-classification", "class_path": "a.B"}}

    found = record({CHECKPOINT_KEY: facts}, "x.ckpt")

    assert found is not None
    assert found.deployment.class_path == "a.B"
    assert record({}, "x.ckpt") is None
    with pytest.raises(LitError, match=r"x\.ckpt"):
        record({CHECKPOINT_KEY: {"deployment": {"task": "no such task"}}}, "x.ckpt")
