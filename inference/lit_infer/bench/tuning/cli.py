"""`lit-bench tune`: find the best settings for a model on this machine, and keep them."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lit_infer import console
from lit_infer.bench import options
from lit_infer.errors import UsageError, require

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lit_infer.bench.tuning.aims import Tuned
    from lit_infer.bench.tuning.candidates import Candidates
    from lit_infer.bench.tuning.serving import ServingWay

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_EXAMPLES = """Examples:

\b
  lit-bench tune
  lit-bench tune --model artifacts/bundles/digits-cnn-v0 --aim latency
  lit-bench tune --aim "p99<20ms" --dry-run
  lit-bench tune --precision auto:int8
  lit-bench tune --serve --from photos/
  lit-bench tune --model my-texts --data reviews.csv --column text=review
"""


@app.command(epilog=_EXAMPLES)
def tune(
    bundle_named: Annotated[str | None, typer.Argument(metavar="MODEL", help=console.MODEL_HELP)] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="The same as MODEL.")] = None,
    aim: Annotated[str, typer.Option(help='latency, throughput, or a bound on latency: "p99<20ms".')] = "throughput",
    batch_sizes: Annotated[
        str | None,
        typer.Option("--batch-sizes", help="Sizes to try, separated by commas; the default is always tried."),
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            help="fp32, fp16, bf16 or int8; auto is the one that load takes; auto:int8 tries both, keeps the quicker. "
            "Another one gives other answers, as close as its proof says."
        ),
    ] = "auto",
    images: options.From = None,
    data: options.Data = None,
    column: options.Columns = None,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Also how lit-serve answers most requests: in threads, or in --processes N."),
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.05, help="Measuring time of each setting.")] = 1.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, only say what was found.")] = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Find the engine, precision, threads and batch size that meet an aim best here, and keep them for this model.

    latency: the least time of one call. throughput: the most images/s over a folder, or rows/s of --data. p99<20ms: the
    most with p99 below 20 ms. On this machine, lit_infer.load, lit-infer and lit-serve then use what was kept.
    """
    from msgspec.structs import replace

    from lit_infer import bundle, settings
    from lit_infer.bench.tuning import aims, candidates, serving
    from lit_infer.bench.tuning import tune as tuning

    wanted = aims.parse_aim(aim)
    if serve:
        require("uvicorn", extra="serve", purpose="tune --serve")
    sizes = options.numbers("--batch-sizes", batch_sizes)
    if bundle_named is not None and model is not None:
        raise UsageError(f"MODEL is {bundle_named} and --model is {model}: give one of them")
    named = bundle_named or model or bundle.default_model()
    rows, files = options.rows(data, column), options.images(images)
    with console.says_when_interrupted("nothing was written"), console.listening(quiet=quiet):
        offered = candidates.open_candidates(named, images=files, data=rows, precision=precision)
        _say_candidates(named, offered)
        total = tuning.steps(offered.subjects, wanted, batch_sizes=sizes)
        with console.step_progress("tune", total=total, quiet=quiet) as advance:
            found = tuning.tune(offered.subjects, wanted, batch_sizes=sizes, seconds=seconds, advance=advance)
        best = replace(offered.settings(found.chosen), processes=settings.read(offered.manifest).processes)
        served = []
        if serve:
            ways = serving.ways()
            with console.step_progress("serve", total=serving.steps(ways), quiet=quiet) as advance:
                served = serving.measured(named, best, ways, like=offered.subjects[0], seconds=seconds, advance=advance)
            best = replace(best, processes=serving.best(served).processes)
    kept = None if dry_run else settings.write(offered.manifest, best)
    if as_json:
        _show_json(named, offered, found, served, kept)
    else:
        _show(found, served, kept, quiet=quiet)


def _say_candidates(named: str, offered: "Candidates") -> None:
    from lit_infer import progress
    from lit_infer.bench.job import tell_rows

    progress.note(f"model {named} ({offered.manifest.identity()})")
    tell_rows(offered.subjects[0], command="lit-bench tune")
    for reason in offered.left_out:
        progress.warn(reason)


def _show_json(
    named: str, offered: "Candidates", found: "Tuned", served: "Sequence[ServingWay]", kept: "Path | None"
) -> None:
    from lit_infer.bench.environment import environment
    from lit_infer.bench.subjects import measured_on

    kind = offered.settings(found.chosen).precision
    data: dict[str, Any] = {"model": named, "identity": offered.manifest.identity(), "precision": kind}
    data |= {"measured_on": measured_on(offered.subjects[0]), "environment": environment(), **found.as_data()}
    if served:
        data["served"] = [asdict(one) for one in served]
    typer.echo(json.dumps({**data, "written": kept and str(kept)}, indent=2))


def _show(found: "Tuned", served: "Sequence[ServingWay]", kept: "Path | None", *, quiet: bool) -> None:
    from lit_infer.bench import report

    console.out.print(report.tried(found))
    for line in report.tuned(found):
        console.out.print(line, markup=False)
    if served:
        console.out.print(report.served(served))
        console.out.print(report.served_best(served), markup=False)
    if not quiet:
        console.note(f"written to {kept}; remove it to have the default again" if kept else "nothing was written")
