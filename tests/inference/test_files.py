import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer import files
from lit_infer.errors import UsageError


def fail(file: IO[str] | Path, error: BaseException) -> None:
    """Write half of what was meant and fail."""
    if isinstance(file, Path):
        (file / "part").write_text("half")
    else:
        file.write("half")
    raise error


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_text_file_appears_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"

    with files.atomic_text(path) as file:
        file.write("one\n")
        file.flush()
        assert not path.exists()

    assert path.read_bytes() == b"one\n"
    assert os.listdir(tmp_path) == ["rows.jsonl"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_in_the_block_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), files.atomic_text(tmp_path / "rows.jsonl") as file:
        fail(file, error())

    assert os.listdir(tmp_path) == []


def test_an_error_in_the_block_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("old\n")

    with pytest.raises(ValueError, match="stop"), files.atomic_text(path) as file:
        fail(file, ValueError("stop"))

    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["rows.jsonl"]


def test_who_reads_the_old_file_goes_on_reading_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("old\n")

    with path.open() as reader:
        with files.atomic_text(path) as file:
            file.write("new\n")
        assert reader.read() == "old\n"

    assert path.read_text() == "new\n"


@given(texts=st.lists(st.text(), min_size=1, max_size=5))
@settings(max_examples=30)
def test_the_bytes_are_those_that_were_written_whatever_the_line_ends(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("texts") / "text"

    with files.atomic_text(path) as file:
        for text in texts:
            file.write(text)

    assert path.read_bytes() == "".join(texts).encode()


@pytest.mark.usefixtures("open_umask")
@pytest.mark.parametrize("url", ["s3://bucket/out.jsonl", "gs://bucket/a/b", "memory://x"])
def test_a_url_is_refused_and_no_folder_is_made_for_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    for path in (Path(url), Path(url).absolute()):
        with pytest.raises(UsageError, match=rf"{url} is a URL, and results are written to files of this machine"):
            files.check_local(path)
        with pytest.raises(UsageError), files.atomic_text(path):
            pass

    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_name_ends_in_a_colon_is_no_url(tmp_path: Path) -> None:
    (tmp_path / "s3:").mkdir()

    files.check_local(tmp_path / "s3:" / "out.jsonl")


def test_others_may_read_a_new_file_as_the_umask_says(tmp_path: Path) -> None:
    with files.atomic_text(tmp_path / "rows.jsonl") as file:
        file.write("one\n")

    assert stat.S_IMODE((tmp_path / "rows.jsonl").stat().st_mode) == 0o644


def test_missing_folders_above_the_file_are_made(tmp_path: Path) -> None:
    with files.atomic_text(tmp_path / "a/b/rows.jsonl") as file:
        file.write("one\n")

    assert (tmp_path / "a/b/rows.jsonl").read_text() == "one\n"


def test_a_staging_folder_is_hidden_and_goes_away_with_what_is_in_it(tmp_path: Path) -> None:
    with files.staging_folder(tmp_path / "home") as stage:
        (stage / "part").write_text("half")
        assert stage.parent == tmp_path / "home"
        assert stage.name.startswith(".")

    assert os.listdir(tmp_path / "home") == []


def test_a_staging_folder_goes_away_on_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), files.staging_folder(tmp_path) as stage:
        fail(stage, ValueError("stop"))

    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("open_umask")
def test_a_staging_folder_that_was_renamed_away_stays_and_others_may_enter_it(tmp_path: Path) -> None:
    with files.staging_folder(tmp_path) as stage:
        (stage / "whole").write_text("all")
        files.sync_tree(stage)
        stage.rename(tmp_path / "v0")

    assert (tmp_path / "v0/whole").read_text() == "all"
    assert stat.S_IMODE((tmp_path / "v0").stat().st_mode) == 0o755


def test_two_staging_folders_do_not_meet(tmp_path: Path) -> None:
    with files.staging_folder(tmp_path) as one, files.staging_folder(tmp_path) as two:
        assert one != two


@given(data=st.binary(max_size=5000))
@settings(max_examples=30)
def test_the_digest_is_that_of_the_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("digests") / "file"
    path.write_bytes(data)

    assert files.sha256(path) == hashlib.sha256(data).hexdigest()
