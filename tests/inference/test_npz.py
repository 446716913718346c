import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lit_infer import npz
from lit_infer.errors import ArtifactError
from lit_infer.held_file import HeldFile


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(3), b=np.eye(2))

    found = npz.read(HeldFile(tmp_path / "x.npz"), limit=10_000)

    assert found["a"].tolist() == [0, 1, 2]
    assert found["b"].tolist() == [[1, 0], [0, 1]]


def test_what_would_unpack_to_more_than_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(100_000))

    with pytest.raises(ArtifactError, match="would unpack to more than"):
        npz.read(HeldFile(tmp_path / "x.npz"), limit=700_000)


def test_a_directory_of_too_many_entries_is_not_read_to_its_end(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for number in range(1500):
            archive.writestr(str(number), b"")

    with pytest.raises(ArtifactError, match="or 1000 arrays"):
        npz.read(HeldFile(tmp_path / "x.npz"), limit=10_000)


def lying(shape: str) -> bytes:
    """An array whose header says that it is larger than it is."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1,)})
    return file.getvalue().replace(b"(1,)", shape.encode()) + bytes(8)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_npz_is_a_value_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(content)

    with pytest.raises(ValueError, match=r"."):
        npz.read(HeldFile(tmp_path / "x.npz"), limit=10_000)


def test_objects_and_arrays_shorter_than_they_say_are_value_errors(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with zipfile.ZipFile(tmp_path / "lying.npz", "w") as archive:
        archive.writestr("a.npy", lying("(10000000,)"))

    for name in ("objects.npz", "lying.npz"):
        with pytest.raises(ValueError, match=r"."):
            npz.read(HeldFile(tmp_path / name), limit=10_000)
