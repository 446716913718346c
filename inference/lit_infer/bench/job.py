"""One run of `lit-bench`: open what is to be measured, take turns or run scenarios, then measure cold starts.

result = run(Benchmark(bundle="my-bundle"))
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lit_infer import progress
from lit_infer.bench import loadgen, scenarios
from lit_infer.bench.cells import ROUNDS, Cell, FileCell, Measurable, calls, shared_by
from lit_infer.bench.cold_start import RUNS, measure_cold
from lit_infer.bench.environment import environment
from lit_infer.bench.inputs import MakeInputs
from lit_infer.bench.measure import take_turns
from lit_infer.bench.result import BenchResult
from lit_infer.bench.row_file import RowFile, RowStream, can_stream
from lit_infer.bench.scenarios import Scenario
from lit_infer.bench.served.agreement import check_same
from lit_infer.bench.served.model import ServedModel
from lit_infer.bench.served.opening import Servers
from lit_infer.bench.served.record import ServedRecord, record
from lit_infer.bench.subjects import SWEEP, Subject, measured_on, open_subjects, sizes_for, sweep_of
from lit_infer.errors import LitError, UsageError
from lit_infer.images import ImageInput
from lit_infer.images.limits import DEFAULT_LIMITS, Limits

_FLOOR_S = 0.5
_SCENARIO_CALLERS = 16
"""How many callers the floor is measured with for scenarios: about as many queries as Server and Offline have open."""


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and how."""

    bundle: str | None = None
    """A model to open in this process."""
    servers: Servers | None = None
    """Servers whose models are measured. At least one of the two is given."""
    batch_sizes: Sequence[int] = ()
    """(): a sweep."""
    callers: Sequence[int] = ()
    engines: Sequence[str] = ()
    threads: Sequence[int | None] = (None,)
    device: str = "auto"
    images: Sequence[ImageInput] = ()
    limits: Limits = DEFAULT_LIMITS
    """Of the images."""
    data: RowFile | None = None
    """Rows to read and prepare; None measures the graph alone of a model that takes rows."""
    inputs: MakeInputs | None = None
    scenarios: Sequence[Scenario] = ()
    """Run instead of the sweep."""
    seconds: float | None = None
    """For each line; None: 0.5, or 10 for a scenario."""
    bound: float = 0.1
    """Server: the seconds that p99 must not exceed."""
    rate: float | None = None
    """Server: the rate to check; None: find the highest."""
    cold: bool = False


@dataclass(frozen=True)
class Measured:
    """Everything that is measured, opened."""

    own: Sequence[Subject]
    served: Sequence[ServedModel]
    records: Sequence[ServedRecord] = field(default=())

    @property
    def all(self) -> "list[Subject | ServedModel]":
        """In the order of the report."""
        return [*self.own, *self.served]


def run(job: Benchmark) -> BenchResult:
    """Measure. Ctrl-C or an error ends it early, with what has been measured by then, if there is anything."""
    opened = _open(job)
    name = job.bundle or ", ".join(dict.fromkeys(model.info.name for model in opened.served))
    manifest = opened.own[0].predictor.manifest if opened.own else None
    rows = measured_on(opened.own[0]) if opened.own else None
    result = BenchResult(name, manifest, environment(), served=opened.records, measured_on=rows)
    if job.scenarios:
        _run_scenarios(job, opened, result)
    else:
        _sweep(job, opened, result)
    if job.cold and not (result.interrupted or result.error):
        _start_cold(job, opened, result)
    return result


def _open(job: Benchmark) -> Measured:
    own = _open_own(job, job.bundle) if job.bundle is not None else []
    if job.servers is None:
        return Measured(own, ())
    served = job.servers.open(images=job.images, inputs=job.inputs or (own[0].arrays if own else None))
    return Measured(own, served, [_recorded(job, model, own) for model in served])


def _open_own(job: Benchmark, bundle: str) -> list[Subject]:
    own, left_out = open_subjects(
        bundle,
        device=job.device,
        engines=job.engines,
        threads=job.threads,
        images=job.images,
        limits=job.limits,
        inputs=job.inputs,
        data=job.data,
    )
    progress.note(f"model {bundle} ({own[0].predictor.manifest.identity()})")
    for reason in left_out:
        progress.warn(reason)
    tell_rows(own[0])
    return own


def tell_rows(subject: Subject, *, command: str = "lit-bench") -> None:
    """Say on which rows a model is measured, where it takes rows."""
    if (what := measured_on(subject)) is not None:
        progress.note(f"measured on {what}")
        if subject.rows is None:
            progress.note(f"reading and preparing rows are in no figure; {command} --data FILE measures your own rows")


def _recorded(job: Benchmark, model: ServedModel, own: Sequence[Subject]) -> ServedRecord:
    """Check that it is the same model as the one in this process, and measure an empty request to its server."""
    agreement = check_same(model, own) if own else None
    most = job.callers or ([_SCENARIO_CALLERS] if job.scenarios else [])
    found = record(model, callers=most, seconds=min(_FLOOR_S, job.seconds or _FLOOR_S), agreement=agreement)
    progress.note(str(found))
    return found


def _sweep(job: Benchmark, opened: Measured, result: BenchResult) -> None:
    cells = _cells(job, opened)
    task = progress.steps("measure", ROUNDS * len(cells))
    with _cut_short(result, lambda: any(cell.times for cell in cells)), task as advance:
        take_turns(cells, seconds=job.seconds or 0.5, advance=advance)
    result.rows = [cell.row() for cell in cells if cell.times]


def _cells(job: Benchmark, opened: Measured) -> list[Cell]:
    sizes: list[tuple[Measurable, Sequence[int]]] = [
        (one, job.batch_sizes or sizes_for(opened.own[0], sweep_of(opened.own[0]))) for one in opened.own
    ]
    sizes += [(model, _served_sizes(job, model)) for model in opened.served]
    every = sorted({size for _, own in sizes for size in own})
    found = [calls(subject, size) for size in every for subject, own in sizes if size in own]
    found += [shared_by(subject, number) for number in job.callers for subject, _ in sizes]
    return found + [cell for subject in opened.own for cell in _of_file(job, subject)]


def _of_file(job: Benchmark, subject: Subject) -> list[Cell]:
    """A whole file from reading to answers, in the model's own batches."""
    predictor, rows = subject.predictor, subject.rows
    if rows is None or not can_stream(predictor):
        return []
    return [FileCell(subject, RowStream(predictor, rows, predictor.batch_size), job.seconds or _FLOOR_S)]


def _served_sizes(job: Benchmark, model: ServedModel) -> list[int]:
    """The batches that one request can hold. A size that was asked for is measured or refused; a sweep skips it."""
    wanted = job.batch_sizes or SWEEP
    sizes, why = model.sizes(wanted)
    left_out = ", ".join(str(size) for size in wanted if size not in sizes)
    if left_out and (job.batch_sizes or not sizes):
        raise UsageError(f"--batch-sizes {left_out} of {model.name}: {why}")
    if left_out:
        progress.warn(f"batch {left_out} of {model.name} is left out: {why}")
    return sizes


def _run_scenarios(job: Benchmark, opened: Measured, result: BenchResult) -> None:
    driver, seconds = loadgen.driver(), job.seconds or 10.0
    progress.note(f"driven by {driver.name}; official MLPerf runs take 600 s and more, these {seconds:g} s")
    found = scenarios.run(opened.all, job.scenarios, driver=driver, seconds=seconds, bound=job.bound, rate=job.rate)
    task = progress.steps("scenarios", len(job.scenarios) * len(opened.all))
    with _cut_short(result, lambda: bool(result.scenarios)), task as advance:
        for row in found:
            result.scenarios.append(row)
            advance()


@contextmanager
def _cut_short(result: BenchResult, has_figures: Callable[[], bool]) -> Iterator[None]:
    """Record Ctrl-C, or an error such as a lost server, if there are figures already; otherwise raise it."""
    try:
        yield
    except (KeyboardInterrupt, LitError) as stop:
        if not has_figures():
            raise
        result.interrupted = isinstance(stop, KeyboardInterrupt)
        result.error = stop if isinstance(stop, LitError) else None


def _start_cold(job: Benchmark, opened: Measured, result: BenchResult) -> None:
    graphs = list({one.name: one.file for one in opened.own if one.file is not None}.values())
    with progress.steps("cold start", RUNS * len(graphs)) as advance:
        result.cold = measure_cold(graphs, device=job.device, advance=advance)
