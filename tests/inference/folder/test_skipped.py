import pytest

from lit_infer.folder.skipped import Skipped, is_hidden


def test_files_are_counted_by_suffix_in_any_case_the_most_frequent_first() -> None:
    skipped = Skipped()
    for name in ("a.txt", "b/c.TXT", "README", "x.tar.gz", "archive.d/file"):
        skipped.add(name)

    assert list(skipped.counts().items()) == [(".txt", 2), ("without a suffix", 2), (".gz", 1)]
    skipped.clear()
    assert skipped.counts() == {}


def test_any_number_of_suffixes_takes_little_memory() -> None:
    skipped = Skipped()
    for number in range(10_000):
        skipped.add(f"a.{number}")

    assert len(skipped.counts()) <= 51
    assert sum(skipped.counts().values()) == 10_000


@pytest.mark.parametrize("name", [".a.png", "a/.b/c.png", "__MACOSX/._x.png", "deep/__MACOSX/x.png", "._x.png"])
def test_hidden_parts_and_what_macos_adds_are_hidden(name: str) -> None:
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["a.png", "./a.png", "../a.png", "a.b/c.png", "x/__MACOSX.png", "/a.png"])
def test_other_names_are_not(name: str) -> None:
    assert not is_hidden(name)
