from dataclasses import replace

import pytest

from lit_infer.bench.tuning.aims import Aim, Tried, Tuned, parse_aim
from lit_infer.errors import UsageError

DEFAULT = Tried("onnx", 2, 8, images_per_s=1000)


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("latency", Aim("latency")),
        ("throughput", Aim("throughput")),
        ("p99<20ms", Aim("p99<20ms", 99, 20)),
        ("p99.9 < 1.5 s", Aim("p99.9 < 1.5 s", 99.9, 1500)),
    ],
)
def test_an_aim_is_a_word_or_a_bound(text: str, aim: Aim) -> None:
    assert parse_aim(text) == aim


@pytest.mark.parametrize("text", ["", "fast", "p98<20ms", "p99<20", "p99>20ms", "p99<0ms", "99<20ms", "Latency"])
def test_another_aim_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(UsageError, match=r'use latency, throughput, or a bound as in "p99<20ms"'):
        parse_aim(text)


def test_the_gain_of_latency_is_how_many_times_as_quick() -> None:
    slow, quick = replace(DEFAULT, latency_ms=4.0), replace(DEFAULT, threads=1, latency_ms=2.0)

    assert Tuned(Aim("latency"), quick, slow, ()).gain == 2
