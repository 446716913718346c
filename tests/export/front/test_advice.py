"""lit_export.front.advice: what will be needed, and the command line to try."""

from pathlib import Path
from typing import Any

import pytest

from lit_export.front.advice import class_path, command, config_near, named_code, needed, objects
from lit_export.front.plain_values import EnumMember, Foreign

NET = Foreign("torch.nn.Sequential", "module")
SOURCE = ("-c", "last.ckpt")
CONFIG = Path(".hydra/config.yaml")


def test_objects_are_found_wherever_they_are_in_a_hyperparameter() -> None:
    hparams = {"width": 3, "net": NET, "deep": [{"stage": EnumMember("a.Stage", "x")}], "none": None}

    assert objects(hparams) == {"net": NET, "deep": EnumMember("a.Stage", "x")}


@pytest.mark.parametrize(
    ("hparams", "named"),
    [
        ({"class_path": "a.b.Net", "init_args": {}}, "a.b.Net"),
        ({"_class_path": "a.Net"}, "a.Net"),
        ({"class_path": "os; rm"}, None),
        ({"class_path": 3}, None),
        ({}, None),
    ],
)
def test_the_class_is_what_the_file_names_as_a_path(hparams: dict[str, Any], named: str | None) -> None:
    assert class_path({}, hparams) == named


def test_code_that_hyperparameters_name_is_listed() -> None:
    hparams = {"class_path": "a.Net", "init_args": {"loss": {"class_path": "a.Loss"}, "net": [{"_target_": "b.c.Net"}]}}

    assert named_code(hparams) == ["a.Loss", "b.c.Net"]


def test_a_configuration_is_found_up_to_three_folders_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = tmp_path / "outputs/run/checkpoints/best.ckpt"
    (tmp_path / "outputs/run/.hydra").mkdir(parents=True)
    assert config_near(checkpoint) is None

    (tmp_path / "outputs/run/config.yaml").touch()
    assert config_near(checkpoint) == Path("outputs/run/config.yaml")

    (tmp_path / "outputs/run/.hydra/config.yaml").touch()
    assert config_near(checkpoint) == Path("outputs/run/.hydra/config.yaml")


@pytest.mark.parametrize(
    ("named", "found", "code", "config", "line"),
    [
        (None, {}, [], None, "lit-export onnx -c last.ckpt --class pkg.mod:Cls"),
        ("a.b.Net", {}, [], None, "lit-export onnx -c last.ckpt --class a.b:Net"),
        ("a.b.Net", {}, ["c.Loss", "c.Net"], None, "lit-export onnx -c last.ckpt --class a.b:Net --trust-package c"),
        ("lit_trainer.modules.Net", {}, [], None, "lit-export onnx -c last.ckpt"),
        ("a.b.Net", {"net": NET}, [], None, "lit-export onnx -c last.ckpt --factory pkg.mod:make"),
        (None, {"net": NET}, [], CONFIG, "lit-export onnx -c last.ckpt --config .hydra/config.yaml"),
        ("a.b.Net", {}, [], CONFIG, "lit-export onnx -c last.ckpt --class a.b:Net"),
    ],
)
def test_the_command_is_as_complete_as_can_be_known(
    named: str | None, found: dict[str, Any], code: list[str], config: Path | None, line: str
) -> None:
    assert command(SOURCE, named, found, code, config=config) == line


def test_a_name_with_a_space_survives_the_shell() -> None:
    assert command(("-c", "my run/last.ckpt"), "a.B", {}, [], config=None).startswith("lit-export onnx -c 'my run/last")


def test_what_is_needed_is_named_with_the_ways_to_give_it() -> None:
    assert needed("a.B", {}, [], config=None) == []
    assert needed(None, {}, [], config=None) == ["its class: --class pkg.mod:Cls"]
    assert needed("a.B", {}, ["c.D"], config=None) == ["trust in what its hparams name (c.D): --trust-package c"]
    lines = "\n".join(needed(None, {"net": NET}, [], config=CONFIG))
    assert "net, <torch.nn.Sequential object>" in lines
    assert "--config .hydra/config.yaml" in lines
    assert "--factory" in lines
