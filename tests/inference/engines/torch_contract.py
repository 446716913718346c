"""What both torch-based engines do alike: a test class for each derives from this."""

import warnings
from abc import abstractmethod
from pathlib import Path

import numpy as np
import pytest

from lit_infer import load, manifest
from lit_infer.engines import OpenGraph
from lit_infer.errors import ArtifactError, EngineError
from tests.inference.tiny import colour, described


class TorchEngineContract:
    """Of an engine that opens the tiny model's graph."""

    suffix: str
    kind: str
    """How the engine calls itself, after torch's version."""

    @staticmethod
    @abstractmethod
    def open_graph(path: Path, *, device: str, threads: int) -> OpenGraph:
        """The engine."""

    @staticmethod
    @abstractmethod
    def make(path: Path, embedded: str | None, *, pair: bool = False) -> Path:
        """A graph file; `pair`: with the channels' means as a second output."""

    @pytest.fixture(scope="class")
    @classmethod
    def graph(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The tiny model with its manifest."""
        path = tmp_path_factory.mktemp("graphs") / f"model{cls.suffix}"
        return cls.make(path, manifest.encode(described().embedded()).decode())

    def test_a_graph_answers_as_the_onnx_graph_of_the_same_model(self, graph: Path, bundle_folder: Path) -> None:
        items = [colour("red"), colour("green", 80), colour("blue", 3)]

        found = load(graph, device="cpu", threads=1).predict(items)
        expected = load(bundle_folder, device="cpu", threads=1).predict(items)

        assert [one.label for one in found] == [one.label for one in expected] == ["red", "green", "blue"]
        np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], rtol=1e-5)

    def test_what_was_obtained_and_what_the_file_says_of_itself_are_recorded(self, graph: Path) -> None:
        import torch

        opened = self.open_graph(graph, device="cpu", threads=1)

        assert (opened.engine, opened.device) == (f"torch {torch.__version__} {self.kind}", "cpu")
        assert opened.embedded is not None
        assert manifest.decode(opened.embedded, where="graph") == described().embedded()

    def test_every_output_of_a_graph_with_two_is_given_back(self, tmp_path: Path) -> None:
        path = self.make(tmp_path / f"model{self.suffix}", None, pair=True)
        opened = self.open_graph(path, device="cpu", threads=1)

        scores, means = opened.run([np.stack([colour("red", 200)])])

        assert scores.shape == (1, 3)
        assert means.tolist() == [[200, 0, 0]]

    def test_a_graph_without_a_manifest_opens_but_is_no_model(self, tmp_path: Path) -> None:
        path = self.make(tmp_path / f"model{self.suffix}", None)

        assert self.open_graph(path, device="cpu", threads=1).embedded is None
        with pytest.raises(ArtifactError, match="carries no lit-deploy manifest"):
            load(path, device="cpu")

    def test_cuda_that_is_not_here_is_refused(self, graph: Path) -> None:
        import torch

        with pytest.raises(EngineError, match=r"asked for cuda:99, torch finds .*Use --device cpu"):
            self.open_graph(graph, device="cuda:99", threads=1)
        if not torch.cuda.is_available():
            assert self.open_graph(graph, device="auto", threads=1).device == "cpu"

    @pytest.mark.gpu
    def test_a_graph_runs_on_cuda_and_answers_the_same(self, graph: Path) -> None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")
        opened = self.open_graph(graph, device="cuda", threads=1)
        here = self.open_graph(graph, device="cpu", threads=1)

        for level in range(0, 200, 20):  # often enough to be captured, and replayed with other values
            for batch in (np.stack([colour("red", level), colour("green", 80)]), np.stack([colour("blue", level)])):
                np.testing.assert_allclose(opened.run([batch])[0], here.run([batch])[0], rtol=1e-3)
        assert opened.device == "cuda:0"

    @pytest.mark.parametrize("keep", [0, 10, 2000])
    def test_a_truncated_file_is_an_engine_error_of_one_line(self, keep: int, graph: Path, tmp_path: Path) -> None:
        path = tmp_path / f"model{self.suffix}"
        path.write_bytes(graph.read_bytes()[:keep])

        with pytest.raises(EngineError) as caught:
            self.open_graph(path, device="cpu", threads=1)

        assert str(caught.value).startswith(f"{path}: torch cannot open it: ")
        assert "\n" not in str(caught.value)

    def test_arrays_that_cannot_be_written_to_or_lie_backwards_are_taken_without_a_warning(self, graph: Path) -> None:
        pixels = np.stack([colour("green", 80), colour("red")])
        frozen = pixels.copy()
        frozen.setflags(write=False)
        opened = self.open_graph(graph, device="cpu", threads=1)
        (expected,) = opened.run([pixels])

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (found,) = opened.run([frozen])
            (backwards,) = opened.run([frozen[::-1]])

        assert np.array_equal(found, expected)
        assert np.array_equal(backwards, expected[::-1])
