"""`lit-bench`: latency and throughput of a model's graphs on this machine and of servers, side by side."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lit_infer import console, limit_options
from lit_infer.bench import options
from lit_infer.bench.plan.cli import app as plan_app
from lit_infer.bench.tuning.cli import app as tune_app
from lit_infer.errors import UsageError

if TYPE_CHECKING:
    from lit_infer.bench.result import BenchResult
    from lit_infer.bench.scenarios import Scenario
    from lit_infer.bench.served.opening import Servers

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_SCENARIOS = ("single-stream", "multi-stream", "server", "offline")

_EXAMPLES = """Examples:

\b
  lit-bench
  lit-bench artifacts/bundles/digits-cnn-v0 --batch-sizes 1,8,32
  lit-bench --from photos/ --engine onnx --threads 1,2 --callers 1,8,32
  lit-bench my-texts --data reviews.csv --column text=review
  lit-bench --scenario all --latency-bound 50
  lit-bench --url http://localhost:8000 --callers 1,16
  lit-bench my-bundle --url http://localhost:8000 --url grpc://localhost:8001
  lit-bench --cold --json > before.json
  lit-bench --compare before.json --plot latency.png
  lit-bench tune --aim throughput    (see lit-bench tune --help)
  lit-bench plan measured.json --rate 2000 --p99 80ms
"""

_BUNDLE = "Bundle, graph file or reference to measure in this process."
_MODEL = "The same as MODEL; with --url the name on the server, or NAME/VERSION."
_URL = "Measure a server: http://host:8000, grpc://host:8001, or https://, grpcs://. May be repeated."
_KEYS = "The file's first key is sent to the servers; otherwise $LIT_API_KEY."
_SWEEP = "Separated by commas; otherwise a sweep that shows 1 and the best. For a server: images per request."
_CALLERS = "This many callers share the model through submit, or a server with a connection each."


@app.command(epilog=_EXAMPLES)
def bench(
    bundle: Annotated[str | None, typer.Argument(metavar="MODEL", help=_BUNDLE)] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help=_MODEL)] = None,
    url: Annotated[list[str] | None, typer.Option(metavar="URL", help=_URL)] = None,
    batch_sizes: Annotated[str | None, typer.Option("--batch-sizes", help=_SWEEP)] = None,
    engine: Annotated[str | None, typer.Option(help="Formats to measure, separated by commas; otherwise all.")] = None,
    threads: Annotated[
        str | None, typer.Option(help="Threads to sweep, separated by commas; otherwise all cores.")
    ] = None,
    callers: Annotated[str | None, typer.Option(help=_CALLERS)] = None,
    images: options.From = None,
    data: options.Data = None,
    column: options.Columns = None,
    inputs: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Arrays by input name.")] = None,
    max_bytes: limit_options.MaxBytes = None,
    max_pixels: limit_options.MaxPixels = None,
    max_side: limit_options.MaxSide = None,
    max_scans: limit_options.MaxScans = None,
    device: Annotated[str | None, typer.Option(help=console.DEVICE_HELP)] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.05, envvar="LIT_BENCH_SECONDS", help="Measuring time of each line; 0.5, or 10 for a scenario."
        ),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help=f"Run MLPerf's scenarios instead of a sweep: all or {', '.join(_SCENARIOS)}.")
    ] = None,
    latency_bound: Annotated[
        float, typer.Option(min=0.001, metavar="MS", help="Server: the most that p99 may be.")
    ] = 100.0,
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="Server: check this many queries/s; otherwise find the most.")
    ] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Cold start and memory too, in fresh processes.")] = False,
    api_key_file: Annotated[Path | None, typer.Option(metavar="FILE", help=_KEYS)] = None,
    ca: Annotated[Path | None, typer.Option(metavar="FILE", help="Certificates to trust for TLS, PEM.")] = None,
    compare: Annotated[Path | None, typer.Option(metavar="OLD.json", help="Print ratios to an earlier --json.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="OUT.png", help="Draw latency and throughput.")] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    _: options.Version = False,
) -> None:
    """Measure latency and images/s, or rows/s, of every graph of a model, and of servers.

    They take turns, so that a noisy machine affects all alike. The input is already prepared, unless --from gives
    images, or --data rows: then decoding and resizing, or preparing, are part of the figures. Without --url and MODEL,
    the model is $LIT_MODEL or the newest bundle in artifacts/. With --url, MODEL is measured beside the servers, and
    must give the same answers.
    """
    # Imported here, so that --help answers without numpy.
    from lit_infer.bench import compare as comparing
    from lit_infer.bench import job as jobs
    from lit_infer.bench.inputs import own_inputs

    servers, named = _servers(
        url,
        bundle,
        model,
        own={"--engine": engine, "--threads": threads, "--device": device, "--cold": cold},
        servers={"--api-key-file": api_key_file, "--ca": ca},
        quiet=quiet,
    )
    rows = options.rows(data, column)
    _check_one_input(url, images=images, data=data, inputs=inputs)
    asked = jobs.Benchmark(
        bundle=named,
        servers=servers,
        batch_sizes=options.numbers("--batch-sizes", batch_sizes),
        callers=options.numbers("--callers", callers),
        engines=options.names(engine),
        threads=options.numbers("--threads", threads) or (None,),
        device=device or "auto",
        images=options.images(images),
        limits=limit_options.limits(max_bytes=max_bytes, max_pixels=max_pixels, max_side=max_side, max_scans=max_scans),
        data=rows,
        inputs=own_inputs(inputs) if inputs else None,
        scenarios=_scenarios(scenario),
        seconds=seconds,
        bound=latency_bound / 1e3,
        rate=rate,
        cold=cold,
    )
    old = comparing.read(compare) if compare else None
    _check_plot(plot, scenario)
    with console.says_when_interrupted("what had been measured by then is above, if anything"):
        with console.listening(quiet=quiet):
            result = jobs.run(asked)
        _show(result, old, everything=batch_sizes is not None, as_json=as_json, quiet=quiet)
        _draw(result, plot)
        if result.interrupted:
            raise KeyboardInterrupt
    if result.error is not None:
        raise result.error
    if result.failed or (rate is not None and not result.holds_rate):
        raise typer.Exit(1)


def _servers(
    urls: list[str] | None,
    bundle: str | None,
    model: str | None,
    *,
    own: dict[str, Any],
    servers: dict[str, Any],
    quiet: bool,
) -> "tuple[Servers | None, str | None]":
    """The servers to measure, and the model to measure in this process. Options that fit neither are refused."""
    from lit_infer.bench.served.opening import Servers
    from lit_infer.bundle import default_model

    if not urls:
        if given := [name for name, value in servers.items() if value]:
            raise UsageError(f"{given[0]} is for servers: give --url too")
        if bundle and model:
            raise UsageError(f"two models are named, {bundle} and --model {model}: give only one")
        return None, bundle or model or default_model()
    if given := [name for name, value in own.items() if value]:
        if bundle is None:
            beside = "Name a model to measure beside it: lit-bench MODEL --url ..."
            raise UsageError(f"{given[0]} is for a model in this process; a server has its own. {beside}")
        if not quiet:
            console.note(f"{', '.join(given)}: for {bundle} in this process; the servers have their own")
    return Servers(tuple(urls), model, servers["--api-key-file"], servers["--ca"]), bundle


def _check_one_input(url: list[str] | None, *, images: Path | None, data: Path | None, inputs: Path | None) -> None:
    if data is None:
        return
    if url:
        raise UsageError("--data is for a model in this process: send a server arrays, --inputs FILE.npz")
    for option, given in (("--from", images), ("--inputs", inputs)):
        if given is not None:
            raise UsageError(f"--data and {option} both say what is measured: give only one")


def _scenarios(scenario: str | None) -> "list[Scenario]":
    from lit_infer.bench.scenarios import SCENARIOS

    if scenario is None:
        return []
    if scenario not in (*_SCENARIOS, "all"):
        raise UsageError(f"--scenario {scenario!r}: use all or {', '.join(_SCENARIOS)}")
    return [SCENARIOS[name] for name in _SCENARIOS if scenario in (name, "all")]


def _check_plot(plot: Path | None, scenario: str | None) -> None:
    from lit_infer.bench import plot as plotting

    if plot is None:
        return
    plotting.check(plot)
    if scenario is not None:
        raise UsageError("--plot draws a sweep, which --scenario replaces: give one of the two")


def _show(result: "BenchResult", old: Any, *, everything: bool, as_json: bool, quiet: bool) -> None:
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


def _draw(result: "BenchResult", plot: Path | None) -> None:
    from lit_infer.bench import plot as plotting

    if plot is None or not result.rows:
        return
    machine = result.environment
    plotting.save(plot, result.rows, title=f"{result.name} on {machine['cpu']}, {machine['cores']} cores")
    console.note(f"wrote {plot}")


def main() -> None:
    """The console script."""
    others = {"tune": tune_app, "plan": plan_app}
    if (name := "".join(sys.argv[1:2])) in others:
        sys.argv[:2] = [f"{sys.argv[0]} {name}"]
        console.run(others[name])
    else:
        console.run(app)
