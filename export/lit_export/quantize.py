"""int8 from the proven float32 ONNX file: static, in QDQ form, calibrated on real inputs, gated by its accuracy.

`int8()` is the story: simplify, calibrate, quantize, and, while the result is not good enough, leave the layers that
suffer most in float.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.qdq import OPERATORS, FloatGraph
from lit_infer import files, progress
from lit_infer.errors import GateError, UsageError, require
from lit_infer.manifest import Quantization
from lit_infer.tensors import NamedArrays

ENOUGH = 128
_DYNAMIC = ("MatMul", "LSTM", "Attention")
"""Operators; a Gemm becomes a MatMul first."""
SAMPLE = 16
"""Inputs on which layers are ranked by what quantizing them changes."""


@dataclass(frozen=True)
class CalibrationBatch:
    """Real inputs of a float32 graph, by name."""

    inputs: NamedArrays
    rows: int


def int8(
    fp32: Path,
    out: Path,
    *,
    calibration: Iterable[CalibrationBatch],
    in_float: Sequence[str] = (),
    accept: Callable[[Path], bool] | None = None,
) -> Quantization:
    """Write `out`, the int8 form of an ONNX file.

    `calibration` gives batches of real inputs, read once, one batch in memory at a time. `in_float` are layers to
    leave in float: names or patterns of nodes, of PyTorch modules (`network.layer4.*`), or operators (`Gemm`). `accept`
    judges a candidate file; while it refuses, the layers that lose most are restored, fewest first. Raises GateError
    if half of them are not enough.
    """
    require("onnxruntime.quantization", extra="export", purpose="Exporting to int8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.staging_folder(out.absolute().parent) as staged:
        float_graph = FloatGraph.read(fp32, staged)
        asked = float_graph.named(in_float)
        ranges, rows, sample = _calibrate(float_graph, calibration, staged)
        if rows < ENOUGH:
            enough = f"at least {ENOUGH}, of all kinds that production sees"
            progress.note(f"int8 is calibrated on {rows} inputs; give {enough}")
        candidate = staged / out.name

        def good(restored: Sequence[str]) -> bool:
            float_graph.write(candidate, ranges, in_float=[*asked, *restored])
            return accept is None or accept(candidate)

        restored = [] if good([]) else _restore(float_graph, ranges, sample, asked=asked, good=good)
        if restored:
            float_graph.write(candidate, ranges, in_float=[*asked, *restored])
        os.replace(candidate, out)
    return Quantization(
        calibration_images=rows, kept=tuple(sorted(float_graph.title(name) for name in {*asked, *restored}))
    )


def dynamic(fp32: Path, out: Path, *, in_float: Sequence[str] = ()) -> Quantization:
    """Write `out`, the int8 form of an ONNX file for rows: weights of matrix products, whose inputs are scaled as they
    come. It needs no calibration; and because a scale is that of a whole batch, an answer varies with its batch by as
    much as int8 rounds.
    """
    quantization = require("onnxruntime.quantization", extra="export", purpose="Exporting to int8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.staging_folder(out.absolute().parent) as staged:
        float_graph = FloatGraph.read(fp32, staged)
        asked = float_graph.named(in_float)
        del float_graph.model.graph.value_info[:]  # shapes of weights that are transposed now
        quantization.quantize_dynamic(
            float_graph.model,
            staged / out.name,
            op_types_to_quantize=list(_DYNAMIC),
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=list(asked),
        )
        os.replace(staged / out.name, out)
    return Quantization(calibration_images=0, kept=tuple(sorted(map(float_graph.title, asked))))


def _calibrate(
    graph: FloatGraph, batches: Iterable[CalibrationBatch], staged: Path
) -> tuple[Any, int, list[CalibrationBatch]]:
    """The least and greatest value of every tensor; how many inputs were seen; the first few of them."""
    from onnxruntime.quantization import create_calibrator

    calibrator = create_calibrator(graph.path, list(OPERATORS), augmented_model_path=str(staged / "calibrated.onnx"))
    rows, sample = 0, []
    for batch in batches:
        calibrator.collect_data(_OneBatch(dict(batch.inputs)))
        if rows < SAMPLE:
            sample.append(replace(batch, inputs={name: array.copy() for name, array in batch.inputs.items()}))
        rows += batch.rows
    if not rows:
        raise UsageError("int8 needs calibration images, and there are none. Give --calibration FOLDER")
    return calibrator.compute_data(), rows, sample


class _OneBatch:
    """onnxruntime's reader of calibration data, for one batch: with more, it would hold them all in memory."""

    def __init__(self, batch: dict[str, NDArray[Any]]) -> None:
        self._left: Iterator[dict[str, NDArray[Any]]] = iter((batch,))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The batch, then None."""
        return next(self._left, None)


def _restore(
    graph: FloatGraph,
    ranges: Any,
    sample: Sequence[CalibrationBatch],
    *,
    asked: Sequence[str],
    good: Callable[[Sequence[str]], bool],
) -> list[str]:
    """The fewest of the worst layers that have to stay float for the candidate to be good."""
    candidates = [name for name in graph.layers if name not in asked]
    progress.note(f"int8 loses too much: ranking {len(candidates)} layers by what quantizing them changes")
    worst = sorted(candidates, key=_damage(graph, ranges, sample, candidates).__getitem__, reverse=True)
    enough = _fewest(len(worst) // 2, lambda count: good(worst[:count]))
    if enough is None:
        raise GateError(f"int8 loses too much even with {len(worst) // 2} of {len(worst)} layers left in float")
    restored = ", ".join(map(graph.title, worst[:enough]))
    progress.note(f"int8 leaves {enough} of {len(graph.layers)} layers in float: {restored}")
    return worst[:enough]


def _damage(
    graph: FloatGraph, ranges: Any, sample: Sequence[CalibrationBatch], layers: Sequence[str]
) -> dict[str, float]:
    """How much the answers change when one layer alone is quantized."""
    truth = _answers(graph.model, sample)
    found = {}
    for name in layers:
        answers = _answers(graph.quantized(ranges, only=[name]), sample)
        found[name] = sum(float(np.abs(a.astype(np.float64) - b).mean()) for a, b in zip(answers, truth, strict=True))
    return found


def _answers(model: Any, sample: Sequence[CalibrationBatch]) -> list[NDArray[Any]]:
    """Of every batch, all outputs one after the other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [output for batch in sample for output in session.run(None, dict(batch.inputs))]


def _fewest(most: int, good: Callable[[int], bool]) -> int | None:
    """The least count from 1 to `most` that is good, where more is never worse: doubling, then halving."""
    bad, count = 0, 1
    while count < most and not good(count):
        bad, count = count, min(2 * count, most)
    if count > most or (count == most and not good(count)):
        return None
    while count - bad > 1:
        middle = (bad + count) // 2
        bad, count = (bad, middle) if good(middle) else (middle, count)
    return count
