"""lit_export.proof.samples: what a graph is compared on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from lit_export.proof.samples import BATCHES, golden, samples
from lit_infer.errors import ArtifactError
from lit_infer.manifest import DeploymentFacts, Resize, Step
from tests.export.formats.jobs import make_job
from tests.inference.tiny import colour, save
from tests.support.targets import target_for

FACTS = DeploymentFacts(task="image-embedding", preprocess=(Step(resize=Resize(size=(6, 4))),))


class Means(nn.Module):
    """The mean of each channel."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean((2, 3))


def test_there_is_noise_of_every_batch_size_with_the_eager_answers(tmp_path: Path) -> None:
    found = samples(make_job().target, images=None, scratch=tmp_path)

    assert [len(one.inputs[0]) for one in found] == list(BATCHES)
    for one in found:
        np.testing.assert_array_equal(one.answers[1], one.inputs[0] + one.inputs[1])
    assert list(tmp_path.iterdir()) == []


def test_for_images_there_are_files_too_whose_pixels_are_training_s(tmp_path: Path) -> None:
    *noise, files = samples(target_for(Means().eval(), FACTS), images=None, scratch=tmp_path)

    assert not any(one.files for one in noise)
    assert sorted(files.files) == sorted(tmp_path.iterdir())
    assert {path.suffix for path in files.files} == {".png", ".jpg"}
    assert files.inputs[0].shape == (len(files.files), 6, 4, 3)
    np.testing.assert_allclose(files.answers[0], files.inputs[0].mean((1, 2)) / 255, rtol=1e-4)


def test_images_that_are_given_take_the_place_of_noise(tmp_path: Path) -> None:
    for name in ("red", "blue"):
        save(tmp_path / "given" / f"{name}.png", colour(name))

    *_, files = samples(target_for(Means().eval(), FACTS), images=tmp_path / "given", scratch=tmp_path)

    assert [path.name for path in files.files] == ["blue.png", "red.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


def test_a_graph_for_one_batch_is_compared_at_that(tmp_path: Path) -> None:
    found = samples(target_for(Means().eval(), FACTS, static_batch=3), images=None, scratch=tmp_path)

    assert [len(one.inputs[0]) for one in found] == [3, 3, 3]
    assert not np.array_equal(found[0].inputs[0], found[1].inputs[0])


def test_some_files_have_an_orientation_to_be_followed_or_ignored(tmp_path: Path) -> None:
    samples(target_for(Means().eval(), FACTS), images=None, scratch=tmp_path)

    turned = set()
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            turned.add((path.suffix, image.getexif().get(0x0112, 1) != 1))
    assert turned == {(".jpg", True), (".png", False)}


def test_the_golden_examples_are_the_largest_batch_of_noise_by_name(tmp_path: Path) -> None:
    target = make_job().target
    found = samples(target, images=None, scratch=tmp_path)

    stored = golden(target, found)

    assert list(stored) == ["left", "right", "mixed", "total"]
    assert len(stored["left"]) == max(BATCHES)
    np.testing.assert_array_equal(stored["total"], stored["left"] + stored["right"])


class CutsSome(nn.Module):
    """It cuts one of two sequences to the longest row of its batch."""

    def forward(self, x: Tensor, y: Tensor, lengths: Tensor) -> Tensor:
        return (x[:, : int(lengths.max())] + y).sum(1)


def test_rows_that_are_all_shorter_than_others_are_named_where_a_module_does_not_take_them(tmp_path: Path) -> None:
    def made(_: np.random.Generator, batch: int) -> tuple[np.ndarray, ...]:
        long = np.ones((batch, 5), np.float32)
        return long, long, np.full(batch, 3 if batch == 1 else 5)

    inputs = ("x=5", "y=5", "lengths=:int64:5..5")
    target = target_for(CutsSome().eval(), DeploymentFacts(task="tensor"), inputs=inputs)

    with pytest.raises(ArtifactError, match=r"no lengths is above 3(?s:.*)--input lengths=:int64:5\.\.5\. Else"):
        samples(replace(target, noise=made), images=None, scratch=tmp_path)
