"""Requests that are answered with 200, which no generator guesses: are their answers as the document says?

Runs in schemathesis' environment, against a running lit-serve.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis

PNG = (Path(os.environ["LIT_TEST_RIGHT"]) / "0.png").read_bytes()
SCHEMA = schemathesis.openapi.from_url(f"http://{os.environ['LIT_TEST_HTTP']}/openapi.json")
MODEL = {"name": "colours", "version": "1"}
PIXELS = {"name": "images", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": [7] * 192}
INFER = "/v2/models/{name}/versions/{version}/infer"


def checked(path: str, method: str = "GET", **how: Any) -> schemathesis.Response:
    """Ask, and check status, headers and body against the document."""
    answer = SCHEMA[path][method].Case(**how).call_and_validate()
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("path", [path for path, item in SCHEMA.raw_schema["paths"].items() if "get" in item])
def test_every_page(path: str) -> None:
    values = {**MODEL, "file": "page.css"}
    checked(path, path_parameters={name: value for name, value in values.items() if f"{{{name}}}" in path})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"id": "seven", "parameters": {"timeout": 5_000_000, "priority": 1}},
        {"outputs": [{"name": "probabilities", "parameters": {"classification": 2}}]},
        {"outputs": [{"name": "probabilities"}]},
    ],
)
def test_tensors(more: dict[str, Any]) -> None:
    body = {"inputs": [PIXELS], **more}

    answer = checked(INFER, "POST", path_parameters=MODEL, body=body, media_type="application/json")

    assert answer.json()["model_version"] == "1"


def test_binary_answers() -> None:
    body = {"inputs": [PIXELS], "parameters": {"binary_data_output": True}}

    answer = checked(INFER, "POST", path_parameters=MODEL, body=body, media_type="application/json")

    assert answer.headers["content-type"] == ["application/octet-stream"]


def test_an_image() -> None:
    answer = checked("/predict", "POST", query={"model": "colours", "top_k": 2}, body=PNG, media_type="image/png")

    assert len(answer.json()["top"]) == 2


def test_the_index() -> None:
    answer = checked("/v2/repository/index", "POST", body={"ready": True}, media_type="application/json")

    assert {one["name"] for one in answer.json()} == {"colours", "pair"}
