"""By fsspec's own file systems: memory:// and file://."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lit_infer.errors import InputError, MissingExtraError, NotFoundError, UsageError
from lit_infer.folder.arguments import parse
from lit_infer.folder.cloud import Remote, listing
from tests.conftest import run_command
from tests.inference.tiny import without
from tests.support.archives import tar, zipped


@pytest.fixture
def bucket() -> Iterator[Any]:
    """A file system in memory with a few files."""
    files = fsspec.filesystem("memory")
    for name in ("a.png", "b/2.jpg", "b/10.jpg", "b/c/3.png", "b.png", ".hidden/x.png", "b/notes.txt"):
        files.pipe(f"/bucket/{name}", name.encode())
    files.pipe("/bucket/shard.tar", tar(("k.jpg", b"1"), ("k.cls", b"0")))
    files.pipe("/bucket/more.zip", zipped(("k.jpg", b"1")))
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def names(*arguments: str) -> list[str]:
    return [item.name for item in parse(arguments)]


@pytest.mark.usefixtures("bucket")
def test_a_folder_at_a_url_is_listed_in_order_without_hidden_files() -> None:
    expected = ["a.png", "b/10.jpg", "b/2.jpg", "b/c/3.png", "b.png"]

    assert [name.partition("bucket/")[2] for name in names("memory://bucket/")] == expected


@pytest.mark.usefixtures("bucket")
def test_a_glob_a_file_and_archives_at_a_url() -> None:
    assert [name.rpartition("bucket/")[2] for name in names("memory://bucket/*/*.jpg", "memory://bucket/a.png")] == [
        "b/10.jpg",
        "b/2.jpg",
        "a.png",
    ]
    assert names("memory://bucket/shard.tar", "memory://bucket/more.zip") == [
        "memory://bucket/shard.tar/k.jpg",
        "memory://bucket/more.zip/k.jpg",
    ]


@pytest.mark.usefixtures("bucket")
def test_a_file_is_read_up_to_the_limit() -> None:
    assert Remote("memory://bucket/a.png").read(100) == b"a.png"
    for url, code in (("memory://bucket/a.png", "too_many_bytes"), ("memory://bucket/nowhere.png", "not_found")):
        with pytest.raises(InputError) as caught:
            Remote(url).read(3)
        assert caught.value.code == code


@pytest.mark.usefixtures("bucket")
def test_a_url_that_names_nothing_is_refused() -> None:
    with pytest.raises(NotFoundError, match="nothing at memory://bucket/nowhere"):
        parse(["memory://bucket/nowhere"])


def test_an_unknown_protocol_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="s3x"):
        parse(["s3x://bucket/a.png"])


def test_a_protocol_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)

    with pytest.raises(MissingExtraError, match=r's3:// needs .* pip install "lit-deploy\[cloud\]"'):
        list(listing("s3://bucket/"))


def test_without_fsspec_the_extra_is_named(tmp_path: Path) -> None:
    done = run_command(["lit-infer", "s3://bucket/a"], tmp_path, **without(tmp_path / "hide", "fsspec"))

    assert done.returncode == 2
    assert 'pip install "lit-deploy[cloud]"' in done.stderr
