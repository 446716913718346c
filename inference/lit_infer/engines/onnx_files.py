"""Which files an ONNX graph refers to, read from its bytes: onnxruntime would open them by any name.

Only the parts of the format that can hold weights are walked, and their bytes are skipped. onnx.proto has the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

_MARK = b"location"  # the key under which weights name their file

# Message: {field: the message it holds}.
_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "weights", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "weights", 6: "graph", 10: "weights", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "weights", 2: "weights"},
    "weights": {13: "entry"},
}


def referred(data: bytes) -> frozenset[str]:
    """The names of the files that hold weights of this graph. Raises ValueError if it is no protobuf."""
    if _MARK not in data:
        return frozenset()
    names, waiting = set(), [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        if kind == "entry":
            names |= _location(message)
            continue
        inside = _FIELDS[kind]
        waiting += [(inside[field], part) for field, part in _parts(message) if field in inside]
    return frozenset(names)


def _location(entry: memoryview) -> set[str]:
    """The value of a key-value pair whose key is `location`."""
    pair = {field: bytes(part) for field, part in _parts(entry)}
    return {pair.get(2, b"").decode()} if pair.get(1) == _MARK else set()


def _parts(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Each field of bytes, as (number, bytes); other fields are skipped."""
    offset = 0
    while offset < len(message):
        tag, offset = _varint(message, offset)
        tag &= 0xFFFF_FFFF  # as protobuf reads it
        match tag & 7:
            case 0:
                _, offset = _varint(message, offset)
            case 1:
                offset += 8
            case 5:
                offset += 4
            case 2:
                size, offset = _varint(message, offset)
                yield tag >> 3, message[offset : offset + size]
                offset += size
            case other:
                raise ValueError(f"wire type {other}")
    if offset > len(message):
        raise ValueError("it ends in the middle of a field")


def _varint(message: memoryview, offset: int) -> tuple[int, int]:
    """A number and the offset after it."""
    value = shift = 0
    while offset < len(message) and shift < 70:
        byte = message[offset]
        offset, value, shift = offset + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, offset
    raise ValueError("a number does not end")
