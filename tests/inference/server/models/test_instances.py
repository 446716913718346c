"""A model is opened, checked and warmed up before it is an instance."""

from itertools import islice
from pathlib import Path

import pytest

from lit_infer.errors import ArtifactError, EngineError
from lit_infer.server.models.batches import Answer, Batches, Work
from lit_infer.server.models.instances import LoadOptions, open_here, pauses
from tests.support.server.proven import make_proven
from tests.support.server.requests import png


def test_there_is_an_instance_per_thread_or_one_with_all_of_them(proven: Path) -> None:
    many = open_here(proven, LoadOptions(device="cpu", threads=2))
    one = open_here(proven, LoadOptions(device="cpu", threads=2), alone=True)

    assert (many.opened.count, one.opened.count) == (2, 1)
    assert (many.opened.device, many.opened.file) == ("cpu", "model.onnx")
    assert isinstance(one.answer([Work(png(), (), 1, 0.0)]).answers[0], Answer)
    for opened in (many, one, one):  # a second close does nothing
        opened.close()


def test_a_graph_that_does_not_give_its_golden_answers_is_not_opened(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"model\.onnx must not be served: it differs"):
        open_here(make_proven(tmp_path / "b", wrong=True), LoadOptions(device="cpu"))


def test_a_lone_graph_file_is_opened_unchecked(proven: Path) -> None:
    opened = open_here(proven / "model.onnx", LoadOptions(device="cpu"))

    assert opened.opened.file == "model.onnx"
    opened.close()


def test_an_engine_that_fails_while_it_warms_up_is_named(proven: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Batches) -> None:
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(Batches, "warm_up", fail)

    with pytest.raises(EngineError, match="colours cannot run here: RuntimeError: CUDA error"):
        open_here(proven, LoadOptions(device="cpu"))


def test_attempts_to_reopen_never_end_and_become_rare() -> None:
    assert list(islice(pauses(), 8)) == [0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 10.0, 10.0]
