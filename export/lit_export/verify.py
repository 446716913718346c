"""Prove a finished graph file: the runtime's own predictor must answer as the eager module does.

For images the comparison starts at image files: the runtime decodes, resizes and crops them its own way, and the
eager module gets them through torchvision, as in training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace as replace_fields
from numpy.typing import NDArray
from PIL import Image

from lit_export.options import Options
from lit_export.tasks import Arrays, Target, answers, image_noise, in_precision
from lit_export.transform import training_pixels
from lit_infer import folder
from lit_infer.errors import GateError
from lit_infer.manifest import Parity, Precision
from lit_infer.predictor import Prediction, Predictor

BATCHES = (1, 2, 3, 8)


@dataclass(frozen=True)
class Tolerance:
    """|graph - eager| <= atol x the largest answer + rtol x |eager|, for each value.

    And no more than `of_spread` of what the answers vary by from input to input: a module that answers nearly the same
    to everything would otherwise be matched by a graph that ignores its input.
    """

    atol: float
    rtol: float
    of_spread: float


TOLERANCES: dict[Precision, Tolerance] = {
    # The relative part is what sees an error in the logits of classes that the softmax makes small.
    "fp32": Tolerance(atol=1e-5, rtol=1e-3, of_spread=0.05),
    "fp16": Tolerance(atol=1e-2, rtol=1e-2, of_spread=0.25),
    "bf16": Tolerance(atol=5e-2, rtol=5e-2, of_spread=0.5),
    # A quantized graph is not the same function: its accuracy is what is checked (`--max-drop`).
    "int8": Tolerance(atol=1.0, rtol=0.0, of_spread=1.0),
}
_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""A difference of this share of the largest answer is float32's own."""
_ROUNDINGS, _STABLE = 4, 0.01
"""A graph may be this many times the eager module's own rounding error away from it, where that error is at most this
share of the largest answer; a module that is less stable than that answers by chance."""


@dataclass(frozen=True)
class Sample:
    """Inputs of one batch and the eager module's answers for them; `files` where the inputs lie as image files."""

    inputs: Arrays
    answers: Arrays
    files: tuple[Path, ...] = ()


def samples(target: Target, *, images: Path | None, scratch: Path) -> list[Sample]:
    """One sample per batch size, and one of image files: those below `images`, else noise written to `scratch`."""
    generator = np.random.default_rng(0)
    batches = BATCHES if target.batch is None else (target.batch,) * 2
    made = [target.noise(generator, batch) for batch in batches]
    found = [Sample(inputs, answers(target.module, inputs)) for inputs in made]
    if not target.takes_images:
        return found
    paths = _given(images) if images else _noise_files(target, scratch)
    paths = paths[: target.batch] if target.batch else paths
    pixels = np.stack([training_pixels(path, target.facts) for path in paths])
    return [*found, Sample((pixels,), answers(target.module, (pixels,)), tuple(paths))]


def _given(images: Path) -> list[Path]:
    return list(folder.list_images([images]))[: max(BATCHES) * 4]


def _noise_files(target: Target, scratch: Path) -> list[Path]:
    """Images of odd sizes, as PNG and JPEG."""
    height, width = target.facts.height_width
    generator = np.random.default_rng(1)
    sizes = [
        (height, width),
        (2 * height + 1, width + 7),
        (height + 3, 2 * width + 5),
        (height // 2 + 1, width // 2 + 1),
    ]
    paths = []
    for place, size in enumerate(sizes * (-(-(target.batch or 1) // len(sizes)))):
        path = scratch / f"noise-{place}.{'png' if place % 2 else 'jpg'}"
        Image.fromarray(image_noise(generator, 1, (*size, 3))[0]).save(path)
        paths.append(path)
    return paths


def is_constant(expected: Sequence[Sample]) -> bool:
    """Whether the module answered the same to every input, so that a comparison can show little."""
    outputs = zip(*(sample.answers for sample in expected), strict=True)
    return all(_Scale.of([answer.astype(np.float64) for answer in output]).spread == 0 for output in outputs)


def golden(target: Target, expected: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """The largest of the noise samples and the eager answers for it, by tensor name."""
    sample = max((one for one in expected if not one.files), key=lambda one: len(one.inputs[0]))
    names = [tensor.name for tensor in (*target.inputs, *target.outputs)]
    return dict(zip(names, (*sample.inputs, *sample.answers), strict=True))


def tolerance(precision: Precision, options: Options) -> Tolerance:
    """The precision's own, where no other was asked for."""
    usual = TOLERANCES[precision]
    asked = {name: value for name in ("atol", "rtol") if (value := getattr(options, name)) is not None}
    return replace(usual, **asked)


def parity(
    predictor: Predictor,
    expected: Sequence[Sample],
    *,
    precision: Precision,
    tolerance: Tolerance,
    own_error: Callable[[], Sequence[float]] = lambda: (),
) -> Parity:
    """Compare a graph with the eager module on every sample. Raises GateError where it is not the same model.

    `own_error`, asked only where the graph is not within the tolerance, gives the float32 rounding error of the eager
    module itself: a graph is not expected to be nearer to it than a few of those.
    """
    pairs = [pair for sample in expected for pair in _pairs(predictor, sample)]
    if not all(np.isfinite(graph).all() for graph, _ in pairs):
        raise GateError("parity failed: the graph answers NaN or infinity")
    outputs = len(expected[0].answers)
    scales = [_Scale.of([truth for _, truth in pairs[one::outputs]]) for one in range(outputs)]
    found = [_compare(graph, truth, tolerance, scales[place % outputs]) for place, (graph, truth) in enumerate(pairs)]
    is_classes = predictor.manifest.task == "image-classification"
    measured = Parity(
        batches=tuple(len(sample.inputs[0]) for sample in expected),
        inputs="images" if any(sample.files for sample in expected) else "noise",
        max_abs=max(one.max_abs for one in found),
        max_rel=max(one.max_rel for one in found),
        cosine=min(one.cosine for one in found),
        top1_agreement=_agreement(pairs) if is_classes else None,
        atol=tolerance.atol,
        rtol=tolerance.rtol,
    )
    if all(one.within for one in found):
        return measured
    errors = own_error()
    is_stable = all(error <= _STABLE * scale.largest for error, scale in zip(errors, scales, strict=False))
    if errors and is_stable and all(one.max_abs <= _ROUNDINGS * errors[i % outputs] for i, one in enumerate(found)):
        return replace_fields(measured, eager_error=max(errors))
    agreement = "" if measured.top1_agreement is None else f", top-1 agreement {measured.top1_agreement:.1%}"
    unstable = f"; the module itself answers {max(errors):.2g} off in float32, it is unstable" if not is_stable else ""
    limits = f"{tolerance.atol:g} of the largest + {tolerance.rtol:g} x value"
    raise GateError(
        f"parity failed: the graph differs from the eager module by up to {measured.max_abs:.2g} "
        f"(allowed for {precision}: {limits}){agreement}{unstable}"
    )


def rounding_error(target: Target, expected: Sequence[Sample]) -> list[float]:
    """For each output, how far the eager module's float32 answers are from its own in float64; empty if it has none."""
    try:
        exact = in_precision(target.module, "fp64")
        pairs = [zip(sample.answers, answers(exact, sample.inputs), strict=True) for sample in expected]
        errors = [[float(np.abs(a - b).max(initial=0)) for a, b in pair] for pair in pairs]
    except Exception:  # a module may insist on float32 in any way
        return []
    return [max(of_output) for of_output in zip(*errors, strict=True)]


@dataclass(frozen=True)
class _Difference:
    max_abs: float
    max_rel: float
    cosine: float
    within: bool


def _pairs(predictor: Predictor, sample: Sample) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each output, the graph's answer and the eager one."""
    if sample.files:
        predictions = predictor.predict(list(sample.files), top_k=sample.answers[0].shape[1])
        found: list[NDArray[np.float64]] = [np.stack([_row(prediction) for prediction in predictions])]
    else:
        names = [tensor.name for tensor in predictor.manifest.inputs]
        outputs = predictor.run(dict(zip(names, sample.inputs, strict=True)))
        found = [outputs[tensor.name] for tensor in predictor.manifest.outputs]
    for graph, truth in zip(found, sample.answers, strict=True):
        if graph.shape != truth.shape:
            raise GateError(
                f"parity failed: for a batch of {len(sample.inputs[0])} the graph answers {list(graph.shape)}, "
                f"the eager module {list(truth.shape)}"
            )
    pairs = zip(found, sample.answers, strict=True)
    return [(graph.astype(np.float64), truth.astype(np.float64)) for graph, truth in pairs]


def _row(prediction: Prediction) -> NDArray[np.float64]:
    """A prediction as scores in the order of the classes, or as its embedding."""
    if prediction.error is not None:
        raise GateError(f"the runtime cannot read {prediction.path}: {prediction.error}")
    if prediction.embedding is not None:
        return prediction.embedding.astype(np.float64)
    by_index = sorted(prediction.top, key=lambda choice: choice.index)
    return np.array([choice.score for choice in by_index], dtype=np.float64)


@dataclass(frozen=True)
class _Scale:
    """Of one output over all samples."""

    largest: float
    spread: float
    """What any one value varies by from input to input."""

    @classmethod
    def of(cls, answers_: Sequence[NDArray[np.float64]]) -> "_Scale":
        same_shape = all(one.ndim and one.shape[1:] == answers_[0].shape[1:] for one in answers_)
        rows = np.concatenate(answers_) if same_shape else np.concatenate([one.ravel() for one in answers_])
        spread = np.ptp(rows, axis=0).max(initial=0) if len(rows) else 0
        return cls(largest=float(np.abs(rows).max(initial=0)), spread=float(spread))


def _compare(graph: NDArray[np.float64], truth: NDArray[np.float64], allowed: Tolerance, scale: _Scale) -> _Difference:
    difference, size = np.abs(graph - truth), np.abs(truth)
    floor = max(allowed.atol * scale.largest, float(np.finfo(np.float32).tiny))
    most = max(allowed.of_spread * scale.spread, _ROUNDING * scale.largest)
    rows = (len(graph), -1) if graph.ndim and graph.size else (1, -1)
    graph_rows, truth_rows = graph.reshape(rows), truth.reshape(rows)
    norms = np.linalg.norm(graph_rows, axis=-1) * np.linalg.norm(truth_rows, axis=-1)
    cosines = np.divide((graph_rows * truth_rows).sum(-1), norms, out=np.ones_like(norms), where=norms > 0)
    return _Difference(
        max_abs=float(difference.max(initial=0)),
        max_rel=float((difference / np.maximum(size, floor)).max(initial=0)),
        cosine=float(cosines.min(initial=1)),
        within=bool((difference <= np.minimum(floor + allowed.rtol * size, most)).all()),
    )


def _agreement(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float:
    same = [graph.argmax(-1) == truth.argmax(-1) for graph, truth in pairs]
    return float(np.concatenate(same).mean())
