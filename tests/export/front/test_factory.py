"""lit_export.front.factory: a user's function that builds the module."""

from typing import Any

import pytest

from lit_export.front.factory import made
from lit_export.front.plain_values import Foreign
from lit_infer.errors import ArtifactError, UsageError
from tests.export import ways

# Lightning's advice for training, as `Composed` is given a module
pytestmark = pytest.mark.filterwarnings("ignore:Attribute 'net' is an instance of `nn.Module`")
RECORDED = {"scale": 5.0, "width": 7, "net": Foreign("their.Net"), "old": 1}


def of(name: str, recorded: dict[str, Any] = RECORDED, **hparams: Any) -> Any:
    return made(f"tests.export.ways:{name}", recorded=recorded, hparams=hparams)


def test_a_factory_gets_the_recorded_values_that_it_takes() -> None:
    module = of("composed")

    assert (module.factor, module.net.layer.out_features) == (5.0, 7)


def test_what_is_given_goes_over_what_was_recorded() -> None:
    assert of("composed", width=2).net.layer.out_features == 2


def test_a_factory_that_takes_everything_gets_all_that_is_plain() -> None:
    assert of("of_all").factor == 5.0


def test_a_factory_of_one_configuration_gets_all_as_one_object() -> None:
    recorded = {"scale": 3.0, "net": {"width": 2}}

    assert of("of_config", recorded).net.layer.out_features == 2
    assert of("of_config", recorded, **{"net.width": 6}).net.layer.out_features == 6
    assert of("of_namespace").factor == 5.0


def test_a_class_is_a_factory_too() -> None:
    assert isinstance(of("Simple"), ways.Simple)


@pytest.mark.parametrize(
    ("name", "recorded", "hparams", "says"),
    [
        ("composed", {}, {}, r"needs scale, which no plain hyperparameter gives. Add: --hparam scale=VALUE"),
        ("composed", {"scale": Foreign("a.B")}, {}, r"needs scale \(a.B\)"),
        ("composed", RECORDED, {"wdth": 1}, "--hparam wdth: composed takes no such argument. Did you mean width"),
        ("nothing", {"module": 1}, {}, "returned a NoneType, not a torch.nn.Module"),
        ("not_callable", {}, {}, "is a int, not a function"),
    ],
)
def test_what_does_not_give_a_module_is_explained(name: str, recorded: Any, hparams: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        of(name, recorded, **hparams)


def test_a_factory_whose_code_fails_is_named_with_the_line() -> None:
    with pytest.raises(ArtifactError, match=r"--factory tests.export.ways:of_all failed: KeyError: 'scale' \(ways.py:"):
        of("of_all", {})
