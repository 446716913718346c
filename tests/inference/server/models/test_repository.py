"""Models are found, loaded, unloaded, and opened again when their engine dies."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.server.app import create_app
from lit_infer.server.models.batches import Batches
from lit_infer.server.models.opening import Opening, open_model
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import ModelSource, parse
from lit_infer.server.models.stats import Stats
from lit_infer.server.settings import Settings
from tests.inference.tiny import colour
from tests.support.server.client import Client
from tests.support.server.engine import CPU, Engine
from tests.support.server.proven import make_proven
from tests.support.server.requests import GOOD, INFER, assert_refused, binary, png, raw_input, tensor
from tests.support.server.waiting import until


def served(repository: Repository, **settings: Any) -> Client:
    return Client(create_app(repository, Settings(**settings)))


@pytest.fixture
def engine(proven: Path) -> Engine:
    return Engine(proven)


@pytest.fixture
def fragile(engine: Engine) -> Iterator[Repository]:
    """A repository over that engine."""
    repository = Repository([ModelSource("colours")], CPU, open_one=engine.open)
    yield repository
    repository.close()


def test_an_engine_that_dies_fails_what_is_in_flight_and_is_opened_again(
    engine: Engine, fragile: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    client = served(fragile)
    assert client.post(INFER, **GOOD).status_code == 200

    with caplog.at_level(logging.WARNING, "lit_serve"):
        engine.fails, engine.fails_to_open = lambda _: True, 2
        answers = client.posts(INFER, *[GOOD] * 5)
        engine.fails = lambda _: False
        until(lambda: fragile.is_ready() and engine.opened > 1)

    for answer in answers:
        assert_refused(answer, 503)
        assert "0x7f" not in answer.text
        assert answer.headers["retry-after"] == "1"
    assert "illegal memory access" in caplog.text
    assert engine.opened == 4
    assert client.post(INFER, **GOOD).status_code == 200
    (stats,) = client.get("/v2/models/colours/stats").json()["model_stats"]
    assert stats["inference_stats"]["success"]["count"] == 2  # it goes on counting
    client.close()


def test_while_it_is_opened_again_the_server_is_not_ready_and_says_why(engine: Engine, fragile: Repository) -> None:
    client = served(fragile)
    engine.fails, engine.fails_to_open = lambda _: True, 1000

    client.post(INFER, **GOOD)

    assert (client.get("/v2/health/live").status_code, client.get("/v2/health/ready").status_code) == (200, 503)
    assert client.get("/v2/models/colours/ready").status_code == 503
    assert "being restarted" in client.post(INFER, **GOOD).json()["error"]
    assert client.post("/v2/repository/index").json()[0]["state"] == "UNAVAILABLE"
    assert client.get("/metrics").text.count('lit_serve_model_ready{model="colours",version="1"} 0') == 1
    client.close()


def test_an_item_that_the_engine_cannot_run_fails_alone(engine: Engine, fragile: Repository) -> None:
    client = served(fragile)
    engine.fails = lambda images: bool((images == 77).any())
    bad = {"json": {"inputs": [tensor(data=[77] * 192)]}}

    answers = client.posts(INFER, GOOD, bad, GOOD, bad, GOOD)

    assert [answer.status_code for answer in answers] == [200, 400, 200, 400, 200]
    assert_refused(answers[1])
    assert fragile.is_ready()
    assert engine.opened == 1
    client.close()


def test_a_bundle_whose_graph_does_not_give_its_golden_answers_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"model\.onnx must not be served: it differs"):
        Repository(parse([str(make_proven(tmp_path / "b", wrong=True))]), CPU)


def test_a_bundle_without_golden_answers_is_not_served(tmp_path: Path) -> None:
    bundle = make_proven(tmp_path / "b")
    (bundle / "golden.npz").unlink()

    with pytest.raises(ArtifactError, match=r"golden\.npz"):
        Repository(parse([str(bundle)]), CPU)


def test_a_lone_graph_file_is_served(proven: Path) -> None:
    repository = Repository(parse([f"lone={proven / 'model.onnx'}"]), CPU)
    client = served(repository)

    assert client.post("/predict", content=png()).json()["label"] == "blue"
    client.close()
    repository.close()


def test_models_and_versions_are_told_apart(proven: Path, tmp_path: Path) -> None:
    other = make_proven(tmp_path / "other", labels=("rot", "gruen", "blau"))
    repository = Repository(parse([f"a={proven}", f"a={other}", str(proven)]), CPU)
    client = served(repository)

    def label(query: str) -> str:
        found: str = client.post(f"/predict?{query}", content=png()).json()["label"]
        return found

    assert client.get("/v2/models").json() == {"models": ["a", "colours"]}
    assert client.get("/v2/models/a").json()["versions"] == ["1", "2"]
    assert (label("model=a&version=1"), label("model=a"), label("model=colours"), label("")) == (
        "blue",
        "blau",
        "blue",
        "blau",
    )
    assert len(client.get("/v2/models/a/stats").json()["model_stats"]) == 2
    assert len(client.get("/v2/models/a/versions/2/stats").json()["model_stats"]) == 1
    client.close()
    repository.close()


def test_two_models_of_one_name_and_version_are_refused(proven: Path) -> None:
    with pytest.raises(UsageError, match="are both colours version 1"):
        Repository(parse([str(proven), str(proven)]), CPU)


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no model at"):
        Repository(parse([str(tmp_path / "none")]), CPU)


def test_clients_load_and_unload_where_that_is_allowed(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), CPU)
    client = served(repository, explicit_control=True)
    control = "/v2/repository/models/colours"

    assert client.post(f"{control}/unload", json={"parameters": {"unload_dependents": False}}).status_code == 200
    assert_refused(client.post(INFER, **GOOD), 503)
    assert client.post("/v2/repository/index").json()[0] == {
        "name": "colours",
        "version": "1",
        "state": "UNAVAILABLE",
        "reason": "unloaded",
    }
    assert client.post("/v2/repository/index", json={"ready": True}).json() == []
    assert client.get("/v2/health/ready").status_code == 200  # as it was asked to be
    assert client.post(f"{control}/load").status_code == 200
    assert client.post(INFER, **GOOD).status_code == 200
    assert_refused(client.post("/v2/repository/models/none/load"), 404)
    assert_refused(client.post(f"{control}/load", json={"parameters": {"config": "{}"}}), 501)
    assert_refused(client.post(f"{control}/load", content=b"[]"))
    client.close()
    repository.close()


def test_a_model_that_is_replaced_while_it_is_used_answers_everyone(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu", max_delay=0.05, max_batch=64))
    client = served(repository)
    stop = threading.Event()

    def replace() -> None:
        while not stop.is_set():
            repository.replace(repository.slots[0])

    replacing = threading.Thread(target=replace)
    replacing.start()
    try:
        answers = [answer for _ in range(10) for answer in client.posts(INFER, *[GOOD] * 20)]
    finally:
        stop.set()
        replacing.join()

    assert {answer.status_code for answer in answers} == {200}
    client.close()
    repository.close()


def test_more_rows_than_a_batch_are_split_and_joined(proven: Path) -> None:
    repository = Repository(parse([str(proven)]), Opening(device="cpu", max_batch=4, max_items=10))
    client = served(repository)
    images = np.stack([colour("red", 50 + i) for i in range(39)])
    too_many = np.concatenate([images, images])

    answer = client.post(INFER, **binary({"inputs": [raw_input(images)]}, images.tobytes()))
    refused = client.post(INFER, **binary({"inputs": [raw_input(too_many)]}, too_many.tobytes()))

    assert answer.json()["outputs"][0]["shape"] == [39, 3]
    assert "a request can have 10 items" in refused.json()["error"]
    assert_refused(refused)
    client.close()
    repository.close()


def test_opening_warms_up(proven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[int] = []
    monkeypatch.setattr(Batches, "warm_up", lambda batches: warmed.append(batches.largest))

    opened = open_model(
        ModelSource(str(proven)), Opening(device="cpu", max_batch=6), stats=Stats(), on_death=lambda _: None
    )

    assert warmed == [6]
    opened.close()
