"""`lit-bench`: latency and throughput of a model's graphs on this machine, side by side."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lit_infer import console
from lit_infer.errors import UsageError

if TYPE_CHECKING:
    from lit_infer.bench.result import Result
    from lit_infer.bench.subjects import Subject
    from lit_infer.images import ImageInput

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
tune_app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_SWEEP = (1, 2, 4, 8, 16, 32)
_SCENARIOS = ("single-stream", "multi-stream", "server", "offline")

_EXAMPLES = """Examples:

\b
  lit-bench
  lit-bench --model artifacts/bundles/digits-cnn-v0 --batch-sizes 1,8,32
  lit-bench --from photos/ --engine onnx --threads 1,2 --callers 1,8,32
  lit-bench --scenario all --latency-bound 50
  lit-bench --cold --json > before.json
  lit-bench --compare before.json --plot latency.png
  lit-bench tune --aim throughput    (see lit-bench tune --help)
"""

_TUNE_EXAMPLES = """Examples:

\b
  lit-bench tune
  lit-bench tune --model artifacts/bundles/digits-cnn-v0 --aim latency
  lit-bench tune --aim "p99<20ms" --dry-run
"""

_Model = Annotated[str | None, typer.Option("--model", "-m", help=console.MODEL_HELP)]
_From = Annotated[
    Path | None, typer.Option("--from", metavar="PATH", help="Images to read, decode and resize as part of each call.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print all that was measured, with the environment.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
_Version = Annotated[
    bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
]


@app.command(epilog=_EXAMPLES)
def bench(
    model: _Model = None,
    batch_sizes: Annotated[
        str | None, typer.Option("--batch-sizes", help="With commas; else a sweep that shows 1 and the best.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Formats to measure, with commas; else all.")] = None,
    threads: Annotated[str | None, typer.Option(help="Threads to sweep, with commas; else all cores.")] = None,
    callers: Annotated[str | None, typer.Option(help="So many callers share the model through submit.")] = None,
    images: _From = None,
    inputs: Annotated[
        Path | None, typer.Option(metavar="FILE.npz", help="Arrays by input name, for task tensor.")
    ] = None,
    device: Annotated[str, typer.Option(help=console.DEVICE_HELP)] = "auto",
    seconds: Annotated[
        float | None, typer.Option(min=0.05, help="Measuring time of each line; 0.5, of a scenario 10.")
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help=f"MLPerf's, instead of a sweep: all or {', '.join(_SCENARIOS)}.")
    ] = None,
    latency_bound: Annotated[float, typer.Option(min=0.001, metavar="MS", help="Server: where p99 has to be.")] = 100.0,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Server: check this many queries/s; else find the most.")
    ] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Cold start and memory too, in fresh processes.")] = False,
    compare: Annotated[Path | None, typer.Option(metavar="OLD.json", help="Print ratios to an earlier --json.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="OUT.png", help="Draw latency and throughput.")] = None,
    as_json: _Json = False,
    quiet: _Quiet = False,
    _: _Version = False,
) -> None:
    """Measure latency and images/s of every graph of a model.

    The graphs take turns, so that a noisy machine hurts all alike. Measured on prepared input, unless --from
    gives images: then decoding and resizing are in the figures.
    """
    # Imported here, so that --help answers without numpy.
    from lit_infer import bundle
    from lit_infer.bench import compare as comparing
    from lit_infer.bench import plot as plotting
    from lit_infer.bench.cold_start import RUNS, measure_cold
    from lit_infer.bench.environment import environment
    from lit_infer.bench.measure import open_subjects
    from lit_infer.bench.result import Result
    from lit_infer.bench.subjects import own_inputs, sizes_for

    sizes = _numbers("--batch-sizes", batch_sizes)
    counts, many = _numbers("--threads", threads), _numbers("--callers", callers)
    chosen = _chosen(scenario)
    old = comparing.read(compare) if compare else None
    if plot is not None:
        plotting.check(plot)
        if chosen:
            raise UsageError("--plot draws a sweep, which --scenario replaces: give one of the two")
    named = model or bundle.default_model()
    subjects, left_out = open_subjects(
        named,
        device=device,
        engines=[part.strip() for part in engine.split(",")] if engine else (),
        threads=counts or (None,),
        images=_images(images),
        inputs=own_inputs(inputs) if inputs else None,
    )
    result = Result(named, subjects[0].predictor.manifest, environment())
    if not quiet:
        console.note(f"model {named} ({result.manifest.identity()})")
    for reason in left_out:
        console.note(reason)
    with console.says_when_interrupted("what was measured until then is above, or nothing was"):
        if chosen:
            _scenarios(result, subjects, chosen, seconds or 10.0, latency_bound / 1e3, rate=rate, quiet=quiet)
        else:
            _sweep(result, subjects, sizes or sizes_for(subjects[0], _SWEEP), many, seconds or 0.5, quiet=quiet)
        if cold and not result.interrupted:
            graphs = list({one.name: one.file for one in subjects if one.file is not None}.values())
            with console.progress("cold start", total=RUNS * len(graphs), quiet=quiet) as advance:
                result.cold = measure_cold(graphs, device=device, advance=advance)
        _show(result, old, everything=batch_sizes is not None, as_json=as_json, quiet=quiet)
        if plot is not None and result.rows:
            place = result.environment
            plotting.save(plot, result.rows, title=f"{result.manifest.name} on {place['cpu']}, {place['cores']} cores")
            console.note(f"wrote {plot}")
        if result.interrupted:
            raise KeyboardInterrupt
    if rate is not None and not all(row.valid for row in result.scenarios if row.rate is not None):
        raise typer.Exit(1)  # the rate that was to be checked is not held


@tune_app.command(epilog=_TUNE_EXAMPLES)
def tune(
    model: _Model = None,
    aim: Annotated[str, typer.Option(help='latency, throughput, or a bound on latency: "p99<20ms".')] = "throughput",
    batch_sizes: Annotated[str | None, typer.Option("--batch-sizes", help="To try, with commas; 8 always is.")] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, fp16, bf16 or int8; auto is what load takes. Another gives other answers.")
    ] = "auto",
    images: _From = None,
    seconds: Annotated[float, typer.Option(min=0.05, help="Measuring time of each setting.")] = 1.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written.")] = False,
    as_json: _Json = False,
    quiet: _Quiet = False,
) -> None:
    """Find the engine, threads and batch size that serve an aim best here, and keep them for this model.

    latency: the least time of one call. throughput: the most images/s over a folder. p99<20ms: the most
    images/s of calls whose p99 is below. lit_infer.load and lit-infer use what was kept, on this machine.
    """
    from lit_infer import bundle, settings
    from lit_infer.bench import aims, report
    from lit_infer.bench import tune as tuning
    from lit_infer.bench.environment import environment

    wanted = aims.parse_aim(aim)
    sizes = _numbers("--batch-sizes", batch_sizes) or list(tuning.BATCH_SIZES)
    named = model or bundle.default_model()
    candidates = tuning.open_candidates(named, images=_images(images), precision=precision)
    subjects = candidates.subjects
    described = subjects[0].predictor.manifest
    if not quiet:
        console.note(f"model {named} ({described.identity()})")
    for reason in candidates.left_out:
        console.note(reason)
    total = tuning.steps(subjects, wanted, batch_sizes=sizes)
    with (
        console.says_when_interrupted("nothing was written"),
        console.progress("tune", total=total, quiet=quiet) as advance,
    ):
        found = tuning.tune(subjects, wanted, batch_sizes=sizes, seconds=seconds, advance=advance)
    kept = None if dry_run else settings.write(described, found.settings(candidates.precision))
    if as_json:
        data: dict[str, Any] = {"model": named, "identity": described.identity(), "precision": candidates.precision}
        data |= {"environment": environment(), **found.as_data()}
        typer.echo(json.dumps({**data, "written": kept and str(kept)}, indent=2))
        return
    console.out.print(report.tried(found))
    for line in report.tuned(found):
        console.out.print(line, markup=False)
    if not quiet:
        console.note(f"written to {kept}; remove it to have the default again" if kept else "nothing was written")


def _sweep(
    result: "Result", subjects: "list[Subject]", sizes: list[int], many: list[int], seconds: float, *, quiet: bool
) -> None:
    from lit_infer.bench import measure

    total = measure.ROUNDS * (len(sizes) + len(many)) * len(subjects)
    try:
        with console.progress("measure", total=total, quiet=quiet) as advance:
            result.rows = measure.measure(subjects, sizes, callers=many, seconds=seconds, advance=advance)
    except measure.Interrupted as stop:
        if not stop.rows:
            raise
        result.rows, result.interrupted = stop.rows, True


def _scenarios(
    result: "Result",
    subjects: "list[Subject]",
    chosen: list[str],
    seconds: float,
    bound: float,
    *,
    rate: float | None,
    quiet: bool,
) -> None:
    from lit_infer.bench import loadgen, scenarios

    driver = loadgen.driver()
    if not quiet:
        console.note(f"driven by {driver.name}; MLPerf's own runs take 600 s and more, these {seconds:g} s")
    found = scenarios.run(
        subjects, [scenarios.SCENARIOS[name] for name in chosen], driver=driver, seconds=seconds, bound=bound, rate=rate
    )
    try:
        with console.progress("scenarios", total=len(chosen) * len(subjects), quiet=quiet) as advance:
            for row in found:
                result.scenarios.append(row)
                advance()
    except KeyboardInterrupt:
        if not result.scenarios:
            raise
        result.interrupted = True


def _show(result: "Result", old: Any, *, everything: bool, as_json: bool, quiet: bool) -> None:
    from lit_infer.bench import compare, report

    data = result.as_data()
    ratios = compare.ratios(old, data) if old else []
    changed = compare.differences(old, data) if old else []
    if as_json:
        compared = {"compared": [one.as_data() for one in ratios], "changed": changed} if old else {}
        typer.echo(json.dumps({**data, **compared}, indent=2))
    else:
        for table in report.tables(result, ratios, everything=everything):
            console.out.print(table)
    for line in changed:
        console.note(f"not the same: {line}")
    if not quiet and not as_json:
        for line in report.notes(result):
            console.note(line)


def _images(path: Path | None) -> "list[ImageInput]":
    from lit_infer.folder import list_images

    return list(list_images([path])) if path is not None else []


def _chosen(scenario: str | None) -> list[str]:
    if scenario is None:
        return []
    if scenario not in (*_SCENARIOS, "all"):
        raise UsageError(f"--scenario {scenario!r}: use all or {', '.join(_SCENARIOS)}")
    return list(_SCENARIOS) if scenario == "all" else [scenario]


def _numbers(option: str, text: str | None) -> list[int]:
    if text is None:
        return []
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"{option} {text!r}: expected whole numbers from 1 to 4096 with commas, as in 1,8,32")
    return sorted({int(part) for part in parts})


def main() -> None:
    """The console script."""
    if sys.argv[1:2] == ["tune"]:
        sys.argv[:2] = [f"{sys.argv[0]} tune"]
        console.run(tune_app)
    else:
        console.run(app)
