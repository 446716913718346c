"""Prove a finished graph file: the runtime's own predictor must answer as the eager module does.

For images the comparison starts at image files: the runtime decodes, resizes and crops them its own way, and the
eager module gets them through torchvision, as in training.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace as replace_fields
from numpy.typing import NDArray

from lit_export.options import Options
from lit_export.proof.samples import Sample
from lit_export.proof.variation import rows_of
from lit_export.tasks import Target, answers, in_precision
from lit_infer import progress, proof
from lit_infer.batching.sizes import is_joined
from lit_infer.errors import GateError
from lit_infer.manifest import Manifest, Parity, Precision, ProofInputs
from lit_infer.predictor import Prediction, Predictor
from lit_infer.proof import TOLERANCES, Tolerance
from lit_infer.tensors import Arrays

_ROUNDING = 4 * float(np.finfo(np.float32).eps)
"""A difference of this share of the largest answer is float32 rounding."""
_ROUNDINGS, _STABLE = 4, 0.01
"""A graph may be this many times the eager module's own rounding error away from it, where that error is at most this
share of the largest answer; the answers of a less stable module are a matter of chance."""


def tolerance(precision: Precision, options: Options) -> Tolerance:
    """The precision's default, unless another was requested."""
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
    """Compare a graph with the eager module on every sample. Raises GateError if it is not the same model.

    `own_error`, asked only where the graph is not within the tolerance, gives the float32 rounding error of the eager
    module itself: a graph is not expected to be nearer to it than a few of those.
    """
    pairs = [pair for sample in expected for pair in _pairs(predictor, sample)]
    if not all(np.isfinite(graph).all() for graph, _ in pairs):
        raise GateError("parity failed: the graph answers NaN or infinity")
    outputs = len(expected[0].answers)
    scales = [_Scale.of([truth for _, truth in pairs[one::outputs]]) for one in range(outputs)]
    found = [_compare(graph, truth, tolerance, scales[index % outputs]) for index, (graph, truth) in enumerate(pairs)]
    measured = Parity(
        batches=tuple(sample.rows for sample in expected),
        inputs=_compared_on(predictor.manifest, expected),
        max_abs=max(one.max_abs for one in found),
        max_rel=max(one.max_rel for one in found),
        cosine=min(one.cosine for one in found),
        agreement=_agreement(pairs[::outputs], predictor.manifest),
        atol=tolerance.atol,
        rtol=tolerance.rtol,
    )
    if all(one.within for one in found):
        _tell_margin(pairs[::outputs], measured, predictor.manifest)
        return measured
    errors = own_error()
    is_stable = all(error <= _STABLE * scale.largest for error, scale in zip(errors, scales, strict=False))
    if errors and is_stable and all(one.max_abs <= _ROUNDINGS * errors[i % outputs] for i, one in enumerate(found)):
        return replace_fields(measured, eager_error=max(errors))
    law = predictor.manifest.spec.agreement
    agreement = "" if law is None or measured.agreement is None else f", {law.name} {measured.agreement:.1%}"
    unstable = f"; the module itself is unstable: in float32 it is off by {max(errors):.2g}" if not is_stable else ""
    limits = f"{tolerance.atol:g} of the largest + {tolerance.rtol:g} x value"
    if any(one.is_near for one in found if not one.within):  # what it is refused for is the other limit
        spread = max(scale.spread for scale in scales)
        limits += f", and {tolerance.of_spread:.0%} of the {spread:.2g} that answers vary by over the inputs"
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
    except Exception:  # a module that insists on float32 may raise anything
        return []
    return [max(of_output) for of_output in zip(*errors, strict=True)]


@dataclass(frozen=True)
class _Difference:
    max_abs: float
    max_rel: float
    cosine: float
    within: bool
    is_near: bool
    """Whether it is within the tolerance of each value, whatever the answers vary by."""


def _pairs(predictor: Predictor, sample: Sample) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each output, the graph's answer and the eager one."""
    is_single = len(sample.answers) == 1 and not is_joined(predictor.manifest)
    if sample.files and is_single:  # a prediction has its row of the first output only; and joined rows share a batch
        predictions = predictor.predict(list[Any](sample.files), top_k=1, output=True)
        found: list[NDArray[np.float64]] = [np.stack([_row(prediction) for prediction in predictions])]
    else:
        names = [tensor.name for tensor in predictor.manifest.inputs]
        prepared = prepared_of(predictor, sample.files) if sample.files else sample.inputs
        outputs = predictor.run(dict(zip(names, prepared, strict=True)))
        found = [outputs[tensor.name] for tensor in predictor.manifest.outputs]
    found = list(predictor.manifest.spec.in_order_of(found, sample.answers))
    for graph, truth in zip(found, sample.answers, strict=True):
        if graph.shape != truth.shape:
            raise GateError(
                f"parity failed: for a batch of {sample.rows} the graph answers {list(graph.shape)}, "
                f"the eager module {list(truth.shape)}"
            )
    pairs = zip(found, sample.answers, strict=True)
    return [(graph.astype(np.float64), truth.astype(np.float64)) for graph, truth in pairs]


def prepared_of(predictor: Predictor, files: Sequence[Path | Mapping[str, Path]]) -> Arrays:
    """What the runtime makes of files, an array for each of the graph's images."""
    found = [predictor.prepared(one) for one in files]
    return tuple(np.stack(pixels) for pixels in zip(*((one.pixels, *one.more) for one in found), strict=True))


def _row(prediction: Prediction) -> NDArray[np.float64]:
    """The graph's own row for an image."""
    if prediction.output is None:
        raise GateError(f"the runtime cannot read {prediction.path}: {prediction.error}")
    return prediction.output.astype(np.float64)


@dataclass(frozen=True)
class _Scale:
    """Of one output over all samples."""

    largest: float
    spread: float
    """How much each value varies from input to input."""

    @classmethod
    def of(cls, answers_: Sequence[NDArray[np.float64]]) -> "_Scale":
        rows = rows_of(answers_)
        spread = np.ptp(rows, axis=0).max(initial=0) if len(rows) else 0
        return cls(largest=float(np.abs(rows).max(initial=0)), spread=float(spread))


def _compare(graph: NDArray[np.float64], truth: NDArray[np.float64], allowed: Tolerance, scale: _Scale) -> _Difference:
    measured = proof.difference(graph, truth, atol=allowed.atol, largest=scale.largest)
    most = max(allowed.of_spread * scale.spread, _ROUNDING * scale.largest)
    rows = (len(graph), -1) if graph.ndim and graph.size else (1, -1)
    graph_rows, truth_rows = graph.reshape(rows), truth.reshape(rows)
    norms = np.linalg.norm(graph_rows, axis=-1) * np.linalg.norm(truth_rows, axis=-1)
    cosines = np.divide((graph_rows * truth_rows).sum(-1), norms, out=np.ones_like(norms), where=norms > 0)
    near = measured.values <= measured.floor + allowed.rtol * np.abs(truth)
    return _Difference(
        max_abs=measured.max_abs,
        max_rel=measured.max_rel,
        cosine=float(cosines.min(initial=1)),
        within=bool((near & (measured.values <= most)).all()),
        is_near=bool(near.all()),
    )


def _compared_on(manifest: Manifest, expected: Sequence[Sample]) -> ProofInputs:
    if manifest.proof is not None:
        return manifest.proof.inputs
    return "images" if any(sample.files for sample in expected) else "noise"


def _tell_margin(
    pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], measured: Parity, manifest: Manifest
) -> None:
    """Of answers that are not the same although all numbers are near enough: that the module nearly had them itself."""
    law = manifest.spec.agreement
    if law is None or law.margin is None or measured.agreement in (None, 1.0):
        return
    margins = [law.margin(graph, truth, manifest.reading) for graph, truth in pairs]
    if None not in margins:
        most = max(margin or 0.0 for margin in margins)
        progress.note(f"{law.name} {measured.agreement:.4%}; of the others the module's best two are {most:.1g} apart")


def _agreement(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], manifest: Manifest) -> float | None:
    """Share of all rows with the same answer by the first output, as the task has it; None where it says nothing."""
    if manifest.spec.agreement is None:
        return None
    graph, truth = (np.concatenate(_alike(arrays)) for arrays in zip(*pairs, strict=True))
    return proof.agreement(graph, truth, manifest)


def _alike(arrays: Sequence[NDArray[np.float64]]) -> Sequence[NDArray[np.float64]]:
    """Arrays of one shape but for their rows: where their tokens differ in number, each token is a row."""
    if len({one.shape[1:] for one in arrays}) == 1:
        return arrays
    return [one.reshape(-1, one.shape[-1]) for one in arrays]
