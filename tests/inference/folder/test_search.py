import os
from pathlib import Path

import pytest

from lit_infer.folder import search
from lit_infer.folder.search import Search, from_glob
from tests.support.paths import touched


def found(search: Search, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in search.files() if isinstance(path, Path)]


def test_the_order_is_that_of_sorted_paths(tmp_path: Path) -> None:
    touched(tmp_path, "b/2.png", "b/10.jpg", "a.webp", "c/d/e.tiff", "B/1.png", "b.png", "b-c/1.png")

    assert found(Search(tmp_path), tmp_path) == [
        path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.*"))
    ]


def test_hidden_files_other_suffixes_and_linked_folders_are_left_out(tmp_path: Path) -> None:
    touched(tmp_path, "images/.a.png", "images/.b/c.png", "images/d.txt", "images/e.PNG", "elsewhere/f.png")
    (tmp_path / "images/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/link.png").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/loop").symlink_to(tmp_path / "images")
    (tmp_path / "images/file.jpg").symlink_to(tmp_path / "elsewhere/f.png")

    assert found(Search(tmp_path / "images"), tmp_path) == ["images/e.PNG", "images/file.jpg"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.png", ["1.png"]),
        ("*", ["1.png", "a/2.png", "a/b/3.jpg", "c/b/4.png"]),
        ("a/*", ["a/2.png", "a/b/3.jpg"]),
        ("*/*.png", ["a/2.png"]),
        ("*/b", ["a/b/3.jpg", "c/b/4.png"]),
        ("**/*.png", ["1.png", "a/2.png", "c/b/4.png"]),
        ("**/b/*", ["a/b/3.jpg", "c/b/4.png"]),
        ("[ac]/**/?.png", ["a/2.png", "c/b/4.png"]),
        ("**", ["1.png", "a/2.png", "a/b/3.jpg", "c/b/4.png"]),
    ],
)
def test_a_glob_picks_files_and_whole_folders(pattern: str, names: list[str], tmp_path: Path) -> None:
    touched(tmp_path, "1.png", "a/2.png", "a/b/3.jpg", "c/b/4.png", "a/.hidden.png")
    search = from_glob(str(tmp_path / pattern))

    assert search.root.is_relative_to(tmp_path)
    assert found(search, tmp_path) == names
    assert all(search.covers(tmp_path / name) for name in names)


def test_a_search_covers_what_it_finds_and_nothing_else(tmp_path: Path) -> None:
    a = Search(tmp_path / "a")

    assert a.covers(tmp_path / "a/b/c.png")
    for name in ("a", "b/c.png", "a/.b/c.png", "a/b/.c.png", "a/c.txt"):
        assert not a.covers(tmp_path / name)


def test_folders_in_which_nothing_can_match_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched(tmp_path, "a/1.png", "b/2.png")
    listed: list[Path] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(folder) or real(folder))

    list(from_glob(str(tmp_path / "a*/*.png")).files())

    assert listed == [tmp_path, tmp_path / "a"]


def test_the_first_image_is_found_without_listing_the_rest(tmp_path: Path) -> None:
    touched(tmp_path, "a/notes.txt", "b/c/1.png")

    assert Search(tmp_path).first() == tmp_path / "b/c/1.png"
    assert Search(tmp_path / "a").first() is None
    assert isinstance(Search(tmp_path / "gone").first(), FileNotFoundError)
    assert from_glob(str(tmp_path / "**/?.jpg")).first() is None


def test_a_folder_that_cannot_be_listed_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Root may list every folder, so this one goes away between being listed and being entered."""
    touched(tmp_path, "a/1.png", "b/2.png", "c/3.png")
    files = Search(tmp_path).files()
    first = next(files)
    (tmp_path / "b/2.png").unlink()
    (tmp_path / "b").rmdir()
    gone, last = files

    assert (first, last) == (tmp_path / "a/1.png", tmp_path / "c/3.png")
    assert isinstance(gone, OSError)
    assert gone.filename == str(tmp_path / "b") or gone.filename == tmp_path / "b"


@pytest.mark.parametrize("run", [1, 2, 7, 40, 41])
def test_a_folder_of_many_names_is_in_order_too(run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.png" for number in range(38)] + ["ü.png", os.fsdecode(b"\xff.png"), "5/1.png"]
    touched(tmp_path, *names)
    monkeypatch.setattr(search, "_RUN", run)

    assert found(Search(tmp_path), tmp_path) == sorted(names, key=lambda name: name.split("/"))


def test_the_count_is_that_of_the_files(tmp_path: Path) -> None:
    touched(tmp_path, "a/b.png/1.png", "a/x.JPG", "a/.y.png", "a/notes.txt", "c/2.png", "3.png")

    for one in (Search(tmp_path), from_glob(str(tmp_path / "a/**/*.png")), Search(tmp_path / "nowhere")):
        assert one.count() == len(found(one, tmp_path))
