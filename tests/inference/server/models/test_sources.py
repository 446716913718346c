from pathlib import Path

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.models.sources import ModelSource, check_name, parse


def test_models_may_be_named_and_those_of_one_name_are_numbered() -> None:
    assert parse(["bundles/a", "x=bundles/b", "x=local/p/c:best", "y=d"]) == (
        ModelSource("bundles/a", None, 1),
        ModelSource("bundles/b", "x", 1),
        ModelSource("local/p/c:best", "x", 2),
        ModelSource("d", "y", 1),
    )


def test_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "lr=0.1").mkdir()

    assert parse([str(tmp_path / "lr=0.1")]) == (ModelSource(str(tmp_path / "lr=0.1")),)
    assert parse(["./lr=0.1"]) == (ModelSource("./lr=0.1"),)


@pytest.mark.parametrize("name", ["", "a/b", "a b", ".hidden", "x" * 200, "é"])
def test_a_name_that_cannot_stand_in_a_url_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be served as"):
        check_name(name)


@pytest.mark.parametrize("name", ["a/b", "my model", "modèle", "名前", "-x", "", "a" * 129, "a%2Fb"])
def test_a_name_that_cannot_be_part_of_a_url_is_said_and_not_taken_for_a_path(proven: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a model cannot be served as"):
        parse([f"{name}={proven}"])


def test_a_missing_path_with_an_equals_sign_stays_a_path() -> None:
    assert parse(["runs/lr=0.1/bundle"])[0].model == "runs/lr=0.1/bundle"


def test_a_name_without_a_model_is_told() -> None:
    with pytest.raises(UsageError, match="write digits=MODEL"):
        parse(["digits="])
