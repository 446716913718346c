"""lit_export.latency: what is measured, and what earns its place. No test depends on how fast anything is."""

from pathlib import Path

import pytest

from lit_export.latency import compare, earns
from lit_infer import load
from lit_infer.manifest import Latency
from tests.inference.tiny import make_bundle


def test_each_graph_has_its_time_per_input(tmp_path: Path) -> None:
    model = load(make_bundle(tmp_path / "bundle"), device="cpu", threads=1)
    found = compare({"fp32": model, "int8": model}, batch_size=3, seconds=0.02)
    assert list(found) == ["fp32", "int8"]
    for latency in found.values():
        assert (latency.batch_size, latency.threads) == (3, 1)
        assert latency.ms > 0
        assert latency.cpu


@pytest.mark.parametrize(("ms", "earned"), [(0.5, True), (0.94, True), (0.97, False), (1.0, False), (2.0, False)])
def test_int8_earns_its_place_by_being_faster_beyond_chance(ms: float, earned: bool) -> None:
    assert earns(_latency(1.0), _latency(ms)) is earned


def _latency(ms: float) -> Latency:
    return Latency(ms=ms, batch_size=8, threads=2, cpu="a CPU")
