"""lit_export.front.config: the configuration file of a training, whoever wrote it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch.cli import LightningCLI

from lit_export.front import config
from lit_infer.errors import NotFoundError, UsageError
from tests.export import ways

# Lightning's advice for training, as `Composed` is given a module
pytestmark = pytest.mark.filterwarnings("ignore:Attribute 'net' is an instance of `nn.Module`")
Train = Callable[[bool], LightningCLI]


def written(folder: Path, text: str) -> Path:
    (folder / "config.yaml").write_text(text)
    return folder / "config.yaml"


def test_the_module_and_the_data_of_lightning_s_file(trained: Train, tmp_path: Path) -> None:
    trained(True)

    assert isinstance(config.module_of(tmp_path / "config.yaml"), ways.Composed)
    assert config.data_module_of(tmp_path / "config.yaml", cls=ways.Data).classes == 5
    with pytest.raises(UsageError, match="data holds only arguments"):
        config.data_module_of(tmp_path / "config.yaml")


def test_the_module_and_the_data_of_hydra_s_file(hydra_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT_ROOT", "/project")

    assert isinstance(config.module_of(hydra_config), ways.Composed)
    assert config.data_module_of(hydra_config).folder == "/project/data"
    assert isinstance(config.module_of(hydra_config, key="model.net"), ways.Net)


def test_the_class_may_stand_below_a_subcommand(tmp_path: Path) -> None:
    path = written(tmp_path, "fit: {model: {class_path: tests.export.ways.Simple, init_args: {width: 2}}}")

    assert config.module_of(path).layer.out_features == 2  # type: ignore[union-attr,operator] # of Simple


def test_a_file_without_data_has_no_data_module(tmp_path: Path) -> None:
    assert config.data_module_of(written(tmp_path, "model: {width: 2}")) is None


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("trainer: {}\nnet: {}", None, r"has no model; it has trainer, net. Say where: --config-key KEY"),
        ("model: {a: 1}", "model.net", r"has no model.net"),
        ("model: {class_path: tests.export.ways.Data, init_args: {}}", None, "describes a Data, not a module"),
        ("- 1", None, "expected the configuration of a training"),
    ],
)
def test_a_file_without_the_module_says_what_it_has(tmp_path: Path, text: str, key: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        config.module_of(written(tmp_path, text), key=key)


def test_a_lost_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"--config: no file at .*lost\.yaml"):
        config.module_of(tmp_path / "lost.yaml")


def test_the_configuration_that_training_left_is_found(
    hydra_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = hydra_config.parents[1] / "checkpoints/last.ckpt"

    assert config.beside(checkpoint) == hydra_config
    monkeypatch.chdir(tmp_path)
    assert config.beside(checkpoint) == Path("run/.hydra/config.yaml")
    hydra_config.write_text("seed: 3")
    assert config.beside(checkpoint) is None
