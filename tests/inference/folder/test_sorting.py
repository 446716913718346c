import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.errors import UsageError
from lit_infer.folder import run_job
from lit_infer.folder.arguments import parse
from lit_infer.folder.job import Job
from lit_infer.folder.sorting import folder_name, safe_path
from lit_infer.predictor import Predictor
from tests.inference.tiny import colour, save
from tests.support.archives import tar
from tests.support.pictures import png


def sort(predictor: Predictor, target: Path, *arguments: Path, **wanted: Any) -> list[str]:
    """The files that sorting makes."""
    run_job(predictor, parse([str(argument) for argument in arguments]), Job(sort_into=target, **wanted))
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir())


def test_the_same_name_in_two_folders_stays_two_files(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "in/a/cat.png", colour("red"))
    save(tmp_path / "in/b/cat.png", colour("red", 200))
    save(tmp_path / "in/cat.png", colour("blue"))

    assert sort(predictor, tmp_path / "out", tmp_path / "in") == ["blue/cat.png", "red/a/cat.png", "red/b/cat.png"]
    assert (tmp_path / "out/red/b/cat.png").read_bytes() == (tmp_path / "in/b/cat.png").read_bytes()


def test_two_folders_keep_their_names_apart(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "x/cat.png", colour("red"))
    save(tmp_path / "y/cat.png", colour("red"))
    monkeypatch.chdir(tmp_path)

    assert sort(predictor, Path("out"), Path("x"), Path("y")) == ["red/x/cat.png", "red/y/cat.png"]


def test_failed_and_unlabelled_images_have_folders_of_their_own(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "in/weak.png", colour("red", 50))
    (tmp_path / "in/broken.png").write_bytes(b"x")

    assert sort(predictor, tmp_path / "out", tmp_path / "in", threshold=0.9) == [
        "_failed/broken.png",
        "_unknown/weak.png",
    ]


def test_hard_links_are_made_where_asked_for_and_copies_otherwise(predictor: Predictor, tmp_path: Path) -> None:
    image = save(tmp_path / "in/a.png", colour("red"))

    sort(predictor, tmp_path / "copied", tmp_path / "in")
    sort(predictor, tmp_path / "linked", tmp_path / "in", hard_links=True)

    assert not (tmp_path / "copied/red/a.png").samefile(image)
    assert (tmp_path / "linked/red/a.png").samefile(image)


def test_a_hard_link_to_another_disk_is_refused_and_no_copy(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "in/a.png", colour("red"))

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(UsageError, match="leave --hard-links out"):
        sort(predictor, tmp_path / "out", tmp_path / "in", hard_links=True)


def test_hostile_names_in_an_archive_stay_inside(predictor: Predictor, tmp_path: Path) -> None:
    names = [
        "../../up.png",
        "/etc/absolute.png",
        "a/../../../b.png",
        "x.png",
        "x.png/y.png",
        "n" * 300 + ".png",
    ]
    (tmp_path / "a.tar").write_bytes(tar(*((name, png("red")) for name in names)))

    found = sort(predictor, tmp_path / "deep/er/out", tmp_path / "a.tar")

    assert len(found) == len(names)
    assert all(name.startswith("red/") for name in found)
    assert sorted(os.listdir(tmp_path)) == ["a.tar", "deep"]


def test_a_folder_with_something_in_it_or_below_the_input_is_refused(predictor: Predictor, tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", colour("red"))

    with pytest.raises(UsageError, match="is not an empty folder"):
        sort(predictor, tmp_path, tmp_path / "in/a.png")
    with pytest.raises(UsageError, match="which is searched"):
        sort(predictor, tmp_path / "in/sorted", tmp_path / "in")


@given(st.lists(st.text(alphabet="ab./\\%\0_-", max_size=8), unique=True, min_size=2))
def test_no_two_paths_and_no_two_labels_meet(texts: list[str]) -> None:
    paths = [safe_path(text) for text in texts]
    labels = [folder_name({"error": None, "label": text}, by="label") for text in [*texts, "_failed", "_unknown"]]

    assert len(set(paths)) == len(paths)
    assert len(set(labels)) == len({*texts, "_failed", "_unknown"})
    for path in paths:
        assert not path.is_absolute()
        assert ".." not in path.parts
    assert not any("/" in label or label in ("", ".", "..", "_failed", "_unknown") for label in labels)


def test_ordinary_labels_and_paths_are_kept() -> None:
    assert str(safe_path("a b/ü.png")) == "a b/ü.png"
    assert folder_name({"error": None, "label": "tench, Tinca tinca"}, by="label") == "tench, Tinca tinca"
    assert folder_name({"error": None, "label": "AC/DC"}, by="label") == "AC%2FDC"
