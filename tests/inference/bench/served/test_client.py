"""What both protocols share."""

import numpy as np
import pytest

from lit_infer.bench.served.address import parse
from lit_infer.bench.served.client import TensorInfo, array_from, datatype_and_blob, refusal
from lit_infer.errors import EngineError, LitError, NotFoundError, OverloadedError, UsageError

BOX = parse("http://box:8000")


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, UsageError, "http://box:8000 refused the request: no"),
        (401, UsageError, "no. Here: --api-key-file FILE, or $LIT_API_KEY"),
        (404, NotFoundError, "http://box:8000: no"),
        (413, UsageError, "refused the request: no"),
        (429, OverloadedError, "no"),
        (500, EngineError, "failed (500): no"),
        (503, OverloadedError, "http://box:8000: no"),
    ],
)
def test_a_status_is_an_error_of_one_line(status: int, kind: type[LitError], says: str) -> None:
    error = refusal(BOX, status, "no\n")

    assert type(error) is kind
    assert says in str(error)
    assert "\n" not in str(error)


def test_what_a_server_says_is_cut_and_cannot_write_to_the_terminal() -> None:
    text = str(refusal(BOX, 500, "\x1b[2J" + "x" * 10_000))

    assert "\x1b" not in text
    assert len(text) < 400


def test_arrays_are_little_endian_and_images_have_their_lengths() -> None:
    assert datatype_and_blob(np.array([[1, 2]], dtype=">i2")) == ("INT16", [1, 2], b"\x01\x00\x02\x00")
    assert datatype_and_blob([b"ab", b""]) == ("BYTES", [2], b"\x02\x00\x00\x00ab\x00\x00\x00\x00")
    with pytest.raises(UsageError, match="complex128"):
        datatype_and_blob(np.ones(1, dtype=complex))


def test_an_answer_whose_bytes_are_not_its_shape_is_an_error() -> None:
    info = TensorInfo("scores", "FP32", (2, 2))

    assert array_from(BOX, info, bytes(16)).shape == (2, 2)
    for blob in (b"", bytes(15), bytes(20)):
        with pytest.raises(EngineError, match="scores does not fit its own shape"):
            array_from(BOX, info, blob)
    with pytest.raises(EngineError, match="BYTES, which lit-bench does not read"):
        array_from(BOX, TensorInfo("scores", "BYTES", (1,)), b"")
