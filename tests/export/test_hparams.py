"""lit_export.hparams: what a module is made with. With whole checkpoints: test_module."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lit_export.checkpoint import Checkpoint, open_checkpoint
from lit_export.hparams import arguments, is_trusted, parse_hparam
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Listener, listening

simple = st.integers() | st.booleans() | st.none() | st.text(max_size=8) | st.lists(st.integers(), max_size=3)


class Taking(nn.Module):
    """Takes two arguments, one of which has a default."""

    def __init__(self, width: int, depth: int = 2) -> None:
        super().__init__()
        self.size = width, depth


class TakingAll(nn.Module):
    """Takes whatever comes."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.config = config


class TakingOne(nn.Module):
    """Takes all in one argument."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config


def made_with(
    cls: type[nn.Module], folder: Path, recorded: dict[str, Any], *, trust: tuple[str, ...] = (), **given_: Any
) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    with listening(Listener(note=said.append)):
        return arguments(cls, checkpoint(folder, recorded), hparams=given_, trust=trust), said


def checkpoint(folder: Path, recorded: dict[str, Any]) -> Checkpoint:
    name = {"hparams_name": recorded.pop("hparams_name")} if "hparams_name" in recorded else {}
    torch.save({"state_dict": {}, "hyper_parameters": recorded, **name}, folder / "x.ckpt")
    return open_checkpoint(artifact=None, checkpoint=folder / "x.ckpt")


@given(key=st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), value=simple)
def test_an_hparam_is_a_name_and_any_yaml(key: str, value: Any) -> None:
    assert parse_hparam(f"{key}={yaml.safe_dump(value)}") == (key, value)


def test_what_is_given_goes_before_what_was_recorded(tmp_path: Path) -> None:
    assert made_with(Taking, tmp_path, {"width": 1, "depth": 3}, width=8) == ({"width": 8, "depth": 3}, [])


def test_recorded_ones_that_the_class_ignores_are_said_and_given_ones_are_refused(tmp_path: Path) -> None:
    found, said = made_with(Taking, tmp_path, {"width": 1, "lr": 0.1})

    assert found == {"width": 1}
    assert said == ["hparams the class ignores: lr (Taking takes no such arguments)"]
    with pytest.raises(UsageError, match=r"wdth: Taking takes no such argument\. Did you mean width or depth\?"):
        made_with(Taking, tmp_path, {"width": 1}, wdth=2)


def test_a_class_that_takes_everything_gets_everything(tmp_path: Path) -> None:
    assert made_with(TakingAll, tmp_path, {"a": 1}, b=2) == ({"a": 1, "b": 2}, [])


def test_hyperparameters_that_were_one_argument_are_one_again(tmp_path: Path) -> None:
    found, _ = made_with(TakingOne, tmp_path, {"a": 1, "hparams_name": "config"}, a=3, b=2)

    assert dict(found["config"]) == {"a": 3, "b": 2}
    assert found["config"].a == 3


def test_a_missing_argument_is_named_with_the_option_that_gives_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(?s)Taking needs width, and .*--hparam width=VALUE"):
        made_with(Taking, tmp_path, {})


@pytest.mark.parametrize("key", ["class_path", "_target_"])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [{"deep": (value,)}]], ids=["direct", "deep"])
def test_a_value_that_names_code_is_refused_unless_its_package_is_trusted(tmp_path: Path, key: str, wrap: Any) -> None:
    recorded = {"width": wrap({key: "mine.nets.Net"})}

    with pytest.raises(ArtifactError, match=r"width names code to run \(mine\.nets\.Net\).*--trust-package mine"):
        made_with(Taking, tmp_path, dict(recorded))
    assert made_with(Taking, tmp_path, dict(recorded), trust=("mine",))[0] == recorded


def test_only_lightning_s_own_instantiator_is_known(tmp_path: Path) -> None:
    own = {"width": 1, "_instantiator": "lightning.pytorch.cli.instantiate_module", "_class_path": "a.B"}

    assert made_with(Taking, tmp_path, own)[0] == {"width": 1}
    with pytest.raises(ArtifactError, match=r"asks for an instantiator of its own, 'os\.system'"):
        made_with(Taking, tmp_path, {"width": 1, "_instantiator": "os.system"})


@pytest.mark.parametrize(
    ("path", "packages", "trusted"),
    [
        ("mine.nets.Net", ["mine"], True),
        ("mine.nets.Net", ["other", "mine.nets"], True),
        ("mineral.Net", ["mine"], False),
        ("mine", ["mine"], False),
        ("mine.nets.Net", [""], False),
        ("mine.nets.Net", [], False),
    ],
)
def test_a_package_is_trusted_by_its_whole_name(path: str, packages: list[str], trusted: bool) -> None:
    assert is_trusted(path, packages) == trusted


def test_arguments_that_lightning_cli_recorded_beside_the_class_reach_the_class(tmp_path: Path) -> None:
    cli = {"class_path": "their.Net", "_instantiator": "lightning.pytorch.cli.instantiate_module"}

    found, _ = made_with(Taking, tmp_path, {**cli, "init_args": {"width": 5, "depth": 7}})

    assert found == {"width": 5, "depth": 7}
    with pytest.raises(ArtifactError, match="names code to run"):
        made_with(Taking, tmp_path, {**cli, "init_args": {"width": {"class_path": "os.system"}}})


def test_a_class_may_have_arguments_of_these_names(tmp_path: Path) -> None:
    own = {"init_args": {"width": 5}, "size": 3}

    assert made_with(TakingAll, tmp_path, dict(own))[0] == own
