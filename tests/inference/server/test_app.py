"""The HTTP service without its sockets: all routes behind one edge."""

from typing import Any

import pytest

from lit_infer.errors import UsageError
from lit_infer.server.app import create_app
from lit_infer.server.models.metrics import Metrics
from lit_infer.server.models.repository import Repository
from lit_infer.server.settings import Settings
from lit_infer.server.telemetry.access_log import Access
from tests.support.server.client import Client
from tests.support.server.requests import GOOD, INFER, assert_refused, png


def test_the_protocol_the_predict_route_and_the_page_are_served(client: Client) -> None:
    assert client.get("/v2").json()["name"] == "lit-serve"
    assert client.post("/predict", content=png("red")).json()["label"] == "red"
    assert client.get("/", headers={"accept": "text/html"}).headers["content-type"].startswith("text/html")


def test_what_is_not_served_is_an_error_in_json(client: Client) -> None:
    assert_refused(client.get("/nothing"), 404)
    assert_refused(client.get("/predict"), 405)
    assert_refused(client.get("/v2/"), 404)  # no redirects


def test_every_request_is_reported_and_answered_ones_are_counted(repository: Repository) -> None:
    seen: list[Access] = []
    metrics = Metrics()
    client = Client(create_app(repository, Settings(), access=seen.append, metrics=metrics))

    client.post(INFER, **GOOD)
    client.get("/nothing")
    client.close()

    assert [(one.path, one.status, one.model) for one in seen] == [(INFER, 200, "colours/1"), ("/nothing", 404, "")]
    counted = b'lit_serve_request_rows_count{model="colours",version="1"} 1.0'
    assert counted in metrics.text(repository.slots)


def test_below_a_path_of_a_proxy_it_answers_whether_or_not_the_proxy_removes_it(repository: Repository) -> None:
    client = Client(create_app(repository, Settings(root_path="/models", keys=(b"k",))))

    for path in ("/models/v2/health/ready", "/v2/health/ready"):  # neither needs a key
        assert client.get(path).status_code == 200
    document = client.get("/models/openapi.json", headers={"X-API-Key": "k"}).json()
    assert document["servers"] == [{"url": "/models"}]
    assert client.get("/modelsv2/health/ready", headers={"X-API-Key": "k"}).status_code == 404
    client.close()


def test_pages_of_the_origins_that_are_named_may_send_requests(repository: Repository) -> None:
    client = Client(create_app(repository, Settings(cors_origins=("https://a.example",), keys=(b"k",))))
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}

    allowed = client.options("/predict", headers={"Origin": "https://a.example", **asks})
    other = client.options("/predict", headers={"Origin": "https://b.example", **asks})
    answer = client.get("/v2", headers={"Origin": "https://a.example", "X-API-Key": "k"})

    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-headers"] == "authorization"
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-origin" not in other.headers
    client.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"root_path": "models"},
        {"root_path": "/a/"},
        {"cors_origins": ("a.example",)},
        {"cors_origins": ("https://a/b",)},
    ],
)
def test_paths_and_origins_are_checked_at_the_start(wrong: Any) -> None:
    with pytest.raises(UsageError, match="write a"):
        Settings(**wrong)
