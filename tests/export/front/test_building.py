"""lit_export.front.building: the ways to a module. Each way by itself: test_arguments, test_config, test_factory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.cli import LightningCLI

from lit_export.front.building import built, made_alone, one_way
from lit_export.front.checkpoint import open_checkpoint
from lit_export.options import Options
from lit_infer.errors import UsageError
from tests.export import ways

Train = Callable[[bool], LightningCLI]


def of(path: Path, **options: Any) -> Any:
    return built(open_checkpoint(artifact=None, checkpoint=path), Options(**options))


@pytest.mark.parametrize("subclasses", [True, False])
def test_what_lightning_cli_trained_is_built_in_each_way(trained: Train, tmp_path: Path, subclasses: bool) -> None:
    trained(subclasses)
    last, config = tmp_path / "last.ckpt", tmp_path / "config.yaml"
    named = {} if subclasses else {"class_path": "tests.export.ways:Composed"}

    by_config = of(last, config=config, **named)
    by_class = of(last, class_path="tests.export.ways:Composed", trust=("tests",))
    by_factory = of(last, factory="tests.export.ways:composed")

    for module in (by_config, by_class):
        assert (module.factor, module.classes, module.net.layer.out_features) == (10.0, 5, 4)
    assert by_factory.factor == 5.0


def test_the_recorded_class_is_used_where_its_package_is_trusted(trained: Train, tmp_path: Path) -> None:
    trained(True)

    assert isinstance(of(tmp_path / "last.ckpt", trust=("tests",)), ways.Composed)
    with pytest.raises(UsageError, match=r"names tests.export.ways.Composed, a class outside lit_trainer"):
        of(tmp_path / "last.ckpt")


def test_a_checkpoint_without_a_class_says_which_configuration_is_beside_it(hydra_config: Path) -> None:
    with pytest.raises(UsageError, match=r"--class pkg.mod:Cls, or --config .*run/.hydra/config.yaml, which the train"):
        of(hydra_config.parents[1] / "checkpoints/last.ckpt")


def test_random_weights_are_the_same_each_time_and_disturb_nothing() -> None:
    before = torch.random.get_rng_state()

    first, second = (made_alone("tests.export.ways:alone", {}) for _ in range(2))

    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"factory": "a:b", "class_path": "a:B"}, "--factory returns the module by itself: leave --class out"),
        ({"factory": "a:b", "config": Path("c.yaml")}, "--factory returns the module by itself: leave --config out"),
        ({"config": Path("c.yaml"), "use_load_from_checkpoint": True}, "leave --config out"),
        ({"config_key": "net"}, "--config-key net needs --config FILE"),
    ],
)
def test_two_ways_at_once_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        one_way(Options(**options))


class Weighing(ways.Simple):
    """Asks the object that it is given, when it is made."""

    def __init__(self, width: int, weigher: Any = None) -> None:
        super().__init__(width, scale=weigher.scale)


class Keeping(ways.Simple):
    """Keeps the object that it is given."""

    def __init__(self, width: int, weigher: Any = None) -> None:
        super().__init__(width)
        self.weigher = weigher


def test_an_object_that_a_class_only_keeps_stops_nothing_and_one_that_it_uses_is_named(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": {"width": 2, "weigher": ways.Softmaxed}}, tmp_path / "x.ckpt")
    home = "tests.export.front.test_building"

    assert of(tmp_path / "x.ckpt", class_path=f"{home}:Keeping").layer.out_features == 2
    with pytest.raises(UsageError, match=r"Weighing needs weigher \(tests.export.ways.Softmaxed itself\), and "):
        of(tmp_path / "x.ckpt", class_path=f"{home}:Weighing")
