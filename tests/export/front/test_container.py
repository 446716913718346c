"""lit_export.front.container: a checkpoint's file, opened as torch.save packs it and in no other way."""

import io
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_export.front import container
from lit_export.front.container import number, open_file
from lit_export.front.plain_values import Instance
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from tests.support.hostile_files import HOSTILE

CONTENTS = {"state_dict": {"w": torch.arange(6.0).reshape(2, 3)}, "epoch": 3}


def saved(value: Any = CONTENTS, *, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


SAVED = {zipped: saved(zipped=zipped) for zipped in (True, False)}


def repacked(*, compression: int = zipfile.ZIP_STORED, comment: bytes = b"", more: str | None = None) -> bytes:
    """The archive, packed by another tool."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SAVED[True])) as before, zipfile.ZipFile(buffer, "w", compression) as after:
        for entry in before.infolist():
            after.writestr(entry.filename, before.read(entry))
        if more is not None:
            after.writestr(more, b"")
        after.comment = comment
    return buffer.getvalue()


def read(data: bytes) -> Any:
    return container.read(io.BytesIO(data), where="x.ckpt").contents


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "older"])
def test_both_forms_of_torch_save_are_read(zipped: bool) -> None:
    found = read(SAVED[zipped])

    assert found["epoch"] == 3
    assert (found["state_dict"]["w"].kind, found["state_dict"]["w"].shape) == ("Float", (2, 3))


@given(zipped=st.booleans(), cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60)
def test_a_truncated_file_is_an_artifact_error_and_never_half_a_checkpoint(zipped: bool, cut: float) -> None:
    data = SAVED[zipped]
    kept = data[: int(cut * len(data))]
    with pytest.raises(ArtifactError, match=r"x\.ckpt"):
        read(kept)


@given(at=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=6), zipped=st.booleans())
@settings(max_examples=150)
def test_a_damaged_file_is_read_or_an_artifact_error(at: float, junk: bytes, zipped: bool) -> None:
    start = int(at * len(SAVED[zipped]))
    data = SAVED[zipped][:start] + junk + SAVED[zipped][start + len(junk) :]
    try:
        found = read(data)
    except ArtifactError:
        return
    assert not isinstance(found, Instance)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (repacked(compression=zipfile.ZIP_DEFLATED), "is compressed or encrypted"),
        (repacked(comment=b"hello"), "an archive with a comment"),
        (repacked(more="elsewhere/file"), "an archive of several folders"),
        (repacked(more="archive/../../up"), "points elsewhere"),
        (b"", "is empty"),
        (pickle.dumps(torch.nn.Linear(2, 2).state_dict()), "was written by pickle, not by torch.save"),
        (pickle.dumps({"a": 1}, protocol=2), "was written by pickle, not by torch.save"),
    ],
)
def test_what_torch_save_does_not_do_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        read(data)


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "older"])
@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        (torch.tensor(0.25), 0.25),
        (torch.tensor([1.5], dtype=torch.float64), 1.5),
        (torch.tensor(3), 3.0),
        (torch.arange(4.0)[2], 2.0),
        (torch.tensor([1.0, 2.0]), None),
    ],
)
def test_a_single_number_is_read_and_no_other_tensor(zipped: bool, tensor: torch.Tensor, value: float | None) -> None:
    file = io.BytesIO(saved({"score": tensor}, zipped=zipped))
    packed = container.read(file, where="x.ckpt")

    assert number(file, packed, packed.contents["score"]) == value
    assert number(file, packed, "0.25") is None


def test_a_missing_file_names_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()

    with pytest.raises(NotFoundError, match=r"no checkpoint at .*lost\.ckpt.*last\.ckpt"):
        open_file(tmp_path / "lost.ckpt", where=str(tmp_path / "lost.ckpt"))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        open_file(tmp_path, where=str(tmp_path))
    with pytest.raises(UsageError, match="/dev/null is not a file"):
        open_file(Path("/dev/null"), where="/dev/null")
    with pytest.raises(UsageError, match="cannot be read"):
        open_file(Path("a\0b"), where="a?b")


def packed(folder: Path, pickled: bytes) -> Path:
    """A checkpoint's archive with this pickle."""
    path = folder / "model.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickled)
        archive.writestr("model/byteorder", b"little")
        archive.writestr("model/version", b"3\n")
    return path


FLOODS = {
    "empty dicts": b"}" * 9_000_000,
    "empty lists": b"]" * 9_000_000,
    "empty tuples": b")" * 9_000_000,
    "marks": b"(" * 9_000_000,
    "nothing": b"N" * 9_000_000,
    "memos of one value": b"N" + b"\x94" * 9_000_000,
    "nested tuples": b"N" + b"\x85" * 9_000_000,
    "empty dicts in a list": b"](" + b"}" * 9_000_000 + b"e",
}


@pytest.mark.parametrize("pickled", FLOODS.values(), ids=FLOODS)
def test_a_pickle_that_is_all_empty_values_is_refused_in_little_memory(
    pickled: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lit_export.front.outline._SHORT", 30_000)  # a sixteenth, for the test's own time
    path = packed(tmp_path, b"\x80\x04" + pickled + b".")

    tracemalloc.start()
    with container.open_file(path, where="model.ckpt") as file, pytest.raises(ArtifactError, match="is refused"):
        container.read(file, where="model.ckpt")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 20e6  # 8 MB of which are read at a time


def test_many_values_with_something_in_them_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lit_export.front.outline._SHORT", 30_000)
    merges = [(f"token{number}", f"ized{number}") for number in range(20_000)]
    pairs = [(number, number + 1) for number in range(8_000)]
    torch.save({"state_dict": {}, "merges": merges, "pairs": pairs}, tmp_path / "a")

    with container.open_file(tmp_path / "a", where="a") as file:
        assert container.read(file, where="a").contents["merges"] == merges


@pytest.mark.parametrize(("make", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_blocks_or_never_ends_is_no_checkpoint(
    make: Callable[[Path], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("model.ckpt"))

    with pytest.raises((ArtifactError, UsageError), match=f"{said}|is not a file"):
        container.open_file(Path("model.ckpt"), where="model.ckpt")
