import inspect
import re
import sys
from pathlib import Path

import pytest

from lit_infer import errors
from lit_infer.errors import InputError, LitError, MissingExtraError, NotFoundError, UsageError, require

TREE = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, LitError)]


@pytest.mark.parametrize("error", [error for error in TREE if error is not LitError], ids=lambda e: e.__name__)
def test_every_error_is_a_lit_error_and_a_builtin_error_with_a_meaning(error: type[LitError]) -> None:
    builtins = [base for base in error.__mro__ if base.__module__ == "builtins"]

    assert issubclass(error, LitError)
    assert set(builtins) - {object, BaseException, Exception}


def test_the_tree_drawn_at_the_top_of_the_file_is_the_tree_in_the_code() -> None:
    drawn = {
        name: (int(code) if code else None, int(status))
        for name, code, status in re.findall(
            r"── (\w+) .*?(?:exit (\d)|counted) +· HTTP (\d+)", inspect.getdoc(errors) or ""
        )
    }

    assert {error.__name__ for error in TREE} == {*drawn, "LitError"}
    for error in TREE:
        if error is not LitError:
            code, status = drawn[error.__name__]
            assert error.status == status
            assert code is None or error.exit_code == code


def test_what_does_not_exist_or_is_not_installed_is_a_usage_error() -> None:
    assert issubclass(NotFoundError, UsageError)
    assert issubclass(MissingExtraError, UsageError)


def test_an_input_error_carries_its_stable_code() -> None:
    error = InputError("the file is empty", code="empty")

    assert (str(error), error.code) == ("the file is empty", "empty")


def test_a_module_that_is_here_is_imported() -> None:
    assert require("msgspec", extra="base", purpose="A test") is sys.modules["msgspec"]


def test_a_missing_module_names_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtraError) as caught:
        require("a_module_nobody_has", extra="cpu", purpose="Running model.onnx")

    assert str(caught.value) == (
        'Running model.onnx needs a_module_nobody_has, which is not installed. Run: pip install "lit-deploy[cpu]"'
    )


def test_a_missing_module_in_a_missing_package_names_the_command_too() -> None:
    with pytest.raises(MissingExtraError, match=re.escape('pip install "lit-deploy[openvino]"')):
        require("a_package_nobody_has.part", extra="openvino", purpose="A test")


def test_a_missing_part_of_a_package_that_others_share_names_the_command_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared_by_many").mkdir()  # a namespace package, as `google` is
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(MissingExtraError, match=re.escape('pip install "lit-deploy[serve]"')):
        require("shared_by_many.protobuf", extra="serve", purpose="A test")


def test_a_module_missing_inside_a_present_package_is_not_taken_for_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "half_installed"
    package.mkdir()
    (package / "__init__.py").write_text("import a_dependency_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError) as caught:
        require("half_installed", extra="cpu", purpose="A test")

    assert not isinstance(caught.value, LitError)
    assert caught.value.name == "a_dependency_nobody_has"
