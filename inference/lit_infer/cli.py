"""`lit-infer PATH...`: predict images from the command line, or with `--self-test` test the model itself.

`lit-infer explain MODEL`: how it would run here. `lit-infer doctor`: what is installed here.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lit_infer import console, limit_options, parts_cli, tile_options

if TYPE_CHECKING:
    from lit_infer.folder.job import Job
    from lit_infer.folder.rows.answered import AnsweredBlock
    from lit_infer.folder.sources import Inputs
    from lit_infer.folder.table import Table
    from lit_infer.folder.tally import Summary
    from lit_infer.predictor import Predictor
    from lit_infer.tasks import Ask

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
explain_app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
doctor_app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_EXAMPLES = """Examples:

\b
  lit-infer cat.jpg
  lit-infer images/ --model artifacts/bundles/digits-cnn-v0 --top-k 3
  lit-infer 'images/**/*.png' s3://bucket/more/ shard-0001.tar -o out.parquet
  find images -newer last | lit-infer - --json | jq .label
  lit-infer batch.npz --model my-tensors -o out.npz
  lit-infer customers.csv --model my-table --column age=alter --keep id,name
  cat lines.txt | lit-infer - --model my-texts --json
  lit-infer recordings/ --model my-sounds
  lit-infer clip.mp4 --every 0.5s -o frames.csv
  lit-infer scans/ --tiles 512 --max-pixels 400000000 --max-bytes 2000000000
  lit-infer images/ --report out.html --sort-into sorted/ --threshold 0.8
  lit-infer --self-test artifacts/bundles/digits-cnn-v0 --verify-key key.pem
  lit-infer explain artifacts/bundles/digits-cnn-v0
  lit-infer doctor
  lit-infer images/ --shard 0/16 -o out/     (one of 16 parts of the work)
  lit-infer merge out/ -o all.parquet        (when all parts are done)
"""

_BATCH_SIZE = "Images or rows per run of the graph; if not given, what lit-bench tune found, else 8, or 64 small rows."
_ENGINE = "auto, or the format to run, as in onnx or onnx:cuda; what is named is used or refused."
_PATHS = "Files, folders, 'globs', .tar and .zip files, s3://… URLs; @FILE lists paths, - reads them from stdin."
_COLUMN = "For rows: the column of the files that holds an input of the model. May be repeated."
_KEEP = "For rows: columns to carry over into the output, separated by commas."
_EVERY = "Of a video: each N-th frame, or a frame each 0.5s; all if not given."
_SELF_TEST = "Test a bundle's graphs on this machine against the answers recorded at export; takes no images."
_SHARD = "Only part I of N, counted from 0, into the folder -o; lit-infer merge joins them."
_VERIFY_KEY = "Refuse a bundle that is unsigned, or changed since the owner of this public key signed it."


@app.command(epilog=_EXAMPLES)
def infer(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH", help=_PATHS)] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help=console.MODEL_HELP)] = None,
    column: Annotated[list[str] | None, typer.Option(metavar="INPUT=NAME", help=_COLUMN)] = None,
    keep: Annotated[str | None, typer.Option(metavar="NAMES", help=_KEEP)] = None,
    every: Annotated[str | None, typer.Option(metavar="N|TIME", help=_EVERY)] = None,
    top_k: Annotated[
        int | None, typer.Option("--top-k", "-k", min=1, help="Classes to record per image; 5 if not given.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Below this score an image gets no label; above it, it is anomalous.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", "-b", min=1, max=4096, help=_BATCH_SIZE)] = None,
    device: Annotated[str, typer.Option(help=console.DEVICE_HELP)] = "auto",
    engine: Annotated[str, typer.Option(help=_ENGINE)] = "auto",
    precision: Annotated[str, typer.Option(help=console.PRECISION_HELP)] = "auto",
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A line per image or row: a .jsonl, .csv or .parquet file; .npz or .npy for arrays."
        ),
    ] = Path("predictions.jsonl"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON lines; write no file.")] = False,
    embeddings: Annotated[
        Path | None, typer.Option(help="The model's output, a float32 row per image: an .npy file.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="For segmentation: where the mask PNGs go; beside --output if not given."),
    ] = None,
    made_images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="For models that make pictures: where these go, as with --masks."),
    ] = None,
    maps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For anomalies: where the heat maps go, as with --masks.")
    ] = None,
    nearest: Annotated[
        Path | None, typer.Option(metavar="FOLDER|FILE.npy", help="For embeddings: the most similar images of these.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Copies of the images with what was found drawn in.")
    ] = None,
    coco: Annotated[
        Path | None,
        typer.Option(help="For boxes, points, pixels: what was found, as COCO's JSON: a .json file.", metavar="PATH"),
    ] = None,
    rle: Annotated[
        bool, typer.Option("--rle", help="For classes of pixels: those of each in the row, as runs.")
    ] = False,
    explode: Annotated[
        bool, typer.Option("--explode", help="For boxes and points: a row for each, not for each image.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="A page to look through: an .html file.")] = None,
    thumbnails: Annotated[int, typer.Option(min=0, help="At most so many images in the page.")] = 2000,
    sort_into: Annotated[Path | None, typer.Option(help="Copy each image into DIR/label/.", metavar="DIR")] = None,
    hard_links: Annotated[bool, typer.Option("--hard-links", help="Link instead of copying.")] = False,
    timings: Annotated[bool, typer.Option("--timings", help="Milliseconds of each stage in each row.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run of the same command.")] = False,
    shard: Annotated[str | None, typer.Option(metavar="I/N", help=_SHARD)] = None,
    max_errors: Annotated[
        str | None, typer.Option(metavar="N|P%", help="Stop when more images than this have failed.")
    ] = None,
    tiles: tile_options.TileSize = None,
    tile_overlap: tile_options.TileOverlap = None,
    max_bytes: limit_options.MaxBytes = None,
    max_pixels: limit_options.MaxPixels = None,
    max_side: limit_options.MaxSide = None,
    max_scans: limit_options.MaxScans = None,
    verify_key: Annotated[Path | None, typer.Option(metavar="PUBLIC.pem", help=_VERIFY_KEY)] = None,
    self_test: Annotated[str | None, typer.Option(metavar="BUNDLE", help=_SELF_TEST)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Predict images, recordings, texts, rows of tables or arrays: files, or all that are below a folder.

    Prints a table, writes one row for each to predictions.jsonl. What cannot be read becomes a row with its
    error; the run goes on and exits 1. If the images lie in folders named after the model's classes,
    the accuracy is printed too. The results of an interrupted run are kept for --resume.
    """
    if self_test is not None:
        _refuse_others(context, of="self_test", taken={"device", "engine", "verify_key", "as_json", "quiet"})
        _test(self_test, device=device, engine=engine, verify_key=verify_key, as_json=as_json, quiet=quiet)
        return
    if not paths:
        context.fail("Missing argument 'PATH...': name images, folders or archives.")
    _check_output(context)
    # Imported here, so that --help answers without numpy.
    from lit_infer import bundle, images
    from lit_infer.folder import answer_files, arguments, output_checks, shards
    from lit_infer.folder.job import ErrorLimit, Job
    from lit_infer.predictor import load

    job = Job(
        top_k=top_k,
        batch_size=batch_size,
        limits=limit_options.limits(max_bytes=max_bytes, max_pixels=max_pixels, max_side=max_side, max_scans=max_scans),
        threshold=threshold,
        timings=timings,
        output=None if as_json else output,
        embeddings=embeddings,
        masks=masks,
        images=made_images,
        maps=maps,
        draw=draw,
        nearest=nearest,
        coco=coco,
        rle=rle,
        explode=explode,
        report=report,
        thumbnails=thumbnails,
        sort_into=sort_into,
        hard_links=hard_links,
        columns=console.pairs(column, option="--column"),
        keep=tuple(name for name in (keep or "").split(",") if name),
        max_errors=None if max_errors is None else ErrorLimit(max_errors),
        resume=resume,
    )
    if shard is not None:
        job = shards.part_of(job, shard, sys.argv[1:])
    inputs = arguments.parse(paths, every=every)
    output_checks.check(job, inputs)
    named = model or bundle.default_model()
    predictor = load(
        _verified(named, verify_key),
        device=device,
        engine=engine,
        precision=precision,
        tiles=tile_options.tiles(tiles, tile_overlap),
    )
    if not quiet:
        cut = f", tiles of {predictor.tiles_words()}" if predictor.tiles is not None else ""
        console.note(f"model {named} ({predictor.manifest.identity()}) on {predictor.device}, {predictor.engine}{cut}")
    if predictor.manifest.spec.takes_images:
        inputs = inputs.of(images.suffixes(predictor.manifest.preprocess))
    parts_cli.exit_if_finished(job, inputs, predictor, quiet=quiet)
    summary = _predict(predictor, inputs, job, as_json=as_json, quiet=quiet)
    job = answer_files.with_files(job, summary.table)
    if not quiet:
        _show(summary, job, model=f" --model {named}" if model else "")
    for row in summary.first_failed if quiet and not summary.table.task.takes_images else ():
        if row["row"] is None:  # a whole file, and not a row of many
            console.note(f"{row['path']}: {row['error']}")
    if summary.failed:
        raise typer.Exit(1)


@explain_app.command()
def explain(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Bundle, graph file or reference.")],
    device: Annotated[str, typer.Option(help=console.DEVICE_HELP)] = "auto",
    engine: Annotated[str, typer.Option(help=_ENGINE)] = "auto",
    precision: Annotated[str, typer.Option(help=console.PRECISION_HELP)] = "auto",
    verify_key: Annotated[Path | None, typer.Option(metavar="PUBLIC.pem", help=_VERIFY_KEY)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say how a model runs on this machine: engine, device, threads, batch, precision, memory."""
    from lit_infer.explain import explain as explained

    facts = explained(_verified(model, verify_key), device=device, engine=engine, precision=precision)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    for name, value in facts.items():
        console.out.print(f"{name:<12} {value}", markup=False)


@doctor_app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """Say what is installed here, what is not, and what to do about it. Exit 1 if no engine is here to run a model."""
    from lit_infer import doctor as examined

    findings = examined.doctor()
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            console.out.print(str(finding), markup=False)
    if not examined.can_run(findings):
        raise typer.Exit(1)


def _predict(predictor: "Predictor", inputs: "Inputs", job: "Job", *, as_json: bool, quiet: bool) -> "Summary":
    """Run the job; rows to stdout where they were asked for, progress to stderr."""
    from lit_infer import folder
    from lit_infer.folder import exploding, image_rows
    from lit_infer.folder.rows import writing
    from lit_infer.folder.rows.running import row_inputs

    kept = "nothing has been kept" if as_json else "the same command with --resume continues from here"
    takes_images = predictor.manifest.spec.takes_images
    if names := predictor.manifest.image_names:
        rows = image_rows.of_rows(inputs, names, job.columns, model=predictor.manifest.name)
        count = rows.count
    else:
        count = inputs.count if takes_images else row_inputs(predictor, inputs, job).count
    noun = "images" if takes_images and not names else "rows"
    with console.says_when_interrupted(kept), console.image_progress(count, quiet=quiet, noun=noun) as advance:
        columns = folder.Table.of(predictor.manifest).columns if job.explode else {}

        def each(row: dict[str, Any]) -> None:
            if as_json:
                for one in exploding.exploded([row], columns):
                    typer.echo(json.dumps(one, ensure_ascii=False))
            advance(1, row["error"] is not None)

        def each_block(block: "AnsweredBlock", table: "Table", ask: "Ask") -> None:
            if as_json:
                typer.echo(writing.json_lines(block.columns(table, ask)), nl=False)
            advance(block.count, len(block.errors))

        summary = folder.run_job(predictor, inputs, job, each=each, each_block=each_block)
    if as_json and (summary.skipped or summary.notes):
        typer.echo(json.dumps({"skipped": summary.skipped, "notes": summary.notes}))
    return summary


def _show(summary: "Summary", job: "Job", *, model: str) -> None:
    """The result of a run; the first rows too, unless all were printed."""
    from lit_infer.folder import report, tally

    if job.output is not None and summary.count and (summary.table.has_answers or summary.failed):
        console.out.print(report.predictions_table(summary, rows=tally.SHOWN))
        if summary.table.has_answers and (left := summary.count - tally.SHOWN) > 0:
            console.out.print(f"… and {left} more", style="dim")
    for line in report.summary_lines(summary, written=job.written()):
        console.note(line)
    if job.shard is not None and job.output is not None:
        console.note(f"next: lit-infer merge {job.output.parent} -o all.parquet (when every part is there)")
        return
    console.note(f"next: lit-bench{model} (how fast is it here?)")


def _test(model: str, *, device: str, engine: str, verify_key: Path | None, as_json: bool, quiet: bool) -> None:
    """Test a bundle on this machine; exit 1 if it should not be used."""
    from lit_infer import self_test

    result = self_test.self_test(
        _verified(model, verify_key), device=device, engine=None if engine == "auto" else engine
    )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result), ensure_ascii=False))
    elif not quiet:
        console.out.print(self_test.table(result))
    if not quiet or not result.ok:
        for line in self_test.lines(result):
            console.note(line)
    if not result.ok:
        raise typer.Exit(1)


def _verified(model: str, key: Path | None) -> str:
    """The model; with a key the folder that was verified, so that a reference is not resolved twice."""
    if key is None:
        return model
    from lit_infer import signature

    return str(signature.verified(model, public_key=key))


def _refuse_others(context: typer.Context, *, of: str, taken: set[str]) -> None:
    """Refuse options that would do nothing."""
    for parameter in context.command.params:
        if _is_given(context, str(parameter.name)) and parameter.name not in {of, *taken}:
            name = parameter.opts[0] if parameter.param_type_name == "option" else "images"
            context.fail(f"--{of.replace('_', '-')} takes no {name}.")


def _check_output(context: typer.Context) -> None:
    if context.params["as_json"] and _is_given(context, "output"):
        context.fail("--json prints the rows and writes no file: leave out --json or --output.")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def main() -> None:
    """The console script. A file that is called as a command is, such as explain, is given as ./explain."""
    commands = {"explain": explain_app, "doctor": doctor_app, "merge": parts_cli.merge_app}
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in commands:
        sys.argv[:2] = [f"{sys.argv[0]} {name}"]
    console.run(commands.get(name, app))
