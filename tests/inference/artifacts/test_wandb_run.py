"""Publishing to W&B, before anything is sent. What arrives there, test_wandb looks at."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.artifacts.reference import parse
from lit_infer.artifacts.wandb_run import log_artifact, upload_s
from lit_infer.errors import UsageError

TO = parse("user/proj/model")


@given(size=st.integers(0, 2**40), more=st.integers(1, 2**30))
def test_a_larger_upload_has_more_time_and_none_has_less_than_a_minute(size: int, more: int) -> None:
    assert 60 <= upload_s(size) < upload_s(size + more)


def test_the_time_that_wandb_is_given_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "5")

    assert upload_s(0) == 5
    assert upload_s(2**20) == 9


def test_a_folder_without_files_is_refused_before_wandb_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle/sub").mkdir(parents=True)
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it would be another error

    with pytest.raises(UsageError, match="holds no files to publish"):
        log_artifact(tmp_path / "bundle", TO, type="model", aliases=(), metadata={}, parents=())


def test_a_link_is_refused_before_wandb_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/link").symlink_to("/etc/passwd")
    monkeypatch.setitem(sys.modules, "wandb", None)

    with pytest.raises(UsageError, match="link is not a regular file"):
        log_artifact(tmp_path / "bundle", TO, type="model", aliases=(), metadata={}, parents=())
