import hashlib
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from lit_infer import files
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.held_file import HeldFile
from tests.support.hostile_files import HOSTILE


@pytest.mark.parametrize(("make", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_blocks_or_never_ends_is_refused_before_a_byte_is_read(
    make: Callable[[Path], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    make(Path("model.onnx"))

    tracemalloc.start()
    with pytest.raises(ArtifactError, match=said):
        files.sha256(Path("model.onnx"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 10**6


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, not a file"):
        HeldFile(tmp_path)


def test_a_file_with_some_holes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    with path.open("wb") as file:
        file.write(b"1" * 2**22)
        file.truncate(2**27)

    with HeldFile(path) as held:
        assert held.sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_read_is_what_was_opened_though_its_name_means_another_file_now(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"checked")
    held = HeldFile(path)

    (tmp_path / "other").write_bytes(b"another")
    (tmp_path / "other").replace(path)

    assert held.read() == b"checked"
    assert bytes(held.mapped()) == b"checked"
    assert held.sha256() == hashlib.sha256(b"checked").hexdigest()
    with held.reader() as reader:
        assert reader.read() == b"checked"


def test_a_file_that_is_written_to_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"checked")
    held = HeldFile(path)
    before = held.stamp()

    path.write_bytes(b"changed in place")

    assert held.stamp() != before


def test_a_limit_is_kept_also_for_a_file_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(b"x" * 10)
    held = HeldFile(path)

    assert held.read(limit=10) == b"x" * 10
    with pytest.raises(ArtifactError, match="has 10 bytes; the limit is 9"):
        held.read(limit=9)
    path.write_bytes(b"x" * 11)
    with pytest.raises(ArtifactError, match="has more than 10 bytes"):
        held.read(limit=10)


def test_an_empty_file_is_empty_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    held = HeldFile(tmp_path / "empty")

    assert (held.read(), held.mapped(), held.size) == (b"", b"", 0)


def test_it_is_closed_when_nobody_holds_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = len(os.listdir("/proc/self/fd"))

    held = HeldFile(tmp_path / "file")
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del held

    assert len(os.listdir("/proc/self/fd")) == before
