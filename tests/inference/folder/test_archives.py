import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from lit_infer.errors import InputError
from lit_infer.folder.archives import is_archive, members
from tests.support.archives import SAMPLES, tar, zipped

LIMIT = 1000


def read(data: bytes, name: str) -> dict[str, bytes | str]:
    """Each member's bytes, or the code of its error."""
    found: dict[str, bytes | str] = {}
    for member in members(io.BytesIO(data), name):
        try:
            found[member.name] = member.read(LIMIT)
        except InputError as error:
            found[member.name] = error.code
    return found


def test_a_webdataset_shard_gives_its_images_in_order() -> None:
    assert list(read(tar(*SAMPLES), "shard.tar").items()) == [("0001.jpg", b"one"), ("a/0002.png", b"two")]


@pytest.mark.parametrize(
    ("names", "truths"),
    [
        (["0001.cls", "0001.jpg", "0002.cls", "0002.jpg"], ["0001.cls", "0002.cls"]),
        (["a.b/1.cls", "a.b/1.json", "a.b/1.jpg", "a.b/1.png"], ["a.b/1.cls", "a.b/1.cls"]),
        (["1.cls", "a/1.jpg", "2.jpg", "1.jpg"], [None, None, None]),
        (["1.jpg", "1.cls", "2.txt", "2.jpg"], [None, None]),
    ],
)
def test_the_class_of_a_sample_is_what_stands_before_its_image(names: list[str], truths: list[str | None]) -> None:
    data = tar(*((name, f" {name}\n".encode()) for name in names))

    assert [member.truth for member in members(io.BytesIO(data), "shard.tar")] == truths


def test_a_class_that_is_too_long_is_left_out() -> None:
    data = tar(("1.cls", bytes(5000)), ("1.jpg", b"x"))

    assert [member.truth for member in members(io.BytesIO(data), "shard.tar")] == [None]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_read_too(mode: str) -> None:
    assert len(read(tar(*SAMPLES, mode=mode), "shard.tgz")) == 2


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_gives_its_images_in_order(compression: int) -> None:
    data = zipped(*SAMPLES, compression=compression)

    assert list(read(data, "a.zip").items()) == [("0001.jpg", b"one"), ("a/0002.png", b"two")]


def test_a_member_over_the_limit_is_an_error_of_its_own() -> None:
    entries = (("bomb.png", bytes(10_000_000)), ("fine.png", b"x"))

    assert read(tar(*entries), "a.tar") == {"bomb.png": "too_many_bytes", "fine.png": b"x"}
    assert read(zipped(*entries), "a.zip") == {"bomb.png": "too_many_bytes", "fine.png": b"x"}


def test_a_zip_that_lies_about_a_size_is_read_no_further_than_the_limit() -> None:
    data = bytearray(zipped(("bomb.png", bytes(10_000_000)), ("fine.png", b"x")))
    place = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, place + 24, 10)  # the size of the first entry, in the directory

    found = read(bytes(data), "a.zip")

    assert found["fine.png"] == b"x"
    assert found["bomb.png"] in ("unreadable", "too_many_bytes")


def test_an_encrypted_member_is_an_error_of_its_own() -> None:
    data = bytearray(zipped(("secret.png", b"x"), ("fine.png", b"x")))
    data[data.index(b"PK\x01\x02") + 8] |= 1

    assert read(bytes(data), "a.zip") == {"secret.png": "encrypted", "fine.png": b"x"}


def test_a_damaged_member_is_an_error_of_its_own() -> None:
    data = zipped(("broken.png", b"abcdefgh" * 10), ("fine.png", b"x"), compression=zipfile.ZIP_STORED)

    assert read(data.replace(b"cdefgh", b"CDEFGH", 1), "a.zip") == {"broken.png": "unreadable", "fine.png": b"x"}


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
@pytest.mark.parametrize("kept", [0, 1, 100, 700, 1200])
def test_a_cut_archive_ends_in_an_error_and_not_in_silence(name: str, kept: int) -> None:
    whole = (zipped if name == "a.zip" else tar)(*((f"{n}.png", bytes(400)) for n in range(20)))
    with pytest.raises(InputError) as caught:
        [member.read(LIMIT) for member in members(io.BytesIO(whole[:kept]), name)]

    assert caught.value.code in ("bad_archive", "unreadable")


def test_links_and_devices_in_a_tar_are_no_images() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind in (
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("device.png", tarfile.CHRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)

    assert set(read(buffer.getvalue(), "a.tar").values()) == {"not_a_file"}


def test_a_header_that_would_fill_the_memory_is_refused() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 10**10

    with pytest.raises(InputError, match="header of 10,000,000,000 bytes"):
        read(info.tobuf(tarfile.GNU_FORMAT), "a.tar")


def test_names_that_lead_elsewhere_are_labels() -> None:
    names = ["../../up.png", "/etc/absolute.png", "new\nline.png"]

    assert list(read(tar(*((name, b"x") for name in names)), "a.tar")) == names
    assert list(read(zipped(*((name, b"x") for name in names)), "a.zip")) == names


def test_a_long_tar_holds_one_header_at_a_time() -> None:
    data = tar(*((f"{number}.png", b"") for number in range(3000)))
    seen = [member.read for member in members(io.BytesIO(data), "a.tar")]
    archive = seen[0].__closure__[0].cell_contents  # type: ignore[attr-defined]

    assert len(seen) == 3000
    assert len(archive.members) <= 1


def test_archives_are_known_by_their_name() -> None:
    assert all(map(is_archive, ["a.tar", "B.ZIP", "s-0001.tar.gz", "x.tgz"]))
    assert not any(map(is_archive, ["a.tar.png", "zip", "a.gz", "a.7z"]))


def test_an_archive_in_a_file_on_disk(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(*SAMPLES))
    with (tmp_path / "a.zip").open("rb") as file:
        assert [member.name for member in members(file, "a.zip")] == ["0001.jpg", "a/0002.png"]
