"""lit_infer.folder.pairs: what two folders of one data set have of each name."""

from pathlib import Path

import pytest

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.pairs import PairWords, paired

WORDS = PairWords("left", "right", "a shoe", "shoes")
SUFFIXES = frozenset({".png", ".jpg"})


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_of_one_name_are_a_pair_whatever_their_suffixes(tmp_path: Path) -> None:
    touch(tmp_path, "left/a/1.png", "left/b/1.jpg", "right/a/1.jpg", "right/b/1.png", "right/c.png", "left/notes.txt")

    found = paired(tmp_path, WORDS, suffixes=SUFFIXES, others=SUFFIXES)

    assert [[path.relative_to(tmp_path).as_posix() for path in pair] for pair in found] == [
        ["left/a/1.png", "right/a/1.jpg"],
        ["left/b/1.jpg", "right/b/1.png"],
    ]


def test_what_is_missing_or_there_twice_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="expected left/ with images and right/ with a shoe of each"):
        paired(tmp_path, WORDS, suffixes=SUFFIXES, others=SUFFIXES)
    touch(tmp_path, "left/1.txt", "right/1.png")
    with pytest.raises(NotFoundError, match="no images below left/"):
        paired(tmp_path, WORDS, suffixes=SUFFIXES, others=SUFFIXES)
    touch(tmp_path, "left/2.png")
    with pytest.raises(UsageError, match=r"left/2\.png has no shoes: expected .*right/2\.png, and it alone"):
        paired(tmp_path, WORDS, suffixes=SUFFIXES, others=SUFFIXES)
    touch(tmp_path, "right/2.png", "right/2.jpg")
    with pytest.raises(UsageError, match="has 2 shoes"):
        paired(tmp_path, WORDS, suffixes=SUFFIXES, others=SUFFIXES)
