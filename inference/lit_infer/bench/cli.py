"""`lit-bench`: latency and throughput of a model's graphs on this machine, side by side."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lit_infer import console
from lit_infer.errors import UsageError

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_SWEEP = (1, 2, 4, 8, 16, 32)

_EXAMPLES = """Examples:

\b
  lit-bench
  lit-bench --model artifacts/bundles/digits-cnn-v0 --batch-sizes 1,8,32
  lit-bench --model model.onnx --json > bench.json
"""


@app.command(epilog=_EXAMPLES)
def bench(
    model: Annotated[str | None, typer.Option("--model", "-m", help=console.MODEL_HELP)] = None,
    batch_sizes: Annotated[
        str | None, typer.Option("--batch-sizes", help="With commas; else a sweep that shows 1 and the best.")
    ] = None,
    device: Annotated[str, typer.Option(help=console.DEVICE_HELP)] = "auto",
    seconds: Annotated[float, typer.Option(min=0.05, help="Measuring time for each line of the sweep.")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that was measured, with the environment.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Measure p50, p90 and p99 latency and images/s of every graph of a model.

    The graphs take turns, so that a noisy machine hurts all alike. Measured on prepared input: decoding and
    resizing are not in these figures.
    """
    # Imported here, so that --help answers without numpy.
    from lit_infer import bundle
    from lit_infer.bench import measure, report

    sizes = _sizes(batch_sizes) if batch_sizes is not None else _SWEEP
    named = model or bundle.default_model()
    subjects, left_out = measure.open_subjects(named, device=device)
    if not quiet:
        console.note(f"model {named} ({subjects[0].predictor.manifest.identity()})")
    for reason in left_out:
        console.note(reason)
    steps = measure.ROUNDS * len(sizes) * len(subjects)
    with console.progress("measure", total=steps, quiet=quiet) as advance:
        rows = measure.measure(subjects, sizes, seconds=seconds, advance=advance)
    place = measure.environment()
    if as_json:
        found = {"model": named, "environment": place, "rows": [asdict(row) for row in rows]}
        typer.echo(json.dumps(found, indent=2))
        return
    console.out.print(report.table(rows, everything=batch_sizes is not None))
    if not quiet:
        console.note(f"{place['cpu']}, {place['cores']} cores. Every batch size: lit-bench --json")


def _sizes(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"--batch-sizes {text!r}: expected whole numbers from 1 to 4096 with commas, as in 1,8,32")
    return sorted({int(part) for part in parts})


def main() -> None:
    """The console script."""
    console.run(app)
