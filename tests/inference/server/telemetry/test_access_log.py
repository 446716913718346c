import io
import json

from lit_infer.server.app import create_app
from lit_infer.server.models.repository import Repository
from lit_infer.server.telemetry.access_log import AccessLog
from tests.support.server.client import Client
from tests.support.server.requests import png


def test_each_request_is_a_line_of_json_where_nobody_sits_at_a_terminal(repository: Repository) -> None:
    stream = io.StringIO()
    log = AccessLog(stream)
    client = Client(create_app(repository, access=log))

    client.post("/predict", content=png(), headers={"X-Request-ID": "r1"})
    client.get("/nothing")
    client.close()
    log.flush()

    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["id"], first["status"], first["model"], first["path"]) == ("r1", 200, "colours/1", "/predict")
    assert first["ms"] > 0
    assert first["bytes_out"] > 0
    assert (second["status"], second["error"]) == (404, "not found")


def test_a_line_for_people_is_short_and_obeys_no_escape(repository: Repository) -> None:
    stream = io.StringIO()
    log = AccessLog(stream, as_json=False)
    client = Client(create_app(repository, access=log))

    client.get("/%1b%5b2J")
    client.close()
    log.flush()

    (line,) = stream.getvalue().splitlines()
    assert r"GET /\x1b[2J" in line
    assert "404" in line
