"""lit_export.front.archive: the records of an archive, and what torch.save does not do."""

import io
import struct
import zipfile
import zlib

import pytest
import torch

from lit_export.front.archive import Extent, records
from lit_export.front.plain_values import NotPlainError


def saved(**options: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"w": torch.arange(6.0)}, buffer, **options)
    return buffer.getvalue()


def read(data: bytes) -> dict[str, Extent]:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file) as opened:
        return dict(records(file, opened, len(data)))


def test_each_record_is_where_its_bytes_are() -> None:
    data = saved()

    found = read(data)["data/0"]

    assert data[found.start : found.start + found.size] == torch.arange(6.0).numpy().tobytes()
    assert found.crc == zlib.crc32(torch.arange(6.0).numpy().tobytes())


def test_an_archive_written_without_checksums_has_none() -> None:
    torch.serialization.set_crc32_options(False)
    try:
        data = saved()
    finally:
        torch.serialization.set_crc32_options(True)

    assert {extent.crc for extent in read(data).values()} == {None}


def test_one_checksum_of_zero_is_a_checksum() -> None:
    data = bytearray(saved())
    at = data.index(b"PK\x01\x02")
    data[at + 16 : at + 20] = bytes(4)

    assert 0 in {extent.crc for extent in read(bytes(data)).values()}


def directory(data: bytes, name: bytes) -> int:
    """Where a record's line in the directory begins."""
    return data.rindex(name, data.index(b"PK\x01\x02")) - 46


def test_records_that_share_bytes_are_refused() -> None:
    data = bytearray(saved())
    first, second = directory(data, b"archive/data.pkl"), directory(data, b"archive/data/0")
    data[second + 42 : second + 46] = data[first + 42 : first + 46]

    with pytest.raises((NotPlainError, zipfile.BadZipFile), match=r"overlap|not where"):
        read(bytes(data))


@pytest.mark.parametrize("offset", [1, 10_000_000])
def test_a_record_that_is_elsewhere_is_damage(offset: int) -> None:
    data = bytearray(saved())
    at = directory(data, b"archive/data/0")
    data[at + 42 : at + 46] = struct.pack("<I", offset)

    with pytest.raises((zipfile.BadZipFile, struct.error)):
        read(bytes(data))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a/data.pkl", "b/data.pkl"], "several folders"),
        (["a/data.pkl", "a/../x"], "points elsewhere"),
        (["a/data.pkl", "a/b\\c"], "points elsewhere"),
    ],
)
def test_other_names_are_refused(names: list[str], says: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in names:
            packed.writestr(name, b"x" * 10)

    with pytest.raises(NotPlainError, match=says):
        read(buffer.getvalue())
