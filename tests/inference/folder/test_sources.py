import io
import os
from pathlib import Path

import pytest

from lit_infer.errors import InputError
from lit_infer.folder.arguments import parse
from lit_infer.folder.sources import Inputs, split_lines
from tests.support.archives import tar, zipped
from tests.support.paths import touched


def names(inputs: Inputs) -> list[str]:
    return [item.name for item in inputs]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(touched(tmp_path, "a/1.png", "a/b/2.jpg", "c/1.png", "notes.txt", "upload"))
    return tmp_path


def test_files_and_folders_in_the_order_of_the_arguments_each_image_once() -> None:
    assert names(parse(["c", "a/b/2.jpg", "a", "./c/1.png", "a/", "upload"])) == [
        "c/1.png",
        "a/b/2.jpg",
        "a/1.png",
        "upload",
    ]


def test_a_glob_and_a_folder_that_overlap_give_each_image_once() -> None:
    assert names(parse(["*/1.png", "."])) == ["a/1.png", "c/1.png", "a/b/2.jpg"]


def test_a_list_is_taken_line_by_line_as_it_stands(here: Path) -> None:
    (here / "list.txt").write_bytes(b"a/1.png\r\n\r\nnowhere.png\r\na/1.png\nfile:///x.png")
    inputs = parse(["@list.txt"])

    assert names(inputs) == ["a/1.png", "nowhere.png", "a/1.png", "file:///x.png"]
    assert inputs.count() == 4


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_paths_are_split_wherever_the_parts_of_a_pipe_end(separator: bytes, size: int) -> None:
    paths = ["a b.png", "ü.png", os.fsdecode(b"\xff.png"), *(["new\nline.png"] if separator == b"\0" else [])]
    data = separator.join(map(os.fsencode, paths)) + separator

    class Pipe(io.BytesIO):
        def read1(self, _: int | None = -1, /) -> bytes:
            return super().read1(size)

    assert list(split_lines(Pipe(data))) == paths


def test_archives_are_opened_by_their_name_and_members_stand_below_it(here: Path) -> None:
    (here / "s.tar").write_bytes(tar(("k.jpg", b"1"), ("k.cls", b"0")))
    (here / "z.ZIP").write_bytes(zipped(("d/k.jpg", b"1")))

    assert names(parse(["s.tar", "z.ZIP"])) == ["s.tar/k.jpg", "z.ZIP/d/k.jpg"]
    assert parse(["z.ZIP"]).count() == 1
    assert parse(["s.tar"]).count() is None


def test_a_damaged_archive_ends_in_an_item_with_the_error(here: Path) -> None:
    (here / "s.tar").write_bytes(tar(("k.jpg", b"1"), ("l.jpg", b"1"))[:1024])
    (here / "z.zip").write_bytes(b"no zip")

    first, last, other = parse(["s.tar", "z.zip"])

    assert (first.name, last.name, other.name) == ("s.tar/k.jpg", "s.tar", "z.zip")
    for item in (last, other):
        assert isinstance(item.content, InputError)
        assert item.content.code == "bad_archive"


def test_the_first_image_is_there_before_the_second_folder_is_listed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    real = os.scandir
    inputs = parse(["."])
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(str(folder)) or real(folder))

    assert next(iter(inputs)).name == "a/1.png"
    assert listed == [".", "a"]


def test_the_root_is_what_a_single_folder_or_archive_puts_before_every_name(here: Path) -> None:
    (here / "s.tar").write_bytes(tar())

    assert parse(["a"]).root() == "a"
    assert parse(["s.tar"]).root() == "s.tar"
    assert parse(["a", "c"]).root() == parse(["a/1.png"]).root() == ""


def test_the_facts_tell_a_changed_list_or_archive(here: Path) -> None:
    (here / "list.txt").write_text("a/1.png")
    before = parse(["@list.txt", "a"]).facts()
    (here / "list.txt").write_text("a/1.png\n")

    assert parse(["@list.txt", "a"]).facts()[0] != before[0]
    assert parse(["@list.txt", "a"]).facts()[1] == before[1]
