import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lit_infer.errors import InputError
from lit_infer.folder import cloud
from lit_infer.folder.cloud import Remote
from lit_infer.folder.loading import load, stamp
from lit_infer.folder.sources import Item


def refuse(_: int) -> bytes:
    raise InputError("too large", code="too_many_bytes")


def test_items_of_all_kinds_keep_their_order_and_their_errors(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"b")
    damaged = InputError("damaged", code="bad_archive")
    items = [
        Item("a", tmp_path / "a.png"),
        Item("b", Remote(f"file://{tmp_path}/b.png")),
        Item("c", lambda limit: b"c" * limit),
        Item("d", refuse),
        Item("e", damaged),
        Item("f", Remote(f"file://{tmp_path}/nowhere.png")),
    ]

    loaded = list(load(iter(items), max_bytes=3))

    assert [one.item.name for one in loaded] == list("abcdef")
    assert [one.image for one in loaded] == [tmp_path / "a.png", b"b", b"ccc", b"", b"", b""]
    assert [one.error and one.error.code for one in loaded] == [
        None,
        None,
        None,
        "too_many_bytes",
        "bad_archive",
        "not_found",
    ]


def test_urls_are_read_several_at_a_time_and_not_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4)
    taken = 0

    def read(remote: Remote, _: int) -> bytes:
        if remote.url < "memory://04":
            together.wait(timeout=60)  # passes only while four are being read at once
        return b"x"

    def items() -> Iterator[Item]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield Item(str(number), Remote(f"memory://{number:02}"))

    monkeypatch.setattr(cloud.Remote, "read", read)
    loaded = load(items(), max_bytes=10)

    assert next(loaded).item.name == "0"
    assert taken < 40
    assert len(list(loaded)) == 99


def test_a_stamp_tells_size_and_date_and_nothing_of_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    item = Item("a", path)
    missing = stamp(item)
    path.write_bytes(b"1")
    first = stamp(item)
    path.write_bytes(b"22")

    assert missing == bytes(8) == stamp(Item("b", Remote("memory://b")))
    assert len({missing, first, stamp(item)}) == 3
