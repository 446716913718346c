"""lit_infer.artifacts.wandb_files: what is refused before a byte is asked for; test_wandb.py downloads."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lit_infer.artifacts.wandb_files import _place, checked_sizes, within
from lit_infer.errors import ArtifactError, LitError, UsageError


def entry(size: int | None = 3, ref: str | None = None) -> Any:
    return SimpleNamespace(size=size, ref=ref)


def test_files_inside_the_folder_have_their_sizes() -> None:
    assert checked_sizes({"a": entry(1), "b/c..d": entry(2)}, "m") == {"a": 1, "b/c..d": 2}


@pytest.mark.parametrize("name", ["../a", "a/../../b", "..", "/etc/a", "a\\..\\b", "a\0b", "", "."])
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    with pytest.raises(ArtifactError, match="outside its folder"):
        checked_sizes({"a": entry(), name: entry()}, "m")


@pytest.mark.parametrize(("bad", "error"), [(entry(ref="s3://b/k"), UsageError), (entry(size=None), ArtifactError)])
def test_an_entry_that_is_no_plain_file_is_refused(bad: Any, error: type[LitError]) -> None:
    with pytest.raises(error, match="m: a"):
        checked_sizes({"a": bad}, "m")


@pytest.mark.parametrize("second", ["a", "a/b", ".//a"])
def test_two_files_never_get_one_place(tmp_path: Path, second: str) -> None:
    _place(tmp_path, "a", "m").write_text("first")
    with pytest.raises(ArtifactError, match="m: "):
        _place(tmp_path, second, "m")
    assert (tmp_path / "a").read_text() == "first"


def test_a_call_that_hangs_is_given_up() -> None:
    with pytest.raises(ArtifactError, match=r"it did not arrive within 0.05 s"):
        within(0.05, threading.Event().wait, "it")


def test_a_call_gives_its_result_or_its_error() -> None:
    assert within(5, lambda: 3, "it") == 3
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0, "it")
