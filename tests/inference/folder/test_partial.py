"""The files that only grow: what is on disk after a commit, and what is left after a cut."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_infer import Prediction
from lit_infer.folder import partial
from lit_infer.folder.loading import LoadedItem
from lit_infer.folder.partial import Entry, Growing, Partial, RowsFile, Stamps
from lit_infer.folder.sources import Item
from tests.support.rows import good


def entry(number: int, path: str | None = None) -> Entry:
    path = path or f"{number}.png"
    loaded = LoadedItem(Item(path, Path(path)), Path(path), stamp=number.to_bytes(8, "little"))
    return Entry(number, good(path), Prediction(path=path), loaded)


def filled(folder: Path, count: int) -> Partial:
    made = Partial(folder, [])
    for number in range(count):
        made.add(entry(number))
    made.commit()
    return made


@given(parts=st.lists(st.binary(max_size=20), max_size=6), cut=st.integers(0, 150))
@settings(max_examples=40)
def test_bytes_are_on_disk_after_a_commit_and_gone_after_a_cut(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cut: int
) -> None:
    file = Growing(tmp_path_factory.mktemp("growing") / "file")
    whole = b"".join(parts)
    for part in parts:
        file.add(part)
    file.commit()
    assert (file.path.read_bytes(), file.size) == (whole, len(whole))

    cut = min(cut, len(whole))
    file.cut(cut)
    file.add(b"more")
    file.commit()
    file.close()
    assert file.path.read_bytes() == whole[:cut] + b"more"


def test_a_row_waits_for_the_commit(tmp_path: Path) -> None:
    rows = RowsFile(tmp_path)
    rows.add(entry(0))
    assert (rows.count(), (tmp_path / "rows.jsonl").read_bytes()) == (0, b"")

    rows.commit()

    assert [row["path"] for row in rows.read()] == ["0.png"]
    rows.close()


@given(count=st.integers(1, 5), lost=st.integers(1, 200), junk=st.binary(max_size=12))
@settings(max_examples=60)
def test_after_a_power_cut_the_whole_rows_before_it_are_kept(
    tmp_path_factory: pytest.TempPathFactory, count: int, lost: int, junk: bytes
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    filled(folder, count).close()
    data = (folder / "rows.jsonl").read_bytes()
    kept = data[: max(0, len(data) - lost)]
    (folder / "rows.jsonl").write_bytes(kept + bytes(len(junk)) + junk.replace(b"\n", b""))

    rows = RowsFile(folder)

    assert rows.count() == kept.count(b"\n")
    rows.keep(rows.count())
    rows.close()
    assert (folder / "rows.jsonl").read_bytes() == kept[: kept.rfind(b"\n") + 1]


@pytest.mark.parametrize("line", [b"[]\n", b'{"label": "red"}\n', b"null\n", b"\xff\n"])
def test_what_is_no_row_ends_the_rows(tmp_path: Path, line: bytes) -> None:
    filled(tmp_path, 2).close()
    data = (tmp_path / "rows.jsonl").read_bytes()
    (tmp_path / "rows.jsonl").write_bytes(data + line + data)

    rows = RowsFile(tmp_path)
    assert rows.count() == 2
    rows.close()


@given(count=st.integers(0, 6), kept=st.integers(0, 6))
@settings(max_examples=30)
def test_stamps_are_eight_bytes_each(tmp_path_factory: pytest.TempPathFactory, count: int, kept: int) -> None:
    stamps = Stamps(tmp_path_factory.mktemp("stamps"))
    for number in range(count):
        stamps.add(entry(number))
    stamps.commit()

    stamps.keep(min(count, kept))

    assert stamps.count() == min(count, kept)
    assert list(stamps.read()) == [number.to_bytes(8, "little") for number in range(min(count, kept))]
    stamps.close()


@pytest.mark.parametrize(("rows", "stamps", "kept"), [(7, 7, 6), (7, 4, 3), (2, 7, 0), (6, 6, 6), (0, 0, 0)])
def test_only_whole_batches_that_every_part_has_are_kept(tmp_path: Path, rows: int, stamps: int, kept: int) -> None:
    made = filled(tmp_path, 7)
    made.rows.keep(rows)
    made.stamps.keep(stamps)

    assert made.keep_batches(3) == kept
    assert [part.count() for part in made.parts] == [kept, kept, kept]
    made.close()


class Told:
    """A part that writes down what it is told, and when."""

    def __init__(self, rows: Path) -> None:
        self.rows, self.sizes = rows, list[int]()

    def count(self) -> int:
        return 0

    def keep(self, rows: int) -> None: ...

    def add(self, entry: Entry) -> None: ...

    def commit(self) -> None:
        self.sizes.append(self.rows.stat().st_size)

    def close(self) -> None: ...


@pytest.mark.parametrize(("seconds", "commits"), [(0.0, 2), (math.inf, 0)])
def test_rows_reach_the_disk_after_all_that_belongs_to_them_and_only_when_it_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, commits: int
) -> None:
    monkeypatch.setattr(partial, "COMMIT_SECONDS", seconds)
    part = Told(tmp_path / "rows.jsonl")
    made = Partial(tmp_path, [part])

    for number in range(2):
        made.add(entry(number))

    assert len(part.sizes) == made.rows.count() == commits
    assert part.sizes == [0, (tmp_path / "rows.jsonl").stat().st_size // 2][:commits]
    made.close()
