"""lit_export.front.cli_config: what LightningCLI saved is built as LightningCLI built it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import LightningCLI
from torch import nn

from lit_export.front import cli_config, yaml_text
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Listener, listening
from tests.export import ways

# Lightning's advice for training, as `Composed` is given a module
pytestmark = pytest.mark.filterwarnings("ignore:Attribute 'net' is an instance of `nn.Module`")
Train = Callable[[bool], LightningCLI]


def built(folder: Path, section: Any = None, **options: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    path = folder / "config.yaml"
    section = yaml_text.read(path, option="--config")["model"] if section is None else section
    options = {"cls": None, "hparams": {}, "recorded": {}, **options}
    with listening(Listener(note=said.append)):
        return cli_config.built(path, "model", section, **options), said


@pytest.mark.parametrize("subclasses", [True, False])
def test_the_module_is_the_one_that_was_trained(trained: Train, tmp_path: Path, subclasses: bool) -> None:
    cli = trained(subclasses)

    found, said = built(tmp_path, cls=None if subclasses else ways.Composed, recorded={"classes": 5})

    assert type(found) is ways.Composed
    assert isinstance(found.net.act, nn.GELU)
    assert (found.factor, found.net.layer.out_features) == (10.0, 4)
    assert isinstance(found.optimizer(found.parameters()), torch.optim.Adam)
    assert found.classes == cli.model.classes == 5
    assert said == ["not in --config and taken from the checkpoint: classes"]


def test_what_is_given_goes_over_the_file_however_deep(trained: Train, tmp_path: Path) -> None:
    trained(True)

    found, _ = built(tmp_path, hparams={"net.width": 6, "scale": 2.0, "classes": 3})

    assert (found.factor, found.net.layer.out_features) == (4.0, 6)


def test_arguments_alone_need_the_class(trained: Train, tmp_path: Path) -> None:
    trained(False)

    with pytest.raises(UsageError, match=r"model holds only arguments.*--class pkg\.mod:Cls"):
        built(tmp_path)


def test_a_class_of_the_script_that_was_run_is_named_by_its_module(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a class in the script that was run.*--class SCRIPT:Net"):
        built(tmp_path, {"class_path": "__main__.Net", "init_args": {}})
    found, _ = built(tmp_path, {"class_path": "__main__.Net", "init_args": {"width": 2}}, cls=ways.Simple)
    assert found.layer.out_features == 2


def test_a_class_that_hands_its_arguments_on_gets_them(tmp_path: Path) -> None:
    described = {"class_path": "tests.export.ways.Passing", "init_args": {"width": 2, "scale": 3.0}}

    assert built(tmp_path, described)[0].scale == 3.0


def test_a_function_may_build_the_module(tmp_path: Path) -> None:
    found, _ = built(tmp_path, {"class_path": "tests.export.ways.composed", "init_args": {"scale": 2.0}})

    assert found.factor == 2.0


@pytest.mark.parametrize(
    ("section", "error", "says"),
    [
        ({"class_path": "tests.export.ways.Lost"}, UsageError, "tests.export.ways has no Lost"),
        ({"class_path": "nowhere.Net"}, UsageError, "no module 'nowhere' here"),
        ({"class_path": "tests.export.ways.Simple", "init_args": {"wdth": 1}}, ArtifactError, "wdth"),
        ({"class_path": "tests.export.ways.Simple", "init_args": {"width": "wide"}}, ArtifactError, "width"),
        (3, UsageError, "describes no object"),
    ],
)
def test_what_cannot_be_built_is_one_line(tmp_path: Path, section: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        built(tmp_path, section)
    assert str(caught.value).startswith(f"--config {tmp_path / 'config.yaml'}: model")
    assert "\n" not in str(caught.value)
