"""What is measured in this process: the graphs of a model, open, and their inputs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, cycle, islice
from typing import Any

import msgspec
import numpy as np

from lit_infer import bundle
from lit_infer.batching.sizes import images_per_run, is_joined, static_batch
from lit_infer.bench.callers import Caller, Callers
from lit_infer.bench.inputs import MakeInputs, Repeated, golden, noise, random_array
from lit_infer.bench.row_file import MeasuredRows, RowFile
from lit_infer.bench.rows import Unit
from lit_infer.bench.target import LoadTarget, PredictorTarget, check
from lit_infer.bundle import GraphFile
from lit_infer.engines import split
from lit_infer.errors import EngineError, LitError, MissingExtraError, UsageError
from lit_infer.images import ImageInput
from lit_infer.images.limits import DEFAULT_LIMITS, Limits
from lit_infer.manifest import Tensor
from lit_infer.predictions import Prediction, Timings
from lit_infer.predictor import BatchPolicy, Predictor, PredictorInput, open_predictor
from lit_infer.tensors import NamedArrays


@dataclass(frozen=True)
class Subject:
    """One graph, open, and what it is measured on."""

    name: str
    """Its usual name: onnx, onnx int8."""
    predictor: Predictor
    inputs: MakeInputs | None = None
    """Arrays for its inputs; others among them are ignored; None: noise in the manifest's shapes."""
    images: Sequence[ImageInput] = ()
    """Images to decode and resize as part of each call; () measures the graph alone."""
    file: GraphFile | None = None
    """Where it was opened from, so that it can be opened again."""
    rows: MeasuredRows | None = None
    """Rows to prepare as part of each call; None measures the graph alone."""

    @property
    def engine(self) -> str:
        """The engine, in its own words."""
        return self.predictor.engine

    @property
    def device(self) -> str:
        """The device that was obtained."""
        return self.predictor.device

    @property
    def threads(self) -> int:
        """Cores that one call uses."""
        return self.predictor.threads

    @property
    def decoded(self) -> bool:
        """Whether a call begins with image files, or with rows as they are."""
        return bool(self.items)

    @property
    def unit(self) -> Unit:
        """What it answers about."""
        return "images" if self.predictor.manifest.spec.takes_images else "rows"

    @property
    def items(self) -> Sequence[PredictorInput]:
        """What `predict` is called with; () where the graph alone is measured."""
        return self.images if self.rows is None else self.rows.items

    def arrays(self, batch_size: int) -> NamedArrays:
        """Prepared input of a batch."""
        described = self.predictor.manifest
        make = self.inputs.of(described) if isinstance(self.inputs, Repeated) else self.inputs
        made = (make or noise(described))(batch_size)
        return {tensor.name: made[tensor.name] for tensor in described.inputs if tensor.name in made}

    def one(self, batch_size: int) -> Callers:
        """One caller: of `predict` if there are images to decode or rows to prepare, otherwise of `run`."""
        caller = _predicting(self, batch_size) if self.items else _running(self, batch_size)
        return Callers([caller], batch_size, "call")

    def many(self, count: int, *, max_batch: int | None = None) -> Callers:
        """Callers that share a queue through `submit`; without `max_batch`, in the predictor's own batches."""
        predictor, images = for_callers(self, max_batch=max_batch)
        each = [_submitting(predictor, images, first) for first in range(count)]
        return Callers(each, predictor.policy.max_batch, "submit", predictor.close)

    @contextmanager
    def target(self) -> Iterator[LoadTarget]:
        """What a load generator drives, with a queue of its own."""
        predictor, images = for_callers(self)
        with predictor:
            yield PredictorTarget(predictor, images)


def open_subjects(  # noqa: PLR0913 - each is a choice of its own
    model: str,
    *,
    device: str,
    engines: Sequence[str] = (),
    threads: Sequence[int | None] = (None,),
    images: Sequence[ImageInput] = (),
    limits: Limits = DEFAULT_LIMITS,
    inputs: MakeInputs | None = None,
    data: RowFile | None = None,
) -> tuple[list[Subject], list[str]]:
    """Every graph of a model that an engine here can run, and a line for each that cannot be run.

    `engines`: only these, and an error if one of them cannot run; `onnx:openvino` names a provider. `threads`: open
    each graph once for each of these numbers.
    """
    graphs = bundle.find(model)
    for engine in engines or ("auto",):
        bundle.choose(graphs, engine=engine)  # raises, with the fix, if none of them can be run
    wanted = [graph for engine in engines or ("auto",) for graph in _of(graphs, engine)]
    subjects: list[Subject] = []
    left_out: list[str] = []
    rows: MeasuredRows | None = None
    for graph in wanted:
        try:
            opened = [open_predictor(graph, device=device, threads=number, limits=limits) for number in threads]
        except (EngineError, MissingExtraError) as error:
            if len(wanted) == 1:
                raise
            left_out.append(_left_out(graph, error))
            continue
        if images and (names := opened[0].manifest.image_names):
            raise UsageError(f"--from gives single images, and {model} takes {' and '.join(names)}: leave it out")
        if data is not None and rows is None:
            rows = data.read(opened[0])
        check_images_taken(opened[0], images)
        fed = inputs or golden(graph)
        subjects += [Subject(label(graph), predictor, fed, images, graph, rows) for predictor in opened]
    if not subjects:
        raise EngineError("; ".join(left_out))
    return subjects, left_out


def check_images_taken(predictor: Predictor, images: Sequence[ImageInput]) -> None:
    """Raise UsageError for images of a model that takes rows."""
    if images and not predictor.manifest.spec.takes_images:
        raise UsageError(f"--from: {predictor.manifest.name} takes rows, not images: --data FILE")


def measured_on(subject: Subject) -> str | None:
    """The rows that a model is measured on, in words; None for images."""
    described = subject.predictor.manifest
    if described.spec.takes_images:
        return None
    if subject.rows is not None:
        return str(subject.rows)
    if isinstance(subject.inputs, Repeated) and subject.inputs.manifest is None:
        return "arrays of --inputs, the graph alone"
    if subject.inputs is None:
        return "random numbers in the manifest's shapes and ranges, the graph alone"
    proof = described.proof
    made = "made up by its export" if proof is None or proof.source is None else f"of {proof.source}"
    return f"the bundle's example rows, {made} and prepared there, the graph alone"


def label(graph: GraphFile) -> str:
    """A graph's usual name: its format, its precision if that is not fp32, the provider if one was named."""
    name = graph.listed.label if graph.listed is not None else graph.engine.format
    return name if graph.provider == "auto" else f"{name}:{graph.provider}"


def sizes_for(subject: Subject, wanted: Sequence[int]) -> list[int]:
    """The batch sizes to measure: those wanted, or the only one that is run where this graph is deployed."""
    described = subject.predictor.manifest
    only = static_batch(described) or (1 if is_joined(described) else None)
    return list(wanted) if only is None else [only]


SWEEP = (1, 2, 4, 8, 16, 32)
"""Of images, and of rows whose size nobody knows."""
_TABLE_SWEEP = (1, 16, 64, 256, 1024)
_TEXT_SWEEP = (1, 8, 16, 32, 64, 128)


def sweep_of(subject: Subject) -> tuple[int, ...]:
    """The batch sizes to try: rows are smaller than images, and the default of each kind is among them."""
    task = subject.predictor.manifest.spec
    if task.has_text:
        return _TEXT_SWEEP
    return _TABLE_SWEEP if task.has_columns else SWEEP


def for_callers(subject: Subject, *, max_batch: int | None = None) -> tuple[Predictor, Sequence[PredictorInput]]:
    """A predictor for the same open graph, and the images or rows to submit one by one.

    If the user gives no images they are noise, already prepared, and the predictor prepares nothing. Its queue has
    practically no limit, because the wait in it is what is measured.
    """
    predictor = subject.predictor
    described = predictor.manifest
    if not described.spec.takes_images and subject.rows is None:
        raise UsageError(f"callers and scenarios hand over whole rows, which {described.name} needs: --data FILE")
    if described.image_names:
        raise UsageError(f"{described.name} takes several images: callers and scenarios are measured on models of one")
    images = subject.items
    if not images:
        taken, shape = described.inputs[0], described.image_shape
        images = list(random_array(np.random.default_rng(0), taken.dtype, (64, *shape)))
        fixed = Tensor(name=taken.name, dtype=taken.dtype, shape=(taken.shape[0], *shape))
        described = msgspec.structs.replace(described, preprocess=(), inputs=(fixed,))
    size = images_per_run(described, max_batch or predictor.batch_size)
    policy = BatchPolicy(max_batch=size, max_items=2**40, max_bytes=2**60)
    (graph, *_) = predictor.sessions.opened()
    threads, limits = predictor.threads, predictor.limits
    own = Predictor(described, graph, threads=threads, batch_size=size, limits=limits, policy=policy)
    own.path = predictor.path  # beside which its tokenizer lies
    return own, images


def _running(subject: Subject, batch_size: int) -> Caller:
    return Caller(partial(subject.predictor.run, subject.arrays(batch_size)), _unchecked)


def _predicting(subject: Subject, batch_size: int) -> Caller:
    endless, predict = cycle(subject.items), subject.predictor.predict
    return Caller(lambda: predict(list(islice(endless, batch_size)), batch_size=batch_size, timings=True), _checked)


def _submitting(predictor: Predictor, images: Sequence[PredictorInput], first: int) -> Caller:
    indices = count(first)

    def call() -> list[Prediction]:
        return [predictor.submit(images[next(indices) % len(images)], timings=True).result()]

    return Caller(call, _checked)


def _unchecked(_: Any) -> Sequence[Timings]:
    return ()


def _checked(predictions: Sequence[Prediction]) -> list[Timings]:
    for prediction in predictions:
        check(prediction)
    return [prediction.timings for prediction in predictions if prediction.timings is not None]


def _of(graphs: Sequence[GraphFile], engine: str) -> list[GraphFile]:
    """The graphs that an engine is for."""
    name, provider = split(engine)
    return [replace(graph, provider=provider) for graph in graphs if name in ("auto", graph.engine.format)]


def _left_out(graph: GraphFile, error: LitError) -> str:
    engine = graph.engine
    if engine.is_installed():
        return f"{graph.path.name} is left out: {error}"
    fix = f'pip install "lit-deploy[{engine.extra}]"'
    return f"{graph.path.name} is left out: {engine.module} is not installed ({fix})"
