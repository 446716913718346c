"""lit_infer.artifacts.cache: whole entries, checked at every use."""

import os
import shutil
import time
from pathlib import Path

import pytest

from lit_infer.artifacts import cache
from lit_infer.errors import ArtifactError

DIGEST = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def added(text: str = "weights") -> Path:
    with cache.staging() as staged:
        (staged / "files/sub").mkdir()
        (staged / "files/model.ckpt").write_text(text)
        (staged / "files/sub/notes.txt").write_text("notes")
        return cache.add(staged, DIGEST)


def test_what_was_kept_is_found(root: Path) -> None:
    assert cache.lookup(DIGEST) is None
    folder = added()
    assert cache.lookup(DIGEST) == folder == root / DIGEST / "files"
    assert (folder / "sub/notes.txt").read_text() == "notes"
    assert [entry.name for entry in root.iterdir()] == [DIGEST]


def test_a_second_process_keeps_what_the_first_has_made() -> None:
    inode = (added() / "model.ckpt").stat().st_ino
    assert (added() / "model.ckpt").stat().st_ino == inode


def change(path: Path) -> None:
    path.chmod(0o644)
    path.write_text("WEIGHTS")


def add(path: Path) -> None:
    (path.parent / "more").write_text("")


def replace_by_link(path: Path) -> None:
    path.rename(path.parents[2] / "elsewhere")
    path.symlink_to(path.parents[2] / "elsewhere")


def damage_record(path: Path) -> None:
    (path.parents[1] / "record.json").write_text("{")


@pytest.mark.parametrize("damage", [change, Path.unlink, add, replace_by_link, damage_record])
def test_an_entry_that_was_changed_is_removed_and_made_anew(root: Path, damage: object) -> None:
    damage(added() / "model.ckpt")  # type: ignore[operator]
    assert cache.lookup(DIGEST) is None
    assert not (root / DIGEST).exists()
    assert (added() / "model.ckpt").read_text() == "weights"


def test_a_link_to_files_elsewhere_is_no_entry(root: Path, tmp_path: Path) -> None:
    added()
    for linked in (root / DIGEST, root / DIGEST / "files"):
        linked.rename(tmp_path / "elsewhere")
        linked.symlink_to(tmp_path / "elsewhere")
        assert cache.lookup(DIGEST) is None
        assert not (root / DIGEST).is_symlink()
        shutil.rmtree(tmp_path / "elsewhere")
        added()


def test_an_entry_that_anybody_may_write_is_not_trusted(root: Path) -> None:
    added()
    (root / DIGEST).chmod(0o777)
    with pytest.raises(ArtifactError, match=r"is writable by every user, so its files are not trusted\. Set LIT_CACHE"):
        cache.lookup(DIGEST)


def test_an_entry_of_another_user_is_not_trusted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added()
    other = (root / DIGEST).stat().st_uid + 1
    if other == 1:
        os.chown(root / DIGEST, 1, 1)
        other = 2
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(ArtifactError, match="belongs to another user"):
        cache.lookup(DIGEST)


def test_whatever_the_umask_others_cannot_write_an_entry(root: Path) -> None:
    before = os.umask(0)
    try:
        folder = added()
    finally:
        os.umask(before)
    assert [path for path in (root / DIGEST, *folder.rglob("*"), folder) if path.stat().st_mode & 0o022] == []


def test_an_interrupted_download_leaves_no_entry(root: Path) -> None:
    def interrupted() -> None:
        with cache.staging() as staged:
            (staged / "files/model.ckpt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(root.iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_a_day(root: Path) -> None:
    for name, age in ((".staging-old", 25), (".staging-new", 1)):
        (root / name).mkdir(parents=True)
        os.utime(root / name, times=(time.time() - age * 3600,) * 2)
    added()
    assert sorted(path.name for path in root.iterdir()) == [".staging-new", DIGEST]


def test_the_cache_is_the_users_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_root() == tmp_path / "xdg/lit-deploy"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_root() == tmp_path / ".cache/lit-deploy"
