from lit_infer.bench.served.agreement import MatchingGraph
from lit_infer.bench.served.opening import Servers
from lit_infer.bench.served.record import record


def test_a_record_says_who_answered_and_what_asking_costs(url: str) -> None:
    (model,) = Servers([url]).open()

    found = record(model, callers=[2, 3], seconds=0.02, agreement=MatchingGraph("onnx", 2e-7))

    assert (found.url, found.protocol, found.server, found.model_version) == (url, model.name, "lit-serve", "1")
    assert [floor.callers for floor in found.floor] == [1, 3]
    assert all(floor.p50_ms > 0 and floor.requests_per_s > 0 for floor in found.floor)
    assert "asked with tensors; its answers are those of onnx here (largest difference 2e-07)" in str(found)
