"""`lit-export FORMAT`: from a checkpoint to a verified bundle; and what one does with bundles: inspect, sign."""

import os
import shlex
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lit_export import cli_options as given
from lit_export.formats import FORMATS
from lit_infer import artifacts, console
from lit_infer.errors import UsageError, require

if TYPE_CHECKING:
    from lit_export.bundle_folder import Bundle
    from lit_export.options import Options
    from lit_infer.manifest import FormatName

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="""Turn a Lightning checkpoint into a bundle of graphs, proven right on the final files.

    Each graph is compared with the eager module through the runtime's own predictor. One that differs is deleted,
    and the command exits 1.""",
    epilog="""Examples:

\b
  lit-export onnx --artifact local/digits/digits-cnn:best
  lit-export all -c last.ckpt --class my_package.model:Net --spec spec.yaml
  lit-export onnx -c last.ckpt --class my_package.model:Net --input 3x224x224
  lit-export onnx -c last.ckpt --class my_package.model:Net \\
      --data-module my_package.data:Data --hparam net.width=64
  lit-export onnx -c last.ckpt --config lightning_logs/version_0/config.yaml
  lit-export onnx -c last.ckpt --config .hydra/config.yaml --config-key model
  lit-export onnx -c last.ckpt --factory make:module --adapter make:Wrap
  lit-export onnx --factory make:module --input 3x224x224
  lit-export onnx -c last.ckpt --class my_package.model:Net --spec task.yaml \\
      --transform my_package.data:val_transform --images photos/
  lit-export onnx -c last.ckpt --precision fp32,int8 \\
      --calibration photos/ --data labelled/
  lit-export inspect last.ckpt

Exit codes: 0 all done; 1 a check failed, and the reason is shown; 2 what was asked for makes no sense as asked.
""",
)

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")


def _command(to: "list[FormatName]") -> Callable[..., None]:
    """The command that exports to some formats; all take the same options."""

    def command(
        artifact: given.Artifact = None,
        checkpoint: given.CheckpointPath = None,
        class_path: given.ClassPath = None,
        hparam: given.Hparam = None,
        trust: given.Trust = None,
        config: given.Config = None,
        config_key: given.ConfigKey = None,
        factory: given.Factory = None,
        adapter: given.Adapter = None,
        use_load_from_checkpoint: given.UseLoadFromCheckpoint = False,
        ignore_keys: given.IgnoreKeys = None,
        strict: given.Strict = "true",
        submodule: given.Submodule = None,
        weights: given.Weights = None,
        spec: given.Spec = None,
        columns: given.Columns = None,
        tokenizer: given.TokenizerPath = None,
        outputs: given.Outputs = None,
        input: given.Input = None,  # noqa: A002 - the option's name
        out: given.Out = None,
        precision: given.Precision_ = "fp32",
        batch_axis: given.BatchAxis = None,
        dynamic: given.Dynamic = None,
        static_batch: given.StaticBatch = None,
        opset: given.Opset = 20,
        aot: given.Aot = False,
        calibration: given.Calibration = None,
        int8_keep: given.Int8Keep = None,
        keep_anyway: given.KeepAnyway = False,
        data_module: given.DataModule = None,
        batch_to_inputs: given.BatchToInputs = None,
        inputs: given.InputFile = None,
        accept_unexercised: given.AcceptUnexercised = False,
        transform: given.Transform = None,
        allow_pixel_difference: given.AllowPixelDifference = "0",
        prepare: given.Prepare = None,
        rows: given.TableRows = None,
        images: given.Images = None,
        data: given.Data = None,
        target: given.TargetColumns = None,
        thresholds_from: given.ThresholdsFrom = None,
        max_drop: given.MaxDrop = 0.005,
        atol: given.Atol = None,
        rtol: given.Rtol = None,
        name: given.Name = None,
        license: given.License = None,  # noqa: A002
        time_limit: given.TimeLimit = 1800.0,
        debug: given.Debug = False,
        quiet: given.Quiet = False,
    ) -> None:
        require("torch", extra="export", purpose="lit-export")
        require("lightning", extra="export", purpose="lit-export")
        from lit_export.front.hparams import parse_hparam
        from lit_export.options import Options

        options = Options(
            class_path=class_path,
            trust=tuple(trust or ()),
            hparams=dict(map(parse_hparam, hparam or ())),
            config=config,
            config_key=config_key,
            factory=factory,
            adapter=adapter,
            use_load_from_checkpoint=use_load_from_checkpoint,
            ignore_keys=tuple(ignore_keys or ()),
            strict=_one_of("--strict", strict, ("true", "false")) == "true",
            submodule=submodule,
            weights=_one_of("--weights", weights, ("model", "ema")) if weights else None,
            spec=spec,
            columns=columns,
            tokenizer=tokenizer,
            outputs=outputs,
            precisions=tuple(_one_of("--precision", one, _PRECISIONS) for one in precision.split(",")),
            inputs=tuple(input or ()),
            static_batch=static_batch,
            batch_axis=tuple(batch_axis.split(",")) if batch_axis else (),
            dynamic=tuple(dynamic.split(",")) if dynamic else (),
            opset=opset,
            int8_keep=tuple(int8_keep or ()),
            data_module=data_module,
            batch_to_inputs=batch_to_inputs,
            input_file=inputs,
            accept_unexercised=accept_unexercised,
            transform=transform,
            allow_pixel_difference=_share("--allow-pixel-difference", allow_pixel_difference),
            prepare=prepare,
            table_rows=rows,
            images=images,
            calibration=calibration,
            data=data,
            target=tuple(target.split(",")) if target else (),
            thresholds_from=thresholds_from,
            max_drop=max_drop,
            atol=atol,
            rtol=rtol,
            keep_anyway=keep_anyway,
            name=name,
            license=license,
            debug=debug,
            command=shlex.join(["lit-export", *sys.argv[1:]]),
            time_limit=time_limit,
        )
        formats = _with_aot(to) if aot else to
        source = _source(artifact, checkpoint, factory)
        _show(_exported(source, formats, out=out, options=options, quiet=quiet), quiet=quiet)

    return command


def _with_aot(to: "list[FormatName]") -> "list[FormatName]":
    libraries = [library for name in to if (library := FORMATS[name].library) is not None]
    if not libraries:
        able = ", ".join(row.name for row in FORMATS.values() if row.library)
        raise UsageError(f"--aot goes with {able}, from which the library is compiled; this is {', '.join(to)}")
    return [*to, *libraries]


def _source(artifact: str | None, checkpoint: str | None, factory: str | None) -> artifacts.Reference | str | None:
    """What is exported; None: what the factory makes, with its own weights."""
    if artifact is None and checkpoint is None and factory is not None:
        return None
    if (artifact is None) == (checkpoint is None):
        raise UsageError("give either --artifact REFERENCE or --checkpoint PATH")
    from lit_export.front import artifact_file

    return artifact_file.parse(artifact) if artifact is not None else str(checkpoint)


def _exported(
    source: artifacts.Reference | str | None,
    to: "list[FormatName]",
    *,
    out: Path | None,
    options: "Options",
    quiet: bool,
) -> "Bundle":
    from lit_export.formats.hushed import others_to_stderr

    with console.listening(quiet=quiet), others_to_stderr():
        if len(to) > 1:
            from lit_export.isolated import export_isolated

            return export_isolated(source, to, out=out, options=options)
        from lit_export.pipeline import export

        return export(source, to, out=out, options=options)


def _show(bundle: "Bundle", *, quiet: bool) -> None:
    from lit_export import report

    console.out.print(report.graphs_table(bundle.attempted, bundle.manifest.proof))
    for line in report.failures(bundle):
        console.note(line)
    if not quiet:
        for line in (*report.scores(bundle), *report.ending(bundle)):
            console.note(line)
    if bundle.failed:
        raise typer.Exit(1)


for _format in FORMATS.values():
    app.command(_format.name, help=_format.help)(_command([_format.name]))
_ALL: "list[FormatName]" = [_format.name for _format in FORMATS.values() if _format.in_all]
app.command(
    "all",
    help=f"All of {', '.join(_ALL)}. Each in a process of its own: one that fails does not stop the others. "
    "What needs a compiler or a GPU is made when asked for.",
)(_command(_ALL))


@app.command()
def inspect(
    target: Annotated[str, typer.Argument(metavar="FILE|FOLDER|REFERENCE", help="A checkpoint, graph or bundle.")],
) -> None:
    """Print what a checkpoint, graph or bundle is.

    None of its code is run, and torch is not needed.
    """
    from lit_export import inspection

    described = inspection.inspect(target)
    console.out.print(inspection.render(described))
    if described.problems:
        raise typer.Exit(1)


@app.command()
def sign(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")],
    private_key: Annotated[Path, typer.Option("--private-key", help="An EC private key, PEM.")],
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", metavar="NAME", help="The environment variable with the key's password."),
    ] = None,
) -> None:
    """Sign a bundle with a key of your own.

    In the OpenSSF model-signing format; lit-infer --verify-key checks it.
    """
    from lit_export import sign as signing

    password = os.environ.get(password_env) if password_env else None
    if password_env and not password:
        raise UsageError(f"--password-env {password_env}: the environment has no such variable, or it is empty")
    signature = signing.sign(bundle, private_key=private_key, password=password)
    console.note(f"signed: {signature}")
    console.note(f"next: lit-infer images/ --model {bundle} --verify-key PUBLIC.pem")


def _share(option: str, given: str) -> float:
    """A number, or a fraction such as 1/255."""
    try:
        return float(Fraction(given.replace(" ", "")))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} {given!r}: expected a number or a fraction, as in 1/255") from None


def _one_of(option: str, given: str, choices: tuple[Any, ...]) -> Any:
    if given.strip() not in choices:
        raise UsageError(f"{option} {given!r}: expected one of {', '.join(choices)}")
    return given.strip()


@app.callback()
def _version(
    _: Annotated[
        bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script."""
    console.run(app)
