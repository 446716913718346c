"""lit_export.reasons: what exporters really say when they fail, in one line, with a place and a cure."""

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_export import Options, export
from lit_export.formats import onnx, pt2, torchscript
from lit_export.formats.job import Writer
from lit_export.reasons import evidence_of, hint_of, place_of, reason_of
from lit_infer.errors import GateError
from lit_infer.manifest import DeploymentFacts
from tests.export.formats.jobs import make_job
from tests.support.targets import target_for

HERE = Path(__file__).name


class Packed(nn.Module):
    """A recurrent layer on packed sequences."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 3, batch_first=True)
        self.example_input_array = (torch.randn(2, 5, 4), torch.tensor([5, 3]))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        answer, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        return answer.sum(1)


class Loop(nn.Module):
    """Goes on until the values are small."""

    def forward(self, x: Tensor) -> Tensor:
        while x.abs().max() > 0.5:
            x = x / 2
        return x


class Part(nn.Module):
    """What TorchScript is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.layer(x)
        return answer


class Scripted(nn.Module):
    """A part of it is TorchScript."""

    def __init__(self) -> None:
        super().__init__()
        self.part = torch.jit.script(Part())

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.part(x)
        return answer


class Pool(nn.Module):
    """Adaptive pooling, to be exported with dynamic sides."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(7)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.pool(x)
        return answer


class Singular(nn.Module):
    """ONNX has no such operator."""

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = torch.linalg.svdvals(x)
        return answer


class Bessel(torch.autograd.Function):
    """A function with a derivative of its own."""

    @staticmethod
    def forward(_: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        return torch.special.bessel_j0(x)


class Own(nn.Module):
    """Calls it."""

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = Bessel.apply(x)
        return answer


class Rowwise(nn.Module):
    """A Python loop over the rows."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([row * 2 for row in x])


class Columnwise(nn.Module):
    """A Python loop over another side."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([column * 2 for column in x.unbind(1)], 1)


class Force(nn.Module):
    """Answers a derivative."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            return torch.autograd.grad(torch.tanh(x).sum(), x)[0]


class Leaves(nn.Module):
    """Computes with NumPy in between."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy() * 2)


def failure(module: nn.Module, write: Writer, path: Path, **options: Any) -> Exception:
    """What an exporter raises for a module."""
    job = make_job()
    target = target_for(module, DeploymentFacts(task="tensor"), **options)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it raises
        write(type(job)(target, job.described, "fp32", Options(**options), job.onnx, job.quantize), path / "model")
    trace = caught.tb.tb_next  # without this frame: where an export is started says nothing
    return caught.value.with_traceback(trace)


LENGTH: dict[str, Any] = {"inputs": ("5x4",), "dynamic": ("length=1",)}
FOUR: dict[str, Any] = {"inputs": ("4",)}
SIDES: dict[str, Any] = {"inputs": ("3x20x20",), "dynamic": ("height", "width")}


@dataclass(frozen=True)
class Case:
    """A module that an exporter refuses, and what of the reason is the same in every release of torch."""

    module: nn.Module
    write: Writer
    said: str
    hint: str
    options: dict[str, Any] = field(default_factory=lambda: FOUR)
    placed: bool = True


@pytest.mark.parametrize(
    "case",
    [
        Case(Packed(), pt2.write, "TypeError: zeros()", "Packed sequences", {}),
        Case(Loop(), onnx.write_dynamo, "Could not guard on data-dependent expression", "torch.where"),
        Case(Pool(), onnx.write_legacy, "adaptive_avg_pool2d, input size not", "Adaptive pooling", SIDES, placed=False),
        Case(Singular(), onnx.write_dynamo, "No ONNX function found for", "no such operator", {"inputs": ("4x4",)}),
        Case(Own(), onnx.write_legacy, "export operator aten::special_bessel_j0", "torch.autograd.Function"),
        Case(Own(), torchscript.write, "Could not export Python function call", "torch.autograd.Function"),
        Case(Rowwise(), onnx.write_dynamo, "inferred a static shape of 2", "--static-batch", placed=False),
        Case(Columnwise(), onnx.write_dynamo, "inferred a static shape of 5", "padding: fixed", LENGTH, placed=False),
        Case(Force(), pt2.write, "fake tensor in the exported program", "computes gradients", placed=False),
        Case(Leaves(), pt2.write, ".numpy() is not supported", "NumPy"),
    ],
    ids=lambda case: f"{type(case.module).__name__}-{case.write.__name__}",
)
def test_the_cause_is_one_plain_line_with_the_place_and_a_cure(tmp_path: Path, case: Case) -> None:
    error = failure(case.module, case.write, tmp_path, **case.options)

    reason = reason_of(error)

    assert case.said in reason
    assert bool(re.search(rf"\({re.escape(HERE)}:\d+\)$", reason)) == case.placed
    assert case.hint in str(hint_of([evidence_of(error)]))
    assert not re.search(r"\x1b|\n|Next steps|This is step|0x|github|graph\(", reason)
    assert len(reason) < 400


def test_a_reason_of_ours_is_left_as_it_is() -> None:
    error = GateError("parity failed: 0.3")
    error.__cause__ = RuntimeError("hidden")

    assert reason_of(error) == "parity failed: 0.3"
    assert hint_of([evidence_of(error)]) is None


def test_what_an_error_came_after_is_not_taken_for_its_cause() -> None:
    def fail() -> None:
        try:
            raise KeyError("looked up first")
        except KeyError:
            raise RuntimeError("what is wrong\n[more]")  # noqa: B904 - as others write it

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert reason_of(caught.value).startswith("RuntimeError: what is wrong (")
    assert str(place_of(caught.value)).startswith(HERE)


def test_an_error_without_a_word_is_called_by_its_name() -> None:
    assert reason_of(MemoryError()) == "MemoryError"
    assert len(reason_of(RuntimeError("x" * 9999))) < 400


def test_a_graph_that_fails_in_every_way_says_each_and_the_cure_once(tmp_path: Path) -> None:
    (graph,) = export(Singular(), ["onnx"], out=tmp_path / "b", options=Options(inputs=("4x4",))).attempted

    assert graph.status == "failed"
    assert str(graph.reason).startswith("dynamo: DispatchError: No ONNX function found for ")
    assert "; legacy: UnsupportedOperatorError: Exporting the operator 'aten::linalg_svdvals'" in str(graph.reason)
    assert str(graph.reason).count("ONNX has no such operator") == 1


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_part_in_torchscript_is_exported_by_way_of_a_trace_or_named_as_that(tmp_path: Path) -> None:
    found = export(Scripted(), ["onnx", "pt2"], out=tmp_path / "b", options=Options(inputs=("4",))).attempted

    assert [graph.status for graph in found] == ["ok", "failed"]
    assert "torch.onnx legacy" in str(found[0].exporter)
    assert "A part of the module is TorchScript" in str(found[1].reason)


class Spectrum(nn.Module):
    """The short-time Fourier transform of a batch of any size, which OpenVINO does not take."""

    def forward(self, x: Tensor) -> Tensor:
        window = torch.hann_window(64)
        return torch.stft(x, 64, window=window, return_complex=True).abs().mean((1, 2))[:, None]


def test_openvino_s_operators_are_named_and_a_frozen_batch_is_the_cure(tmp_path: Path) -> None:
    before = logging.getLogger().level
    (graph,) = export(Spectrum(), ["openvino"], out=tmp_path / "b", options=Options(inputs=("512",))).attempted

    assert logging.getLogger().level == before
    assert graph.status == "failed"
    assert re.match(r"OpConversionFailure: OpenVINO cannot convert [\w, ]*STFT\. ", str(graph.reason))
    assert "OpenVINO takes a spectrogram of a fixed batch only: freeze it with --static-batch 1" in str(graph.reason)
