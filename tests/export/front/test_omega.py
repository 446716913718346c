"""lit_export.front.omega: OmegaConf's containers as they really pickle, read as plain ones."""

import enum
import io
import pickle
from dataclasses import dataclass, field
from typing import Any

import omegaconf

from lit_export.front import outline
from lit_export.front.omega import is_config, root_of, unwrapped
from lit_export.front.plain_values import EnumMember, Instance


class Stage(enum.Enum):
    TRAIN = "train"


@dataclass
class Structured:
    stage: Stage = Stage.TRAIN
    sizes: list[int] = field(default_factory=lambda: [1, 2])


def read(value: Any) -> Any:
    data = pickle.dumps(value, protocol=2)
    return outline.read(io.BytesIO(data), records={}, limit=len(data))


def test_a_configuration_is_a_dict_that_is_read_by_attributes() -> None:
    found = read(omegaconf.OmegaConf.create({"width": 3, "layers": [1, 2.5, None, {"name": "x"}]}))

    assert found == {"width": 3, "layers": [1, 2.5, None, {"name": "x"}]}
    assert found.layers[3].name == "x"


def test_interpolations_are_followed_where_they_lead_somewhere() -> None:
    config = omegaconf.OmegaConf.create(
        {
            "a": 1,
            "model": {
                "width": "${a}",
                "near": "${.width}",
                "name": "net-${a}",
                "env": "${oc.env:HOME}",
                "no": "${x.y}",
            },
            "all": "${model}",
            "list": [5, "${list.0}"],
            "missing": "???",
        }
    )

    found = read(config)

    assert found["model"] == {"width": 1, "near": 1, "name": "net-1", "env": "${oc.env:HOME}", "no": "${x.y}"}
    assert found["all"] is found["model"]
    assert found["list"] == [5, 5]
    assert found["missing"] == "???"


def test_a_part_is_read_with_the_whole_that_its_interpolations_need() -> None:
    config = omegaconf.OmegaConf.create({"width": 7, "model": {"width": "${width}"}})

    assert read({"cfg": config.model})["cfg"] == {"width": 7}


def test_interpolations_in_a_circle_stay_text_and_end() -> None:
    found = read(omegaconf.OmegaConf.create({"a": "${b}", "b": "${a}", "c": "${c}x${c}"}))

    assert set(found) == {"a", "b", "c"}
    assert all(isinstance(value, str) and len(value) < 10_000 for value in found.values())


def test_text_that_doubles_at_each_step_stays_short() -> None:
    config = {"x0": "ab" * 100, **{f"x{i}": f"${{x{i - 1}}}" * 8 for i in range(1, 12)}}

    found = read(omegaconf.OmegaConf.create(config))

    assert max(map(len, found.values())) < 200_000


def test_a_structured_configuration_has_its_values_and_enums_by_name() -> None:
    found = read(omegaconf.OmegaConf.structured(Structured))

    assert found["sizes"] == [1, 2]
    assert found["stage"] == EnumMember(f"{__name__}.Stage", "train")


def test_an_absent_configuration_is_none() -> None:
    assert read({"cfg": omegaconf.DictConfig(None)}) == {"cfg": None}


def test_parents_in_a_circle_have_an_end() -> None:
    config = Instance("omegaconf.dictconfig.DictConfig", state={})
    config.state["_parent"] = config
    config.state["_content"] = config

    assert is_config(root_of(config))
    assert is_config(unwrapped(config))
