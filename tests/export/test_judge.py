"""lit_export.judge: whether a graph's answers are good enough."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lit_export import export
from lit_export.judge import Judge, judge_for
from lit_export.options import Options
from lit_export.tasks import Target
from lit_infer import load
from lit_infer.errors import GateError, NotFoundError, UsageError
from lit_infer.manifest import DeploymentFacts, Graph
from lit_infer.progress import Listener, listening
from lit_infer.self_test import self_test
from tests.export.foreign import Plain
from tests.inference.tiny import LABELS, STEPS, colour, make_bundle, save
from tests.support.targets import target_for

FACTS = DeploymentFacts(task="image-classification", preprocess=STEPS, labels=LABELS)


@pytest.fixture
def target() -> Target:
    return target_for(Plain().eval(), FACTS)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two images of each colour, in a folder of its name."""
    for label in LABELS:
        for strength in (150, 250):
            save(tmp_path / "data" / label / f"{strength}.png", colour(label, strength))
    return tmp_path / "data"


@pytest.fixture
def judged(target: Target, labelled: Path) -> Callable[..., Judge]:
    def make(*, eager: float, max_drop: float) -> Judge:
        options = Options(data=labelled, max_drop=max_drop)
        items = [(path, LABELS.index(path.parent.name)) for path in sorted(labelled.rglob("*.png"))]
        return Judge(target, options, items, {"accuracy": eager})

    return make


def test_a_graphs_score_stands_beside_the_modules(judged: Callable[..., Judge], tmp_path: Path) -> None:
    found = judged(eager=0.9, max_drop=0.0).score(load(make_bundle(tmp_path / "b")))
    assert found is not None
    assert (found.value, found.eager, found.images) == (1.0, 0.9, 6)


def test_a_graph_that_loses_more_than_is_allowed_is_refused(judged: Callable[..., Judge], tmp_path: Path) -> None:
    wrong = load(make_bundle(tmp_path / "b"))
    judge = judged(eager=1.0, max_drop=0.2)
    items = [(path, (truth + 1) % 3 if place == 0 else truth) for place, (path, truth) in enumerate(judge.labelled)]
    one_wrong = Judge(judge.target, judge.options, items, eager={"accuracy": 1.0})
    assert one_wrong.score(wrong) is not None  # 5 of 6
    stricter = Judge(judge.target, Options(max_drop=0.1), items, eager={"accuracy": 1.0})
    with pytest.raises(GateError, match=r"fell from 100\.00% \(eager\) to 83\.33%, by 16\.67 points; 10 are allowed"):
        stricter.score(wrong)


def test_without_labelled_images_nothing_is_scored(target: Target, tmp_path: Path) -> None:
    judge = judge_for(target, Options())
    assert judge.score(load(make_bundle(tmp_path / "b"))) is None


def test_the_module_is_scored_first_and_it_is_said(target: Target, labelled: Path) -> None:
    notes: list[str] = []
    with listening(Listener(note=notes.append)):
        judge = judge_for(target, Options(data=labelled))
    assert judge.eager is not None
    assert notes == [f"score the eager module on {labelled}"]


def test_what_cannot_be_judged_is_refused_before_any_work(target: Target, tmp_path: Path) -> None:
    tensor = target_for(Plain().eval(), DeploymentFacts(task="image-embedding", preprocess=STEPS))
    static = target_for(Plain().eval(), FACTS, static_batch=4)
    int8 = Options(precisions=("int8",), calibration=tmp_path)
    for wrong, options, message in (
        (
            tensor,
            Options(data=tmp_path),
            "--data is for tasks whose answers can be right or wrong; this is image-embedding",
        ),
        (tensor, int8, "--precision int8 is for tasks whose answers can be right or wrong"),
        (static, int8, "needs a dynamic batch: leave --static-batch out"),
    ):
        with pytest.raises(UsageError, match=message):
            judge_for(wrong, options)
    with pytest.raises(NotFoundError, match="expected a folder with one sub-folder per class"):
        judge_for(target, Options(data=tmp_path / "nowhere"))


class Tabular(nn.Module):
    """Two inputs, four layers; nothing of it can be right or wrong."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)
        )

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layers(torch.cat([x, y], -1))
        return answer


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """Rows of production."""
    generator = np.random.default_rng(0)
    x, y = (generator.standard_normal((64, width)).astype(np.float32) for width in (8, 4))
    np.savez(tmp_path / "real.npz", x=x, y=y)
    return tmp_path / "real.npz"


def int8_of(module: nn.Module, folder: Path, **options: Any) -> Graph:
    """The int8 graph of an export, kept whatever its speed."""
    asked = Options(precisions=("int8",), keep_anyway=True, **options)
    (graph,) = export(module, ["onnx"], out=folder, options=asked).attempted
    return graph


def test_int8_of_bare_tensors_is_calibrated_and_bounded_on_the_same_real_inputs(tmp_path: Path, real: Path) -> None:
    graph = int8_of(Tabular(), tmp_path / "b", input_file=real)

    assert graph.status == "ok", graph.reason
    assert graph.quantization is not None
    assert graph.quantization.calibration_images == 256
    assert graph.parity is not None
    assert (graph.parity.inputs, graph.parity.atol, graph.parity.rtol) == ("file", 0.05, 0.05)
    assert 0 < graph.parity.max_abs < 0.2
    assert self_test(tmp_path / "b").ok


def test_int8_of_bare_tensors_is_refused_beyond_its_bounds(tmp_path: Path, real: Path) -> None:
    graph = int8_of(Tabular(), tmp_path / "b", input_file=real, atol=1e-6, rtol=1e-6)

    assert graph.status == "failed"
    assert str(graph.reason).startswith("int8 loses too much even with")


def test_int8_of_bare_tensors_without_real_inputs_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is calibrated and compared on real inputs: give --inputs FILE\.npz or"):
        int8_of(Tabular(), tmp_path / "b", calibration=tmp_path, inputs=("x=8", "y=4"))
