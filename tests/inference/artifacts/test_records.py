"""What the folder registry writes down comes back as it was, or not at all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lit_infer.artifacts.records import File, Head, Record, digest, encode, read, write
from lit_infer.errors import ArtifactError

texts = st.text(max_size=20)
files = st.builds(File, sha256=st.text("0123456789abcdef", min_size=64, max_size=64), bytes=st.integers(0, 2**40))
trees = st.dictionaries(texts, files, max_size=4)
records = st.builds(
    Record,
    type=texts,
    digest=texts,
    files=trees,
    parents=st.lists(texts, max_size=2).map(tuple),
    metadata=st.dictionaries(texts, texts | st.integers(-(2**53), 2**53) | st.booleans() | st.none(), max_size=3),
    created=texts,
)


@given(value=records | st.builds(Head, aliases=st.dictionaries(texts, texts), next=st.integers(0, 999)))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, value: Record | Head) -> None:
    path = tmp_path_factory.mktemp("records") / "record.json"

    write(path, value)

    assert read(path, type(value)) == value
    assert [entry.name for entry in path.parent.iterdir()] == ["record.json"]


@given(tree=trees, order=st.randoms())
def test_the_digest_depends_on_names_and_contents_and_not_on_their_order(tree: dict[str, File], order: object) -> None:
    shuffled = list(tree.items())
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    assert digest(dict(shuffled)) == digest(tree)
    assert digest({**tree, "one more": File("0" * 64, 0)}) != digest(tree)
    assert digest({f"{name}x": file for name, file in tree.items()}) != digest(tree) or not tree


def test_a_record_is_readable_and_ends_with_a_line() -> None:
    assert encode(Head(aliases={"latest": "v1", "best": "v0"}, next=2)) == (
        '{\n  "aliases": {\n    "best": "v0",\n    "latest": "v1"\n  },\n  "next": 2\n}\n'
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"aliases": {}}', '{"aliases": {}, "next": 1, "extra": 2}', "\xff"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "aliases.json").write_text(text, encoding="latin-1")

    with pytest.raises(ArtifactError, match=r"aliases\.json is damaged: "):
        read(tmp_path / "aliases.json", Head)


def test_a_missing_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"aliases\.json is missing: the registry was changed by hand"):
        read(tmp_path / "aliases.json", Head)
