"""lit_export.front.yaml_text: YAML as training configurations have it."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_export.front import yaml_text
from lit_infer.errors import NotFoundError, UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-1e+5", -1e5),
        ("[1e-3, 2]", [0.001, 2]),
        (".5", 0.5),
        ("1.5", 1.5),
        ("1", 1),
        ("08", "08"),
        ("1.5.2", "1.5.2"),
        ("5e", "5e"),
        ("true", True),
        ("2024-01-01", datetime.date(2024, 1, 1)),
    ],
)
def test_numbers_are_numbers_and_text_is_text(text: str, value: Any) -> None:
    found = yaml_text.load(text, option="--hparam")

    assert (found, type(found)) == (value, type(value))


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_every_way_to_write_a_float_is_one(value: float) -> None:
    assert yaml_text.load(repr(value), option="--hparam") == value


@pytest.mark.parametrize("text", ["[1", "!!python/object/apply:os.system ['true']"])
def test_what_is_not_plain_yaml_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1"):
        yaml_text.load(text, option="--hparam")


def test_a_file_is_read_and_a_lost_or_broken_one_is_explained(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("lr: 1e-3")
    (tmp_path / "bad.yaml").write_text("a: [1")

    assert yaml_text.read(tmp_path / "good.yaml", option="--config") == {"lr": 0.001}
    with pytest.raises(NotFoundError, match=r"--config: no file at .*lost\.yaml"):
        yaml_text.read(tmp_path / "lost.yaml", option="--config")
    with pytest.raises(UsageError, match=r"--config .*bad\.yaml cannot be read") as caught:
        yaml_text.read(tmp_path / "bad.yaml", option="--config")
    assert "\n" not in str(caught.value)
