"""`lit-infer merge DIR`: join the parts that `lit-infer --shard` has made; and what `--shard` says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lit_infer import console

if TYPE_CHECKING:
    from lit_infer.folder.job import Job
    from lit_infer.folder.shards import PartRecord
    from lit_infer.folder.sources import Inputs
    from lit_infer.predictor import Predictor

merge_app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_EXAMPLES = """Examples:

\b
  for part in 0 1 2 3; do lit-infer images/ --shard $part/4 -o out/; done
  lit-infer merge out/ -o all.parquet
"""


@merge_app.command(epilog=_EXAMPLES)
def merge(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that --shard wrote its parts into.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .jsonl, .csv or .parquet file.")] = Path(
        "predictions.jsonl"
    ),
    embeddings: Annotated[Path | None, typer.Option(help="The parts' embeddings: an .npy file.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
) -> None:
    """Join the parts of a run into the file that a run in one piece would have made, byte for byte.

    All parts must be there, of one model, one job and one set of inputs. What is lost is named with its command.
    Exits 1 if images failed, as the run in one piece would have.
    """
    from lit_infer.folder.merging import merge as merged
    from lit_infer.tasks.choices import most_common

    made = merged(folder, output, embeddings=embeddings)
    if not quiet:
        failed = f", {made.failed} failed" if made.failed else ""
        console.note(f"{made.rows} rows of {made.parts} parts{failed}")
        if made.codes:
            console.note(f"errors: {most_common(made.codes)}")
        if len(made.processors) > 1:
            kinds = ", ".join(f"{name} ({count})" for name, count in made.processors.items())
            console.note(f"note: the parts come from different processors, which may differ in last digits: {kinds}")
        console.note(f"written to {output}")
        if embeddings is not None:
            console.note(f"embeddings in {embeddings}")
    if made.failed:
        raise typer.Exit(1)


def exit_if_finished(job: "Job", inputs: "Inputs", predictor: "Predictor", *, quiet: bool) -> None:
    """End the command if it is to resume a part that is finished: job arrays may start one again."""
    from lit_infer.folder import shards
    from lit_infer.folder.job import identity

    if job.shard is None or not job.resume:
        return
    record: PartRecord | None = shards.finished(job, identity(job, inputs, predictor))
    if record is None:
        return
    if not quiet:
        console.note(f"part {job.shard} was finished before: {record.rows} images, {record.failed} failed")
    raise typer.Exit(1 if record.failed else 0)
