"""lit_infer.bench.tuning.serving: real servers, in threads and in processes, asked in turns."""

from pathlib import Path

import pytest

from lit_infer.bench.tuning import serving
from lit_infer.bench.tuning.serving import ServingWay
from lit_infer.errors import EngineError
from lit_infer.settings import TunedSettings


def test_each_way_is_a_server_that_was_asked(proven: Path) -> None:
    told: list[None] = []

    settings = TunedSettings(engine="onnx", threads=1, batch_size=4)
    found = serving.measured(str(proven), settings, [0, 2], seconds=0.1, advance=lambda: told.append(None))

    assert [one.processes for one in found] == [0, 2]
    assert all(one.requests_per_s > 0 for one in found)
    assert len(told) == serving.steps([0, 2])


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"lit-serve did not start: .*nowhere"):
        serving.measured(str(tmp_path / "nowhere"), TunedSettings(), [0], seconds=0.1)


@pytest.mark.parametrize(("rate", "processes"), [(1040, 0), (1060, 2)])
def test_processes_have_to_be_clearly_better_than_threads(rate: float, processes: int) -> None:
    assert serving.best([ServingWay(0, 1000, 5), ServingWay(2, rate, 4)]).processes == processes


def test_threads_are_always_among_the_ways() -> None:
    assert serving.ways()[0] == 0
    assert 2 in serving.ways()
