"""Requests to the tiny model over HTTP, and how a refusal looks."""

import struct
from typing import Any

import httpx
import msgspec
from numpy.typing import NDArray
from PIL import Image

from tests.inference.tiny import SIDE, colour, encoded

INFER = "/v2/models/colours/infer"


def tensor(**changes: Any) -> dict[str, Any]:
    """A right input in JSON, one blue image, changed."""
    data = colour("blue")[None].ravel().tolist()
    return {"name": "images", "datatype": "UINT8", "shape": [1, SIDE, SIDE, 3], "data": data, **changes}


def raw_input(array: NDArray[Any], **changes: Any) -> dict[str, Any]:
    """The JSON of an input whose bytes follow."""
    size = {"binary_data_size": array.nbytes}
    return {"name": "images", "datatype": "UINT8", "shape": list(array.shape), "parameters": size, **changes}


def binary(header: dict[str, Any], *blobs: bytes) -> dict[str, Any]:
    """The arguments of `client.post` for a request with binary parts."""
    head = msgspec.json.encode(header)
    return {"content": head + b"".join(blobs), "headers": {"Inference-Header-Content-Length": str(len(head))}}


def png(label: str = "blue", strength: int = 250) -> bytes:
    """One image's file."""
    return encoded(Image.fromarray(colour(label, strength)), "PNG")


GOOD = {"json": {"inputs": [tensor()]}}


def as_json(*inputs: Any, **more: Any) -> dict[str, Any]:
    return {"json": {"inputs": list(inputs), **more}}


def element(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def image_input(blob: bytes, shape: list[Any]) -> dict[str, Any]:
    size = {"binary_data_size": len(blob)}
    return binary(
        {"inputs": [{"name": "images", "datatype": "BYTES", "shape": shape, "parameters": size}]},
        blob,
    )


def assert_refused(answer: httpx.Response, status: int = 400) -> None:
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert 0 < len(answer.json()["error"]) < 1000
    assert "Traceback" not in answer.text
    assert answer.status_code == status, answer.text
