"""lit_export.front.hydra_config: what Hydra composed is built by hydra.utils.instantiate."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lit_export.front import hydra_config as hydra
from lit_infer.errors import ArtifactError, MissingExtraError, UsageError
from tests.export import ways

# Lightning's advice for training, as `Composed` is given a module
pytestmark = pytest.mark.filterwarnings("ignore:Attribute 'net' is an instance of `nn.Module`")


def built(path: Path, key: str = "model", cls: type | None = None, **hparams: Any) -> Any:
    return hydra.built(path, key, cls=cls, hparams=hparams)


def written(folder: Path, text: str) -> Path:
    (folder / "config.yaml").write_text(text)
    return folder / "config.yaml"


@pytest.mark.parametrize(
    ("contents", "hydras"),
    [
        ({"model": {"_target_": "a.B"}}, True),
        ({"model": [{"x": "${y}"}]}, True),
        ({"model": {"class_path": "a.B", "init_args": {"x": "$1"}}}, False),
    ],
)
def test_its_configurations_are_known_by_what_they_hold(tmp_path: Path, contents: Any, hydras: bool) -> None:
    assert hydra.is_hydra(tmp_path / "config.yaml", contents) == hydras
    assert hydra.is_hydra(tmp_path / ".hydra/config.yaml", contents)


def test_targets_partials_and_interpolations_become_the_module(hydra_config: Path) -> None:
    found = built(hydra_config)

    assert type(found) is ways.Composed
    assert isinstance(found.net.act, nn.GELU)
    assert (found.factor, found.net.layer.out_features) == (5.0, 4)
    assert isinstance(found.optimizer(found.parameters()), torch.optim.SGD)


def test_what_is_given_goes_over_the_file_and_a_class_over_its_target(hydra_config: Path) -> None:
    assert built(hydra_config, **{"net.width": 6, "scale": 2.0}).net.layer.out_features == 6
    with pytest.raises(ArtifactError, match="unexpected keyword argument"):
        built(hydra_config, cls=ways.Simple)


def test_the_environment_and_the_run_are_known(hydra_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"'PROJECT_ROOT' not found.*\nSet it as in training: PROJECT_ROOT=VALUE "):
        built(hydra_config, "data")
    monkeypatch.setenv("PROJECT_ROOT", "/project")
    assert built(hydra_config, "data").folder == "/project/data"
    assert built(hydra_config, "data", folder="${paths.out}").folder == "/runs/1"


def test_a_resolver_of_the_training_script_is_told_with_the_ways_on(tmp_path: Path) -> None:
    text = "model: {_target_: tests.export.ways.Net, width: '${times:2,3}'}"

    with pytest.raises(UsageError, match=r"interpolation type times.*--hparam NAME=VALUE.*--factory"):
        built(written(tmp_path, text))
    assert built(tmp_path / "config.yaml", width=6).layer.out_features == 6


def test_a_whole_configuration_reaches_a_class_that_takes_one(tmp_path: Path) -> None:
    path = written(tmp_path, "{width: 3, scale: 2.0, net: {width: '${width}'}}")

    assert built(path, ".", cls=ways.Configured).layer.out_features == 3
    assert built(path, ".", cls=ways.Simple).scale == 2.0


def test_a_partial_module_is_called(tmp_path: Path) -> None:
    path = written(tmp_path, "model: {_target_: tests.export.ways.Net, _partial_: true, width: 2}")

    assert built(path).layer.out_features == 2


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("model: {width: '${x}'}", UsageError, "model has no _target_. Name the class: --class pkg.mod:Cls"),
        ("model: '${x}'\nx: 3", UsageError, "describes no object"),
        ("model: {_target_: tests.export.ways.Lost}", UsageError, "tests.export.ways has no Lost"),
        ("model: {_target_: tests.export.ways.Net, wdth: 3}", ArtifactError, "unexpected keyword argument 'wdth'"),
        ("model: {_target_: tests.export.ways.Net, act: {_target_: lost.Act}}", ArtifactError, "lost"),
        ("model: {_target_: tests.export.ways.Net, width: '${lost}'}", UsageError, "'lost' not found"),
    ],
)
def test_what_cannot_be_built_is_one_line(tmp_path: Path, text: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        built(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_without_hydra_the_extra_is_named(hydra_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hydra", None)

    with pytest.raises(MissingExtraError, match=r'pip install "lit-deploy\[hydra\]"'):
        built(hydra_config)
