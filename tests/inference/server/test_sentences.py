"""Ids that a model has no row for, and texts that are too long: the client gets the engine's own reason."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lit_infer.server.app import create_app
from lit_infer.server.grpc import inference_pb2 as pb
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.support.server.client import Client
from tests.support.server.requests import assert_refused
from tests.support.server.rig import Rig
from tests.support.server.sentences import make_sentences

BAD = {
    "an id that is out of range": ([1, 7, 2], "idx=7 must be within the inclusive range [-5,4]"),
    "a text that is too long": ([1] * 9, ": Attempting to broadcast an axis by a dimension other than 1. 8 by 9"),
}


@pytest.fixture(scope="module", params=[0, 1], ids=["in threads", "in a process"])
def sentences(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    path = make_sentences(tmp_path_factory.mktemp("sentences") / "sentences.onnx")
    opened = Repository(parse([f"sentences={path}"]), Opening(device="cpu", processes=request.param))
    yield opened
    opened.close()


@pytest.fixture
def client(sentences: Repository) -> Iterator[Client]:
    opened = Client(create_app(sentences))
    yield opened
    opened.close()


@pytest.fixture
def rig(sentences: Repository) -> Iterator[Rig]:
    opened = Rig(sentences)
    yield opened
    opened.close()


def as_json(ids: list[int]) -> dict[str, Any]:
    return {"inputs": [{"name": "ids", "datatype": "INT64", "shape": [1, len(ids)], "data": ids}]}


@pytest.mark.parametrize("name", BAD)
def test_over_http_the_engine_says_why(client: Client, name: str) -> None:
    ids, reason = BAD[name]

    answer = client.post("/v2/models/sentences/infer", json=as_json(ids))
    old = client.post("/v1/models/sentences:predict", json={"instances": [ids]})
    good = client.post("/v2/models/sentences/infer", json=as_json([1, 2, 3]))

    for refused in (answer, old):
        assert_refused(refused)
        assert reason in refused.json()["error"]
    assert good.status_code == 200


@pytest.mark.parametrize("name", BAD)
def test_over_grpc_the_engine_says_why(rig: Rig, name: str) -> None:
    ids, reason = BAD[name]
    request = pb.ModelInferRequest(model_name="sentences")
    request.inputs.add(name="ids", datatype="INT64", shape=[1, len(ids)])
    request.raw_input_contents.append(np.array(ids, np.int64).tobytes())

    refused = rig.refused("ModelInfer", request)

    assert refused.code().name == "INVALID_ARGUMENT"
    assert reason in str(refused.details())
