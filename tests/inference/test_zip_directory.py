import io
import zipfile

import pytest

from lit_infer import zip_directory
from tests.support.archives import SAMPLES, zipped

FIELDS = ("filename", "header_offset", "CRC", "file_size", "compress_size", "compress_type", "flag_bits")


def same_as_zipfile(data: bytes) -> bool:
    """Whether what is found is what zipfile itself finds."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = archive.infolist()
    found = list(zip_directory.entries(io.BytesIO(data)))
    return [[getattr(info, field) for field in FIELDS] for info in found] == [
        [getattr(info, field) for field in FIELDS] for info in expected
    ]


def with_comment(data: bytes, comment: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = comment
    return buffer.getvalue()


@pytest.mark.parametrize("before", [b"", b"something before it"])
@pytest.mark.parametrize("comment", [b"", b"a comment", b"x" * 65_535])
def test_the_entries_are_those_that_zipfile_reads(before: bytes, comment: bytes) -> None:
    assert same_as_zipfile(before + with_comment(zipped(*SAMPLES, ("Gr\u00fc\u00dfe.png", b"x" * 5000)), comment))


@pytest.mark.parametrize("before", [b"", b"something before it"])
def test_more_entries_than_16_bits_count_are_read(before: bytes) -> None:
    data = zipped(*((f"{number}.png", b"") for number in range(70_000)), compression=zipfile.ZIP_STORED)

    assert same_as_zipfile(before + data)


def test_an_archive_without_entries_has_none() -> None:
    assert list(zip_directory.entries(io.BytesIO(zipped()))) == []


@pytest.mark.parametrize("field", [12, 16])
def test_a_directory_that_cannot_be_where_it_says_is_refused(field: int) -> None:
    data = bytearray(zipped(*SAMPLES))
    place = len(data) - 22 + field
    data[place : place + 4] = b"\xff\xff\xff\x7f"

    with pytest.raises(zipfile.BadZipFile):
        list(zip_directory.entries(io.BytesIO(bytes(data))))
