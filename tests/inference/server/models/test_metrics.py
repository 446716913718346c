from prometheus_client.parser import text_string_to_metric_families

from lit_infer.server.app import create_app
from lit_infer.server.models.repository import Repository
from tests.support.server.client import Client
from tests.support.server.requests import INFER, tensor

LABELS = '{model="colours",version="1"}'


def test_prometheus_reads_tritons_names_and_histograms(repository: Repository) -> None:
    client = Client(create_app(repository))
    before = samples(client)
    for _ in range(3):
        client.post(INFER, json={"inputs": [tensor()]})
    client.post(INFER, content=b"{")
    after = samples(client)

    def more(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert more(f"nv_inference_request_success{LABELS}") == 3
    assert more(f"nv_inference_count{LABELS}") == 3
    assert more(f"nv_inference_exec_count{LABELS}") == 3
    assert more('nv_inference_request_failure{model="colours",reason="OTHER",version="1"}') == 1
    for stage in ("request", "queue", "compute_input", "compute_infer", "compute_output"):
        assert more(f"nv_inference_{stage}_duration_us{LABELS}") >= 0
    assert after[f"nv_inference_pending_request_count{LABELS}"] == 0
    assert more(f"lit_serve_request_duration_seconds_count{LABELS}") == 3
    assert more('lit_serve_batch_size_bucket{le="1",model="colours",version="1"}') == 3
    assert more(f"lit_serve_batch_size_sum{LABELS}") == 3
    assert after["process_resident_memory_bytes{}"] > 0
    client.close()


def samples(client: Client) -> dict[str, float]:
    """By name and labels. The parser, unlike Prometheus, adds `_total` to counters."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        sample.name.removesuffix("_total")
        + "{"
        + ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
        + "}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
