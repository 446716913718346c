"""`lit-infer PATH...`: predict images from the command line."""

import json
from pathlib import Path
from typing import Annotated

import typer

from lit_infer import console
from lit_infer.hardware import DEFAULT_BATCH_SIZE

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_ROWS = 10  # of the table; the file has all

_EXAMPLES = """Examples:

\b
  lit-infer cat.jpg
  lit-infer images/ --model artifacts/bundles/digits-cnn-v0 --top-k 3
  lit-infer images/ --model local/digits/digits-cnn-export:latest -o out.csv
  lit-infer images/ --json | jq .label
"""


@app.command(epilog=_EXAMPLES)
def infer(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Image files, and folders to search.")],
    model: Annotated[str | None, typer.Option("--model", "-m", help=console.MODEL_HELP)] = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, help="Classes to record per image.")] = 5,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "-b", min=1, max=4096, help="Images per run of the graph.")
    ] = DEFAULT_BATCH_SIZE,
    device: Annotated[str, typer.Option(help=console.DEVICE_HELP)] = "auto",
    output: Annotated[Path, typer.Option("--output", "-o", help="One row per image: a .jsonl or .csv file.")] = Path(
        "predictions.jsonl"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON lines; write no file.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Predict images: files, or every image below a folder.

    Prints a table, writes one row per image to predictions.jsonl. An image that cannot be read becomes a row
    with its error; the run goes on and exits 1. If the images lie in folders named after the model's classes,
    the accuracy is printed too.
    """
    # Imported here, so that --help answers without numpy.
    from lit_infer import bundle, folder, report
    from lit_infer.predictor import load

    target = None if as_json else output
    if target is not None:
        folder.check_output(target)
    found = folder.list_images(paths)
    named = model or bundle.default_model()
    predictor = load(named, device=device)
    identity = predictor.manifest.identity()
    if not quiet:
        console.note(f"model {named} ({identity}) on {predictor.device}, {predictor.engine}")
    with console.progress("predict", total=len(found), quiet=quiet) as advance:
        summary = folder.run(
            predictor, found, top_k=top_k, batch_size=batch_size, output=target, advance=lambda _: advance()
        )
    if as_json:
        for prediction in summary.predictions:
            typer.echo(json.dumps(folder.row(prediction, model=identity), ensure_ascii=False))
    elif not quiet:
        console.out.print(report.predictions_table(summary, rows=_ROWS))
        if (left := len(found) - _ROWS) > 0:
            console.out.print(f"… and {left} more", style="dim")
    if not quiet:
        for line in report.summary_lines(summary, predictor.manifest):
            console.note(line)
        console.note("next: lit-bench (how fast is it here?)")
    if summary.failed:
        raise typer.Exit(1)


def main() -> None:
    """The console script."""
    console.run(app)
