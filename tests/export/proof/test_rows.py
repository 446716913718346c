"""Rows by themselves: found out at export, and then never joined by a server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lit_export import export
from lit_export.options import Options
from lit_export.proof.rows import rows
from lit_export.proof.samples import samples
from lit_infer import load, progress
from lit_infer.manifest import DeploymentFacts, Resize, Step
from lit_infer.server.models.inference import infer
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from lit_infer.server.results import Items
from tests.cases.modules import InBatch
from tests.support.targets import target_for

TENSOR = DeploymentFacts(task="tensor")
IMAGES = DeploymentFacts(task="image-embedding", preprocess=(Step(resize=Resize(size=(8, 8))),))


class Rows(nn.Module):
    """Every row by itself, through what may look otherwise: a normalisation over batches, a large product."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 600), nn.BatchNorm1d(600), nn.ReLU(), nn.Linear(600, 300))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.layers(x)
        return answer, answer.argmax(-1)


class Scaled(nn.Module):
    """Each row over the largest of the batch: right alone only for that one."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.abs().max()


class Neighbour(nn.Module):
    """Each row minus the one before: a batch of two, turned round, shows it."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.roll(1, 0)


class NoLoneRow(nn.Module):
    """Refuses a batch of one, and looks at the neighbours if `joins`."""

    def __init__(self, *, joins: bool) -> None:
        super().__init__()
        self.joins = joins

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1:
            raise ValueError("at least two")
        return x - x.mean(0) if self.joins else x * 2


class Loss(nn.Module):
    """An answer for each row, and one for the whole batch."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x.mean()


class Contrast(nn.Module):
    """Image features from which the batch's mean is taken."""

    def forward(self, x: Tensor) -> Tensor:
        features = x.flatten(2).mean(-1)
        return features - features.mean(0)


def found(module: nn.Module, facts: DeploymentFacts, tmp_path: Path, **options: Any) -> tuple[str, list[str]]:
    target = target_for(module, facts, **options)
    said: list[str] = []
    with progress.listening(progress.Listener(note=said.append)):
        return rows(target, samples(target, images=None, scratch=tmp_path)), said


@pytest.mark.parametrize("static", [None, 4])
def test_rows_that_stand_by_themselves_are_found_to_whatever_rounding_does(tmp_path: Path, static: int | None) -> None:
    torch.manual_seed(0)

    assert found(Rows(), TENSOR, tmp_path, inputs=("4",), static_batch=static) == ("independent", [])


@pytest.mark.parametrize("module", [InBatch(), Scaled(), Neighbour(), Loss()])
@pytest.mark.parametrize("static", [None, 4])
def test_rows_that_look_at_each_other_are_noticed_and_the_line_says_what_follows(
    tmp_path: Path, module: nn.Module, static: int | None
) -> None:
    kind, (said,) = found(module, TENSOR, tmp_path, inputs=("4",), static_batch=static)

    assert kind == "joined"
    assert "has another answer" in said
    assert "`rows: joined`" in said


@pytest.mark.parametrize(("joins", "kind"), [(True, "joined"), (False, "independent")])
def test_a_module_that_refuses_a_batch_of_one_is_tried_with_other_neighbours(
    tmp_path: Path, joins: bool, kind: str
) -> None:
    assert found(NoLoneRow(joins=joins), TENSOR, tmp_path, inputs=("4",), static_batch=4)[0] == kind


def test_images_are_tried_as_well(tmp_path: Path) -> None:
    assert found(Contrast(), IMAGES, tmp_path)[0] == "joined"
    assert found(nn.Flatten(), IMAGES, tmp_path)[0] == "independent"


def test_a_lone_row_is_no_batch(tmp_path: Path) -> None:
    assert found(InBatch(), TENSOR, tmp_path, inputs=("4",), static_batch=1) == ("independent", [])


def test_a_server_never_joins_such_requests_and_every_client_gets_its_own_answer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = InBatch().eval()
    made = export(module, out=tmp_path / "b", options=Options(inputs=("4",)))
    assert made.manifest.rows == "joined"
    repository = Repository(parse([str(made.folder)]), Opening(device="cpu", max_delay=0.05))

    async def ask(inputs: Any) -> Any:
        with repository.held("InBatch") as served:
            return (await infer(served, Items(arrays=(inputs,)), timeout=20, gone=None)).outputs[0]

    clients = np.random.default_rng(0).standard_normal((24, 2, 4)).astype(np.float32)
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: asyncio.run(ask(one)), clients))
    finally:
        repository.close()
    with torch.no_grad():
        right = [module(torch.from_numpy(one)).numpy() for one in clients]
    assert np.allclose(answers, right, atol=1e-5)


def test_images_of_such_a_model_are_proven_as_batches_and_predicted_one_by_one(tmp_path: Path) -> None:
    made = export(Contrast().eval(), out=tmp_path / "b", options=Options(spec=spec(tmp_path)))

    assert made.manifest.rows == "joined"
    assert made.folder is not None
    with load(made.folder, device="cpu") as predictor:
        images = list(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8))
        assert [one.output.any() for one in predictor.predict(images, output=True) if one.output is not None] == [0] * 3


def spec(folder: Path) -> Path:
    path = folder / "spec.yaml"
    path.write_text("task: image-embedding\npreprocess: [{resize: {size: [8, 8]}}]\n")
    return path
