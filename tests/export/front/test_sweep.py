"""lit_export.front.sweep: one pass that hashes, checks and keeps."""

import hashlib
import io
import itertools
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lit_export.front import sweep as swept
from lit_export.front.archive import Extent
from lit_export.front.sweep import sweep
from lit_infer.errors import ArtifactError


def extent(data: bytes, start: int, size: int, *, is_checked: bool = True) -> Extent:
    return Extent(start, size, zlib.crc32(data[start : start + size]) if is_checked else None)


@given(
    data=st.binary(min_size=1, max_size=300), cuts=st.lists(st.integers(0, 300), max_size=8), block=st.integers(1, 64)
)
@settings(max_examples=100)
def test_records_are_kept_and_checked_however_they_lie_in_the_blocks(data: bytes, cuts: list[int], block: int) -> None:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    found = {str(a): extent(data, a, b - a) for a, b in itertools.pairwise(edges)}
    kept = {name: bytearray(one.size) for name, one in list(found.items())[::2]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swept, "_BLOCK", block)

        digest = sweep(io.BytesIO(data), len(data), found, {n: memoryview(b) for n, b in kept.items()}, where="x")

    assert digest == hashlib.sha256(data).hexdigest()
    assert all(buffer == data[found[name].start :][: found[name].size] for name, buffer in kept.items())


@given(at=st.integers(0, 99), block=st.integers(1, 64))
@settings(max_examples=50)
def test_every_flipped_bit_in_a_record_is_seen(at: int, block: int) -> None:
    data = bytes(range(100))
    found = {"data/0": extent(data, 0, 40), "data/1": extent(data, 40, 60)}
    damaged = bytearray(data)
    damaged[at] ^= 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swept, "_BLOCK", block)
        with pytest.raises(ArtifactError, match=f"record data/{int(at >= 40)} does not have the checksum"):
            sweep(io.BytesIO(damaged), 100, found, {}, where="x.ckpt")


def test_a_record_without_a_checksum_is_taken_as_it_is() -> None:
    data = b"0123456789"

    assert sweep(io.BytesIO(data), 10, {"a": extent(b"", 2, 5, is_checked=False)}, {}, where="x")


def test_a_file_that_became_shorter_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(10))

    with (tmp_path / "x").open("rb") as file, pytest.raises(ArtifactError, match="became shorter"):
        sweep(file, 20, {}, {}, where="x")
