"""lit_export.front.arguments: what classes and factories are given."""

import argparse
from typing import Any

import pytest
from omegaconf import DictConfig
from torch import nn

from lit_export.front.arguments import Given, for_class, for_factory
from lit_export.front.plain_values import Foreign
from lit_export.front.signature import Signature
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.progress import Listener, listening
from tests.export import ways

NET, ADAM = Foreign("their.Net"), Foreign("functools.partial")


class Taking(nn.Module):
    """Takes two arguments, one of which has a default."""

    def __init__(self, width: int, depth: int = 2) -> None: ...


class TakingAll(nn.Module):
    """Takes whatever comes."""

    def __init__(self, **config: Any) -> None: ...


class TakingOne(nn.Module):
    """Takes all in one argument."""

    def __init__(self, everything: Any, depth: int = 2) -> None: ...


class TakingObjects(nn.Module):
    """Takes what is no text."""

    def __init__(self, net: nn.Module, optimizer: Any, act: Any = None, loss: Any = None) -> None: ...


def given_to(cls: type, recorded: dict[str, Any], **options: Any) -> tuple[Given, list[str]]:
    said: list[str] = []
    about = {name: options.pop(name) for name in ("whole", "kind", "weights") if name in options}
    with listening(Listener(note=said.append)):
        return for_class(Signature.of(cls), recorded=recorded, hparams=options, **about), said


def test_what_is_given_goes_before_what_was_recorded() -> None:
    found, said = given_to(Taking, {"width": 1, "depth": 3}, width=8)

    assert (found.arguments, found.missing, said) == ({"width": 8, "depth": 3}, {}, [])


def test_recorded_ones_that_the_class_ignores_are_said_and_given_ones_are_refused() -> None:
    found, said = given_to(Taking, {"width": 1, "lr": 0.1})

    assert found.arguments == {"width": 1}
    assert said == ["hparams the class ignores: lr (Taking takes no such arguments)"]
    with pytest.raises(UsageError, match=r"wdth: Taking takes no such argument\. Did you mean width or depth\?"):
        given_to(Taking, {"width": 1}, wdth=2)


@pytest.mark.parametrize(
    ("recorded", "cure"),
    [
        ({"width": 1, "model": {"depth": 5}}, "--hparam depth=5"),
        ({"width": 1, "config": {"net": {"depth": 5}}}, "--hparam depth=5"),
        ({"width": 1, "init_args": {"depth": "a b"}}, "--hparam depth='a b'"),
        ({"width": 1, "model/depth": 5}, "--hparam depth=5"),
        ({"width": 1, "model.depth": [5]}, "--hparam depth=VALUE"),
        ({"model": {"depth": 5, "width": 2}}, "--hparam width=2 --hparam depth=5"),
    ],
)
def test_an_ignored_value_that_holds_what_the_class_takes_is_refused(recorded: dict[str, Any], cure: str) -> None:
    with pytest.raises(UsageError) as caught:
        given_to(Taking, recorded)
    assert str(caught.value).endswith(cure) or cure in str(caught.value)


def test_what_is_held_twice_is_no_doubt_where_it_was_given() -> None:
    assert given_to(Taking, {"width": 1, "model": {"depth": 5}}, depth=5)[0].arguments == {"width": 1, "depth": 5}
    assert given_to(Taking, {"width": 1, "depth": 3, "model": {"depth": 5}})[0].arguments == {"width": 1, "depth": 3}


def test_a_class_that_takes_everything_gets_everything_but_not_nested_arguments_of_its_parents() -> None:
    assert given_to(TakingAll, {"a": 1}, b=2)[0].arguments == {"a": 1, "b": 2}
    with pytest.raises(UsageError, match="Passing takes no model, but that holds what it takes: scale"):
        given_to(ways.Passing, {"model": {"scale": 5}})


@pytest.mark.parametrize("options", [{"whole": "everything"}, {"whole": "everything", "kind": "argparse.Namespace"}])
def test_hyperparameters_that_were_one_argument_are_one_again(options: dict[str, Any]) -> None:
    found, _ = given_to(TakingOne, {"a": {"b": 1}}, **options, **{"a.b": 2, "everything.c": 3, "depth": 1})

    config = found.arguments.pop("everything")
    assert (config.c, config.a["b"]) == (3, 2)
    assert isinstance(config, argparse.Namespace) or config["a"].b == 2
    assert (found.arguments, found.missing) == ({"depth": 1}, {})


def test_one_configuration_is_of_the_kind_that_is_asked_for() -> None:
    config, _ = given_to(ways.Configured, {"net": {"width": 2}}, kind="omegaconf.dictconfig.DictConfig")

    assert isinstance(config.arguments["cfg"], DictConfig)
    assert given_to(ways.Configured, {"net": {"width": 2}})[0].arguments["cfg"].net.width == 2


def test_an_object_in_one_configuration_matters_only_where_it_is_used() -> None:
    config = given_to(ways.Configured, {"net": {"width": 2, "act": NET}})[0].arguments["cfg"]

    assert config.net.width == 2
    with pytest.raises(ArtifactError, match=r"uses cfg.net.act, an object \(their.Net\)"):
        config.net.act()


def test_parts_are_missing_and_in_the_place_of_other_objects_stands_what_may_not_be_used() -> None:
    found, said = given_to(TakingObjects, {"net": NET, "optimizer": ADAM, "act": Foreign("their.Act")}, weights={"net"})

    assert found.missing == {"net": NET}
    assert found.objects == {"optimizer": ADAM, "act": Foreign("their.Act")}
    assert said == ["objects that are not read, and may not be used: optimizer (functools.partial), act (their.Act)"]
    with pytest.raises(ArtifactError, match=r"uses act, an object \(their.Act\)"):
        found.arguments["act"]()


def test_an_optimizer_that_was_not_recorded_need_not_be_there() -> None:
    found, said = given_to(TakingObjects, {}, net=3)

    assert (found.arguments, found.missing) == ({"net": 3, "optimizer": None}, {})
    assert said == ["for training only, and left out: optimizer"]


def test_a_factory_gets_plain_values_and_nothing_is_said_of_others() -> None:
    found = for_factory(ways.composed, recorded={"scale": 2.0, "net": NET, "lr": 1}, hparams={"width": 3})

    assert found == Given({"scale": 2.0, "width": 3}, {})
    assert for_factory(ways.composed, recorded={"scale": NET}, hparams={}).missing == {"scale": NET}
