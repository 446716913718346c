"""lit_infer.folder.file_folder: files of a run that appear together. What holds for masks: test_mask_files."""

from pathlib import Path

import pytest

from lit_infer.errors import UsageError
from lit_infer.folder.file_folder import FileFolder, check


class Words(FileFolder):
    what = "words"


def test_files_are_there_when_all_are_and_each_image_has_its_own(tmp_path: Path) -> None:
    folder = Words(tmp_path / "out", root="in", resume=False)

    names = [folder.written_as(path, path.encode(), ".txt") for path in ("in/a.png", "in/a.jpg", "b", "../c")]

    assert [str(name) for name in names[:3]] == ["a.png.txt", "a.jpg.txt", "b.txt"]
    assert not (tmp_path / "out").exists()
    folder.finish()
    assert {path.read_text() for path in (tmp_path / "out").rglob("*.txt")} == {"in/a.png", "in/a.jpg", "b", "../c"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_nobody_here_has_made_is_not_replaced(tmp_path: Path) -> None:
    Words(tmp_path / "own", root="", resume=False).finish()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    (tmp_path / "file").touch()

    check(tmp_path / "own", "--draw")
    check(tmp_path / "new", "--draw")
    with pytest.raises(UsageError, match=r"mine is not empty, and no run .*: name another with --draw DIR"):
        check(tmp_path / "mine", "--draw")
    with pytest.raises(UsageError, match=r"--draw .*file is no folder"):
        check(tmp_path / "file", "--draw")


def test_what_an_interrupted_run_left_is_kept_for_the_next_one(tmp_path: Path) -> None:
    Words(tmp_path / "out", root="", resume=False).written_as("a", b"1", ".txt")

    again = Words(tmp_path / "out", root="", resume=True)
    assert again.count() > 0
    again.finish()
    assert (tmp_path / "out" / "a.txt").is_file()

    afresh = Words(tmp_path / "out", root="", resume=False)
    assert afresh.count() == 0
    afresh.remove()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
