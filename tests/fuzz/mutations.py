"""Bytes near to good ones: a seed with some of its bytes changed, moved, doubled or cut off."""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

_NUMBERS = [b"\0", b"\x7f", b"\xff", b"\xff\xff", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80", bytes(8)]
_MOST = 2**16  # bytes; what is longer is slow, and says nothing new


@st.composite
def near(draw: Callable[[st.SearchStrategy], object], seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, after up to eight edits."""
    data = bytearray(draw(st.sampled_from(seeds)))  # type: ignore[arg-type]
    for _ in range(draw(st.integers(0, 8))):  # type: ignore[call-overload]
        _edit(draw, data, seeds)
    return bytes(data[:_MOST])


def _edit(draw: Callable[[st.SearchStrategy], object], data: bytearray, seeds: Sequence[bytes]) -> None:
    at = int(draw(st.integers(0, max(0, len(data)))))  # type: ignore[call-overload]
    kind = draw(st.sampled_from(["set", "insert", "number", "cut", "remove", "double", "splice", "graft"]))
    length = int(draw(st.integers(1, 64)))  # type: ignore[call-overload]
    match kind:
        case "set":
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])  # type: ignore[list-item]
        case "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))  # type: ignore[call-overload]
        case "number":
            data[at : at + 4] = draw(st.sampled_from(_NUMBERS))  # type: ignore[call-overload]
        case "cut":
            del data[at:]
        case "remove":
            del data[at : at + length]
        case "double":
            data[at:at] = data[at : at + length] * int(draw(st.sampled_from([1, 2, 100])))  # type: ignore[call-overload]
        case "splice":
            other = draw(st.sampled_from(seeds))
            data[at:] = other[at:]  # type: ignore[index]
        case "graft":
            other = bytes(draw(st.sampled_from(seeds)))  # type: ignore[call-overload]
            start = int(draw(st.integers(0, len(other))))  # type: ignore[call-overload]
            data[at:at] = other[start : start + length]
