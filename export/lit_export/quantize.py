"""int8 from the proven float32 ONNX file: static, in QDQ form, calibrated on real images, gated by its accuracy.

`int8()` is the story: simplify, calibrate, quantize, and, while the result is not good enough, leave the layers that
suffer most in float.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.qdq import OPERATORS, FloatGraph
from lit_infer import files, progress
from lit_infer.errors import GateError, UsageError, require
from lit_infer.manifest import Quantization

ENOUGH_IMAGES = 128
SAMPLE = 16
"""Images on which layers are ranked by what quantizing them changes."""

CalibrationImages = NDArray[np.uint8]


def int8(
    fp32: Path,
    out: Path,
    *,
    calibration: Iterable[CalibrationImages],
    in_float: Sequence[str] = (),
    accept: Callable[[Path], bool] | None = None,
) -> Quantization:
    """Write `out`, the int8 form of an ONNX file whose one input is images, uint8 [batch, height, width, channels].

    `calibration` gives batches of prepared images, read once, one batch in memory at a time. `in_float` are layers to
    leave in float: names or patterns of nodes, of PyTorch modules (`network.layer4.*`), or operators (`Gemm`). `accept`
    judges a candidate file; while it refuses, the layers that lose most are restored, fewest first. Raises GateError
    if half of them are not enough.
    """
    require("onnxruntime.quantization", extra="export", purpose="Exporting to int8")
    out.parent.mkdir(parents=True, exist_ok=True)
    with files.staging_folder(out.absolute().parent) as staged:
        float_graph = FloatGraph.read(fp32, staged)
        asked = float_graph.named(in_float)
        ranges, images, sample = _calibrate(float_graph, calibration, staged)
        if images < ENOUGH_IMAGES:
            enough = f"at least {ENOUGH_IMAGES}, of all kinds that production sees"
            progress.note(f"int8 is calibrated on {images} images; give {enough}")
        candidate = staged / out.name

        def good(restored: Sequence[str]) -> bool:
            float_graph.write(candidate, ranges, in_float=[*asked, *restored])
            return accept is None or accept(candidate)

        restored = [] if good([]) else _restore(float_graph, ranges, sample, asked=asked, good=good)
        if restored:
            float_graph.write(candidate, ranges, in_float=[*asked, *restored])
        os.replace(candidate, out)
    return Quantization(
        calibration_images=images, kept=tuple(sorted(float_graph.title(name) for name in {*asked, *restored}))
    )


def _calibrate(
    graph: FloatGraph, batches: Iterable[CalibrationImages], staged: Path
) -> tuple[Any, int, CalibrationImages]:
    """The least and greatest value of every tensor; how many images were seen; the first few of them."""
    from onnxruntime.quantization import create_calibrator

    name = graph.original.graph.input[0].name
    calibrator = create_calibrator(graph.path, list(OPERATORS), augmented_model_path=str(staged / "calibrated.onnx"))
    images, sample = 0, []
    for batch in batches:
        calibrator.collect_data(_OneBatch({name: batch}))
        if images < SAMPLE:
            sample.append(batch[: SAMPLE - images].copy())
        images += len(batch)
    if not images:
        raise UsageError("int8 needs calibration images, and there are none. Give --calibration FOLDER")
    return calibrator.compute_data(), images, np.concatenate(sample)


class _OneBatch:
    """onnxruntime's reader of calibration data, for one batch: with more, it would hold them all in memory."""

    def __init__(self, batch: dict[str, CalibrationImages]) -> None:
        self._left: Iterator[dict[str, CalibrationImages]] = iter((batch,))

    def get_next(self) -> dict[str, CalibrationImages] | None:
        """The batch, then None."""
        return next(self._left, None)


def _restore(
    graph: FloatGraph,
    ranges: Any,
    sample: CalibrationImages,
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


def _damage(graph: FloatGraph, ranges: Any, sample: CalibrationImages, layers: Sequence[str]) -> dict[str, float]:
    """How much the answers change when one layer alone is quantized."""
    truth = _answers(graph.model, sample)
    found = {}
    for name in layers:
        answers = _answers(graph.quantized(ranges, only=[name]), sample)
        found[name] = sum(float(np.abs(a - b).mean()) for a, b in zip(answers, truth, strict=True))
    return found


def _answers(model: Any, images: CalibrationImages) -> list[NDArray[Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    raw = model.SerializeToString()
    session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    found: list[NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: images})
    return found


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
