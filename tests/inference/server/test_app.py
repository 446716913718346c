"""The HTTP service without its sockets: all routes behind one edge."""

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
    assert client.get("/").headers["content-type"].startswith("text/html")


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
