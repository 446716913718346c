import warnings
from pathlib import Path

import numpy as np
import pytest

from lit_infer import load, manifest
from lit_infer.engines.opened import MANIFEST_KEY
from lit_infer.engines.torchscript import open_graph
from lit_infer.errors import ArtifactError, EngineError
from tests.inference.tiny import colour, described


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as TorchScript, with its manifest."""
    return scripted(tmp_path_factory.mktemp("graphs") / "model.pt", manifest.encode(described().embedded()).decode())


def scripted(path: Path, embedded: str | None, *, pair: bool = False) -> Path:
    import torch
    from torch import Tensor, nn

    class Colours(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (images.float().mean((1, 2)) / 64).softmax(-1)

    class Pair(Colours):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            means = images.float().mean((1, 2))
            return (means / 64).softmax(-1), means

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; that is known
        module = torch.jit.trace((Pair() if pair else Colours()).eval(), torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
        torch.jit.save(module, str(path), _extra_files={MANIFEST_KEY: embedded} if embedded else {})
    return path


def test_a_graph_answers_as_the_onnx_graph_of_the_same_model(graph: Path, bundle_folder: Path) -> None:
    items = [colour("red"), colour("green", 80), colour("blue", 3)]

    found = load(graph, device="cpu", threads=1).predict(items)
    expected = load(bundle_folder, device="cpu", threads=1).predict(items)

    assert [one.label for one in found] == [one.label for one in expected] == ["red", "green", "blue"]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], rtol=1e-5)


def test_what_was_obtained_and_what_the_file_says_of_itself_are_recorded(graph: Path) -> None:
    import torch

    opened = open_graph(graph, device="cpu", threads=1)

    assert (opened.engine, opened.device) == (f"torch {torch.__version__} TorchScript", "cpu")
    assert opened.embedded is not None
    assert manifest.decode(opened.embedded, where="graph") == described().embedded()


def test_every_output_of_a_graph_with_two_is_given_back(tmp_path: Path) -> None:
    opened = open_graph(scripted(tmp_path / "model.pt", None, pair=True), device="cpu", threads=1)

    scores, means = opened.run([np.stack([colour("red", 200)])])

    assert scores.shape == (1, 3)
    assert means.tolist() == [[200, 0, 0]]


def test_a_graph_without_a_manifest_opens_but_is_no_model(tmp_path: Path) -> None:
    path = scripted(tmp_path / "model.pt", None)

    assert open_graph(path, device="cpu", threads=1).embedded is None
    with pytest.raises(ArtifactError, match="carries no lit-deploy manifest"):
        load(path, device="cpu")


def test_cuda_that_is_not_here_is_refused(graph: Path) -> None:
    import torch

    with pytest.raises(EngineError, match=r"asked for cuda:99, torch finds .*Use --device cpu"):
        open_graph(graph, device="cuda:99", threads=1)
    if not torch.cuda.is_available():
        assert open_graph(graph, device="auto", threads=1).device == "cpu"


@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_a_truncated_file_is_an_engine_error_of_one_line(keep: int, graph: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(graph.read_bytes()[:keep])

    with pytest.raises(EngineError) as caught:
        open_graph(path, device="cpu", threads=1)

    assert str(caught.value).startswith(f"{path}: torch cannot open it: ")
    assert "\n" not in str(caught.value)


def test_saved_weights_are_not_taken_for_a_graph(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")

    with pytest.raises(EngineError, match="torch cannot open it"):
        open_graph(tmp_path / "model.pt", device="cpu", threads=1)


def test_arrays_that_cannot_be_written_to_or_lie_backwards_are_taken_without_a_warning(graph: Path) -> None:
    pixels = np.stack([colour("green", 80), colour("red")])
    frozen = pixels.copy()
    frozen.setflags(write=False)
    opened = open_graph(graph, device="cpu", threads=1)
    (expected,) = opened.run([pixels])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = opened.run([frozen])
        (backwards,) = opened.run([frozen[::-1]])

    assert np.array_equal(found, expected)
    assert np.array_equal(backwards, expected[::-1])
