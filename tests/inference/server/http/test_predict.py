import re

import pytest

from tests.support.server.client import Client
from tests.support.server.requests import assert_refused, png


def test_an_image_gives_its_label_and_what_it_took(client: Client) -> None:
    answer = client.post("/predict?top_k=2", content=png("green"))

    found = answer.json()
    assert (found["label"], found["index"], len(found["top"])) == ("green", 1, 2)
    assert found["top"][0]["score"] == found["score"] > found["top"][1]["score"]
    assert (found["model"], found["version"]) == ("colours", "1")
    assert set(found["ms"]) == {"queue", "prepare", "infer", "total"}


def test_it_counts_in_the_histogram_of_latencies(client: Client) -> None:
    def count() -> int:
        found = re.search(r"lit_serve_request_duration_seconds_count\{.*\} ([\d.]+)", client.get("/metrics").text)
        return 0 if found is None else int(float(found[1]))

    before = count()
    client.post("/predict", content=png())

    assert count() == before + 1


@pytest.mark.parametrize("query", ["top_k=0", "top_k=-1", "top_k=x", "top_k=", "top_k=99999999999", "top_k=²"])
def test_top_k_is_a_sensible_number(client: Client, query: str) -> None:
    assert_refused(client.post(f"/predict?{query}", content=png()))


@pytest.mark.parametrize("body", [b"", b"text", png()[:50]])
def test_what_is_no_image_is_said(client: Client, body: bytes) -> None:
    assert_refused(client.post("/predict", content=body))


def test_a_model_that_is_not_there_is_404(client: Client) -> None:
    assert_refused(client.post("/predict?model=none", content=png()), 404)
    assert_refused(client.post("/predict?version=9", content=png()), 404)
