"""lit_export.container: a checkpoint's file, opened as torch.save packs it and in no other way."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_export.container import open_file, read_outline, scalar
from lit_export.plain_values import Named, TensorOutline
from lit_infer.errors import ArtifactError, NotFoundError, UsageError

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
    return read_outline(io.BytesIO(data), where="x.ckpt")


@pytest.mark.parametrize("zipped", [True, False], ids=["archive", "older"])
def test_both_forms_of_torch_save_are_read(zipped: bool) -> None:
    found = read(SAVED[zipped])

    assert found["epoch"] == 3
    assert (found["state_dict"]["w"].kind, found["state_dict"]["w"].shape) == ("Float", (2, 3))


@given(zipped=st.booleans(), cut=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=60)
def test_a_truncated_file_is_an_artifact_error_and_never_half_a_checkpoint(zipped: bool, cut: float) -> None:
    data = SAVED[zipped]
    kept = data[: int(cut * len(data))]
    try:
        found = read(kept)
    except ArtifactError:
        return
    assert not zipped  # the older form has its tensors' values at its end, where only torch looks
    assert found["epoch"] == 3


@given(at=st.floats(0, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=6), zipped=st.booleans())
@settings(deadline=None, max_examples=150)
def test_a_damaged_file_is_read_or_an_artifact_error(at: float, junk: bytes, zipped: bool) -> None:
    start = int(at * len(SAVED[zipped]))
    data = SAVED[zipped][:start] + junk + SAVED[zipped][start + len(junk) :]
    try:
        found = read(data)
    except ArtifactError:
        return
    assert isinstance(found, dict | list | tuple | str | int | float | bytes | None | Named | TensorOutline)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (repacked(compression=zipfile.ZIP_DEFLATED), "is compressed or encrypted"),
        (repacked(comment=b"hello"), "an archive with a comment"),
        (repacked(more="elsewhere/file"), "an archive of several folders"),
        (repacked(more="archive/../../up"), "points elsewhere"),
        (b"", "is empty"),
        (pickle.dumps({"a": 1}, protocol=2), "was written by pickle, not by torch.save"),
        (saved({"a": Path("x")}), "holds more than plain data"),
    ],
)
def test_what_torch_save_does_not_do_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(ArtifactError, match=says):
        read(data)


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        (torch.tensor(0.25), 0.25),
        (torch.tensor([1.5], dtype=torch.float64), 1.5),
        (torch.tensor(3), None),
        (torch.tensor([1.0, 2.0]), None),
    ],
)
def test_a_single_number_is_read_and_no_other_tensor(tensor: torch.Tensor, value: float | None) -> None:
    data = saved({"score": tensor})

    assert scalar(io.BytesIO(data), read(data)["score"]) == value
    assert scalar(io.BytesIO(data), "0.25") is None


def test_the_older_form_has_no_record_to_read_a_number_from() -> None:
    data = saved({"score": torch.tensor(0.25)}, zipped=False)
    found = read(data)["score"]

    assert isinstance(found, TensorOutline)
    assert scalar(io.BytesIO(data), found) is None


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
