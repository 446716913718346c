"""The folder registry's files: what is copied in, what is stored once, what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer import files
from lit_infer.artifacts.contents import take, verify
from lit_infer.errors import ArtifactError, UsageError

names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".bin")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two equal files and another."""
    for name, data in (("a.bin", b"same"), ("sub/b.bin", b"same"), ("c.bin", b"other")):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "source"


@given(tree=st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=5))
@settings(max_examples=30)
def test_whatever_is_taken_verifies_and_is_read_only(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, data in tree.items():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / name).write_bytes(data)

    taken = take(folder / "source", folder / "stage", known=folder / "known")

    verify(folder / "stage/files", taken)
    assert {name: file.bytes for name, file in taken.items()} == {name: len(data) for name, data in tree.items()}
    for name, data in tree.items():
        copied = folder / "stage/files" / name
        assert copied.read_bytes() == data
        assert not copied.stat().st_mode & 0o222
        assert (folder / "source" / name).stat().st_mode & 0o200


def test_equal_files_are_stored_once_and_a_users_file_is_never_linked(source: Path, tmp_path: Path) -> None:
    known = tmp_path / "known"
    taken = take(source, tmp_path / "v0", known=known)
    take(source, tmp_path / "v1", known=known)

    copies = [tmp_path / version / "files" / name for version in ("v0", "v1") for name in ("a.bin", "sub/b.bin")]
    assert len({path.stat().st_ino for path in copies}) == 1
    assert (source / "a.bin").stat().st_nlink == 1
    assert sorted(path.name for path in known.iterdir()) == sorted({file.sha256 for file in taken.values()})


def test_a_known_file_that_somebody_changed_in_place_is_not_linked_again(source: Path, tmp_path: Path) -> None:
    known = tmp_path / "known"
    taken = take(source, tmp_path / "v0", known=known)
    changed = known / taken["a.bin"].sha256
    changed.chmod(0o644)
    changed.write_bytes(b"evil")

    verify(tmp_path / "v1/files", take(source, tmp_path / "v1", known=known))
    assert files.sha256(changed) == changed.name


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_only_regular_files_are_taken(source: Path, tmp_path: Path, kind: str) -> None:
    if kind == "link":
        (source / "odd").symlink_to("a.bin")
    else:
        os.mkfifo(source / "odd")

    with pytest.raises(UsageError, match=r"odd is not a regular file"):
        take(source, tmp_path / "stage", known=tmp_path / "known")


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source/sub").mkdir(parents=True)

    with pytest.raises(UsageError, match="holds no files to publish"):
        take(tmp_path / "source", tmp_path / "stage", known=tmp_path / "known")


def changed(folder: Path) -> None:
    (folder / "c.bin").chmod(0o644)
    (folder / "c.bin").write_bytes(b"OTHER")


def linked(folder: Path) -> None:
    (folder / "c.bin").unlink()
    (folder / "c.bin").symlink_to("a.bin")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed, r"c\.bin was changed since it was published"),
        (linked, r"c\.bin was changed since it was published"),
        (lambda folder: (folder / "c.bin").unlink(), r"added or removed since it was published: c\.bin"),
        (lambda folder: (folder / "sub/new").touch(), r"added or removed since it was published: sub/new"),
        (lambda folder: (folder / "gone").symlink_to("nowhere"), r"added or removed since it was published: gone"),
    ],
)
def test_any_change_is_found(source: Path, tmp_path: Path, change: Callable[[Path], None], message: str) -> None:
    taken = take(source, tmp_path / "stage", known=tmp_path / "known")
    change(tmp_path / "stage/files")

    with pytest.raises(ArtifactError, match=message):
        verify(tmp_path / "stage/files", taken)
