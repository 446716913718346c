"""lit_export.proof.record: what the manifest says of a proof, and what a person is told of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lit_export.options import Options
from lit_export.proof import coverage, samples
from lit_export.proof.branches import Branches
from lit_export.proof.exercised import exercised
from lit_export.proof.record import proof_of
from lit_infer import progress
from lit_infer.manifest import CenterCrop, DeploymentFacts, Proof, Resize, Step
from tests.export.proof.branches import Clipped
from tests.support.targets import target_for

TENSOR = DeploymentFacts(task="tensor")
IMAGES = DeploymentFacts(
    task="image-classification", preprocess=(Step(resize=Resize(size=8)), Step(center_crop=CenterCrop(size=8)))
)


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.ones(len(x), 3)


class Partly(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"scores": x.sum(1), "anchors": torch.ones(len(x), 3)}


def recorded(
    module: nn.Module, facts: DeploymentFacts = TENSOR, scratch: Path = Path(), **options: object
) -> tuple[Proof, list[str]]:
    given = {} if facts is IMAGES or "input_file" in options else {"inputs": ("4",)}
    given |= {name: value for name, value in options.items() if name == "input_file"}  # type: ignore[misc]
    target = target_for(module.eval(), facts, **given)
    asked = Options(**options)  # type: ignore[arg-type]
    with coverage.recording() as seen:
        expected = samples.samples(target, images=asked.images, scratch=scratch)
    heard = list[str]()
    with progress.listening(progress.Listener(note=heard.append)):
        return proof_of(target, expected, Branches(target, expected, exercised(seen)), asked), heard


def test_inputs_rows_and_lines_are_counted_and_what_did_not_run_is_told_in_a_line() -> None:
    proof, heard = recorded(Clipped())
    assert (proof.inputs, proof.source, proof.rows) == ("noise", None, 1 + 2 + 3 + 8)
    assert (proof.lines, proof.lines_run, proof.varies, proof.accepted) == (5, 3, True, False)
    assert heard == ["2 of 5 lines of forward never ran, 2 conditionals on one side only: see report.md"]


def test_a_row_of_real_inputs_counts_once_however_often_it_was_compared(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", x=np.arange(20, dtype=np.float32).reshape(5, 4))

    proof, _ = recorded(Clipped(), input_file=tmp_path / "real.npz")

    assert (proof.inputs, proof.rows) == ("file", 5)


def test_what_a_person_takes_on_is_recorded_where_there_is_something() -> None:
    assert recorded(Clipped(), accept_unexercised=True)[0].accepted
    assert not recorded(Partly(), accept_unexercised=True)[0].accepted


def test_outputs_that_hardly_vary_are_no_proof() -> None:
    proof, heard = recorded(Constant())
    assert not proof.varies
    assert "hardly vary" in heard[0]


def test_one_output_of_several_that_hardly_varies_is_named() -> None:
    proof, heard = recorded(Partly())
    assert proof.varies
    assert proof.assumed == ("the output anchors hardly varies",)
    assert "anchors" in heard[0]


@pytest.mark.parametrize("given", [True, False])
def test_image_files_count_as_such_only_if_they_were_given(given: bool, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "a.png")
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    proof, _ = recorded(module, IMAGES, tmp_path, images=tmp_path / "photos" if given else None)
    assert proof.inputs == ("images" if given else "noise")
    assert proof.lines is None
