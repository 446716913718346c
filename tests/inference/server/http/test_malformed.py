"""Whatever is wrong with a request, it gets its 4xx and the next one is answered."""

import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.inference.tiny import SIDE
from tests.support.server.client import Client
from tests.support.server.process import serving
from tests.support.server.requests import (
    INFER,
    as_json,
    assert_refused,
    binary,
    element,
    image_input,
    png,
    raw_input,
    tensor,
)

ONE = np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)
PIXELS = SIDE * SIDE * 3


def output(**parameters: Any) -> dict[str, Any]:
    return {"outputs": [{"name": "probabilities", "parameters": parameters}]}


GOOD_BODY = json.dumps({"inputs": [tensor()]}).encode()

JSON = {
    "empty": b"",
    "blank": b"  ",
    "a word": b"infer",
    "half": GOOD_BODY[:100],
    "two": GOOD_BODY + GOOD_BODY,
    "no UTF-8": b'{"inputs": "\xff\xfe"}',
    "null": b"null",
    "a list": b"[]",
    "a number": b"17",
    "a string": b'"inputs"',
    "true": b"true",
    "nothing": b"{}",
    "NaN": b'{"inputs": NaN}',
    "deep": b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "inputs null": b'{"inputs": null}',
    "inputs object": b'{"inputs": {}}',
    "inputs string": b'{"inputs": "images"}',
    "inputs of null": b'{"inputs": [null]}',
    "inputs of lists": b'{"inputs": [[]]}',
    "trailing comma": b'{"inputs": [],}',
    "single quotes": b"{'inputs': []}",
    "comment": b'{"inputs": [] /* none */}',
    "no inputs": b'{"inputs": []}',
    "BOM": b"\xef\xbb\xbf" + GOOD_BODY,
    "UTF-16": GOOD_BODY.decode().encode("utf-16"),
    "zero bytes": bytes(100),
    "control character": b'{"inputs": "\x01"}',
    "lone surrogate": b'{"id": "\\ud800", "inputs": []}',
}

FIELDS: dict[str, Any] = {
    **{
        f"name {value!r}": tensor(name=value) for value in ("", "image", "IMAGES", "images ", None, 7, [], "x" * 10_000)
    },
    **{
        f"datatype {value!r}": tensor(datatype=value)
        for value in ("", "uint8", "INT8", "UINT16", "FP32", "FP16", "BOOL", "BYTES", "BF16", None, 8, ["UINT8"])
    },
    **{
        f"shape {value!r}": tensor(shape=value)
        for value in (
            [],
            [1],
            [1, 8, 8],
            [8, 8, 3],
            [1, 8, 8, 3, 1],
            [1, 8, 8, 1],
            [1, 3, 8, 8],
            [1, 8, 9, 3],
            [2, 8, 8, 3],
            [0, 8, 8, 3],
            [-1, 8, 8, 3],
            [-1, -8, 8, 3],
            [1, 8, 8, -3],
            [2**31, 8, 8, 3],
            [2**62, 8, 8, 3],
            [10**30, 8, 8, 3],
            [1.5, 8, 8, 3],
            ["1", 8, 8, 3],
            [None, 8, 8, 3],
            [True, 8, 8, 3],
            [[1], 8, 8, 3],
            [1] * 1000,
            "1,8,8,3",
            192,
            None,
            {},
        )
    },
    **{
        f"data {name}": tensor(data=value)
        for name, value in {
            "none": None,
            "empty": [],
            "short": [0] * (PIXELS - 1),
            "long": [0] * (PIXELS + 1),
            "too large": [256] + [0] * (PIXELS - 1),
            "negative": [-1] + [0] * (PIXELS - 1),
            "huge": [10**40] + [0] * (PIXELS - 1),
            "float": [0.5] + [0] * (PIXELS - 1),
            "string": ["0"] + ["0"] * (PIXELS - 1),
            "boolean": [True] + [0] * (PIXELS - 1),
            "null inside": [None] + [0] * (PIXELS - 1),
            "object inside": [{}] + [0] * (PIXELS - 1),
            "an object": {},
            "a string": "AAAA",
            "a number": 0,
            "half nested": [[0] * PIXELS],
            "too deep": [ONE.tolist()],
            "ragged": [[*ONE[0, :7].tolist(), ONE[0, 0, :7].tolist()]],
            "transposed": ONE.transpose(0, 3, 1, 2).tolist(),
            "mixed": [0, [0]] + [0] * (PIXELS - 2),
        }.items()
    },
    **{
        f"parameters {value!r}": tensor(parameters=value)
        for value in (
            [],
            "none",
            7,
            None,
            {"binary_data_size": 192},
            {"binary_data_size": -1},
            {"binary_data_size": "192"},
            {"binary_data_size": 1.5},
            {"binary_data_size": True},
            {"binary_data_size": 0},
        )
    },
}
WITHOUT = {
    f"no {key}": {k: v for k, v in tensor().items() if k != key} for key in ("name", "datatype", "shape", "data")
}

WHOLE: dict[str, dict[str, Any]] = {
    "twice the input": as_json(tensor(), tensor()),
    "another input": as_json(tensor(), tensor(name="more")),
    "id a number": as_json(tensor(), id=7),
    "id null": as_json(tensor(), id=None),
    "parameters a list": as_json(tensor(), parameters=[]),
    "outputs an object": as_json(tensor(), outputs={}),
    "output a string": as_json(tensor(), outputs=["probabilities"]),
    "output unknown": as_json(tensor(), outputs=[{"name": "logits"}]),
    "output without a name": as_json(tensor(), outputs=[{}]),
    "output twice": as_json(tensor(), outputs=[{"name": "probabilities"}, {"name": "probabilities"}]),
    "binary_data a word": as_json(tensor(), **output(binary_data="yes")),
    "binary_data a number": as_json(tensor(), **output(binary_data=1)),
    "classification negative": as_json(tensor(), **output(classification=-1)),
    "classification a word": as_json(tensor(), **output(classification="2")),
    "classification true": as_json(tensor(), **output(classification=True)),
    "classification a fraction": as_json(tensor(), **output(classification=1.5)),
    "binary_data_output a word": as_json(tensor(), parameters={"binary_data_output": "true"}),
    "timeout negative": as_json(tensor(), parameters={"timeout": -1}),
    "timeout a word": as_json(tensor(), parameters={"timeout": "1s"}),
    "timeout a fraction": as_json(tensor(), parameters={"timeout": 0.5}),
    "timeout true": as_json(tensor(), parameters={"timeout": True}),
    "priority negative": as_json(tensor(), parameters={"priority": -1}),
    "priority a word": as_json(tensor(), parameters={"priority": "high"}),
    "base64 broken": as_json(tensor(datatype="BYTES", shape=[1], data=["!!"])),
    "base64 of nothing": as_json(tensor(datatype="BYTES", shape=[1], data=[""])),
    "base64 of no image": as_json(tensor(datatype="BYTES", shape=[1], data=["AAAA"])),
    "images: two for one": as_json(tensor(datatype="BYTES", shape=[1], data=["AAAA", "AAAA"])),
    "images: a number": as_json(tensor(datatype="BYTES", shape=[1], data=[7])),
    "images: too many sides": as_json(tensor(datatype="BYTES", shape=[1, 1, 1], data=["AAAA"])),
    "images: no side": as_json(tensor(datatype="BYTES", shape=[], data=["AAAA"])),
}

TENSOR_BLOB = bytes(PIXELS)
BINARY: dict[str, dict[str, Any]] = {
    "too short": binary({"inputs": [raw_input(ONE)]}, TENSOR_BLOB[:-1]),
    "too long": binary({"inputs": [raw_input(ONE)]}, TENSOR_BLOB, b"\0"),
    "nothing follows": binary({"inputs": [raw_input(ONE)]}),
    "size of another shape": binary({"inputs": [raw_input(ONE, shape=[2, 8, 8, 3])]}, TENSOR_BLOB),
    "size said wrong": binary({"inputs": [raw_input(ONE, parameters={"binary_data_size": 10})]}, TENSOR_BLOB),
    "data and size": binary({"inputs": [raw_input(ONE, data=[0])]}, TENSOR_BLOB),
    "bytes after JSON data": binary({"inputs": [tensor()]}, TENSOR_BLOB),
    "image cut in its length": image_input(b"\x01\0", [1]),
    "image cut": image_input(element(png())[:-1], [1]),
    "image longer than all": image_input(struct.pack("<I", 2**32 - 1) + png(), [1]),
    "one image for two": image_input(element(png()), [2]),
    "two images for one": image_input(element(png()) * 2, [1]),
    "no image": image_input(b"", [1]),
    "no image for none": image_input(b"", [0]),
    "images, negative": image_input(element(png()), [-1]),
    "images, in a matrix": image_input(element(png()), [1, 2]),
    "an empty image": image_input(element(b""), [1]),
    "no image at all": image_input(element(b"text"), [1]),
    "half an image": image_input(element(png()[:40]), [1]),
    "the second is bad": image_input(element(png()) + element(b"text"), [2]),
    "five million empty ones": image_input(bytes(4 * 2**20), [2**20]),
}
LENGTHS = {
    f"header length {value!r}": {"content": GOOD_BODY, "headers": {"Inference-Header-Content-Length": value}}
    for value in (
        "",
        "0",
        "-1",
        "+5",
        "1.5",
        "ten",
        "10",
        "99999999",
        "9" * 400,
        str(len(GOOD_BODY) + 1),
        "0x10",
        "1 2",
    )
}
ENCODINGS = {
    f"{encoding} {name}": {"content": content, "headers": {"Content-Encoding": encoding}}
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress))
    for name, content in {
        "not packed": GOOD_BODY,
        "empty": b"",
        "cut": pack(GOOD_BODY)[:-6],
        "damaged": pack(GOOD_BODY)[:40] + b"\xff\xff" + pack(GOOD_BODY)[42:],
        "twice": pack(GOOD_BODY) * 2,
        "rubbish after": pack(GOOD_BODY) + b"x",
        "of no JSON": pack(b"text"),
    }.items()
}
ENCODINGS |= {
    f"encoding {name!r}": {"content": GOOD_BODY, "headers": {"Content-Encoding": name}}
    for name in ("br", "zstd", "gzip, gzip")
}

CASES: dict[str, dict[str, Any]] = {
    **{f"JSON: {name}": {"content": content} for name, content in JSON.items()},
    **{f"field: {name}": as_json(value) for name, value in (FIELDS | WITHOUT).items()},
    **{f"request: {name}": value for name, value in WHOLE.items()},
    **{f"binary: {name}": value for name, value in BINARY.items()},
    **LENGTHS,
    **ENCODINGS,
}


def assert_answered(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert int(np.argmax(answer.json()["outputs"][0]["data"])) == 2


def test_there_are_at_least_150_of_them() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_request_is_refused_and_its_neighbour_answered(client: Client, name: str) -> None:
    refused, answered = client.posts(INFER, CASES[name], as_json(tensor()))

    assert_refused(refused)
    assert_answered(answered)


def test_over_one_connection_each_is_refused_and_the_next_one_answered(proven: Path) -> None:
    ports = set()
    with serving(proven) as server, httpx.Client(base_url=server.url, timeout=20) as client:
        for malformed in CASES.values():
            assert_refused(client.post(INFER, **malformed))
            answer = client.post(INFER, **as_json(tensor()))
            assert_answered(answer)
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))

    assert len(ports) == 1


@pytest.mark.parametrize("parameter", ["shared_memory_region", "shared_memory_byte_size"])
def test_what_is_not_here_is_501(client: Client, parameter: str) -> None:
    assert_refused(client.post(INFER, **as_json(tensor(parameters={parameter: "region"}))), 501)
    assert_refused(client.post(INFER, **as_json(tensor(), **output(**{parameter: "region"}))), 501)
    assert_refused(client.post(INFER, **as_json(tensor(), parameters={"sequence_id": 7})), 501)


def test_too_large_is_413_before_and_after_decompression(client: Client) -> None:
    large = bytes(16 * 2**20 + 1)

    assert_refused(client.post(INFER, content=large), 413)
    assert_refused(client.post(INFER, content=iter_async(large)), 413)
    assert_refused(client.post(INFER, content=gzip.compress(large), headers={"Content-Encoding": "gzip"}), 413)
    assert_refused(client.post(INFER, content=zlib.compress(large), headers={"Content-Encoding": "deflate"}), 413)
    assert_answered(client.post(INFER, **as_json(tensor())))


async def iter_async(data: bytes) -> Any:
    for start in range(0, len(data), 2**20):
        yield data[start : start + 2**20]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.one_of(st.none(), st.integers(-5, 500)))
def test_any_bytes_are_refused(client: Client, body: bytes, length: int | None) -> None:
    headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}

    assert_refused(client.post(INFER, content=body, headers=headers))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_right_request_with_a_byte_changed_is_answered_or_refused(client: Client, data: st.DataObject) -> None:
    right = binary({"inputs": [raw_input(ONE)], "id": "x"}, TENSOR_BLOB)
    place = data.draw(st.integers(0, len(right["content"]) - 1))
    changed = bytearray(right["content"])
    changed[place] ^= data.draw(st.integers(1, 255))

    answer = client.post(INFER, content=bytes(changed), headers=right["headers"])

    if answer.status_code != 501:  # no letter away from a name that is reserved
        assert answer.status_code == 200 or assert_refused(answer) is None
