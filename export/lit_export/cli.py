"""`lit-export FORMAT`: from a checkpoint to a verified bundle; and what one does with bundles: inspect, sign."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
  lit-export onnx -c last.ckpt --precision fp32,int8 \\
      --calibration photos/ --data labelled/
  lit-export inspect last.ckpt

Exit codes: 0 all done; 1 a check failed, and the reason is shown; 2 what was asked for makes no sense as asked.
""",
)

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")
Many = list[str] | None

Artifact = Annotated[
    str | None,
    typer.Option(
        "--artifact", "-a", metavar="REFERENCE", help="The checkpoint's reference: entity/project/name:alias."
    ),
]
CheckpointPath = Annotated[
    str | None,
    typer.Option("--checkpoint", "-c", metavar="FILE|URL", help="The checkpoint's path or URL (https, s3, gs)."),
]
ClassPath = Annotated[
    str | None,
    typer.Option(
        "--class",
        metavar="PKG.MOD:CLS",
        help="The LightningModule's class; it is imported, from the current folder too. Not needed for lit_trainer's.",
    ),
]
Trust = Annotated[
    Many,
    typer.Option("--trust-package", metavar="PKG", help="A package whose classes the checkpoint may name. Repeatable."),
]
Hparam = Annotated[
    Many,
    typer.Option(
        "--hparam", metavar="KEY=VALUE", help="For the module's __init__, over the recorded ones. Repeatable."
    ),
]
Submodule = Annotated[
    str | None, typer.Option(metavar="PATH", help="Export this part of the module, as in encoder.backbone.")
]
Weights = Annotated[
    str | None, typer.Option(metavar="ema|model", help="Which weights, where the checkpoint holds both.")
]
Spec = Annotated[
    str | None,
    typer.Option(
        "--spec",
        metavar="FILE",
        help="YAML: task, preprocess, normalize, labels; or torchvision:ResNet18_Weights.IMAGENET1K_V1. "
        "Else the checkpoint's own, else a bare tensor graph.",
    ),
]
Precision_ = Annotated[
    str,
    typer.Option(
        "--precision",
        metavar="NAMES",
        help="fp32, fp16, bf16, int8; several with commas. Inputs and outputs stay what they are.",
    ),
]
Input = Annotated[
    Many,
    typer.Option(
        "--input",
        metavar="SHAPE",
        help="[name=]3x224x224[:dtype], without the batch, for a bare tensor graph. Repeatable.",
    ),
]
StaticBatch = Annotated[int | None, typer.Option(min=1, help="Freeze the batch at this size. Else any batch.")]
Dynamic = Annotated[
    str | None,
    typer.Option(metavar="SIDES", help="More dynamic sides, with commas: height,width or NAME=AXIS, as in length=1."),
]
Opset = Annotated[int, typer.Option(help="The ONNX opset; the export fails if the file has another.")]
Int8Keep = Annotated[
    Many,
    typer.Option(
        "--int8-keep", metavar="PATTERN", help="Node, operator or pattern that int8 leaves in float. Repeatable."
    ),
]
Images = Annotated[Path | None, typer.Option(help="Images to compare on. Else seeded noise.")]
Calibration = Annotated[
    Path | None, typer.Option(help="Images, or a training configuration, for int8; at least 128 images.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Labelled images (a folder per class, or metadata.csv beside them) or a training configuration: measure "
        "each graph's score."
    ),
]
ThresholdsFrom = Annotated[
    Path | None,
    typer.Option(
        "--thresholds-from",
        help="Labelled images (metadata.csv beside them) or a training configuration: for each label of a multi-label "
        "model, choose the threshold with the best F1.",
    ),
]
MaxDrop = Annotated[float, typer.Option(help="The score that a graph may lose on --data, 0 to 1.")]
Atol = Annotated[
    float | None, typer.Option(help="Tolerance: this share of the largest answer. Else the precision's own.")
]
Rtol = Annotated[float | None, typer.Option(help="Tolerance: this share of each answer. Else the precision's own.")]
KeepAnyway = Annotated[bool, typer.Option("--keep-anyway", help="Keep int8 even where it is not faster here.")]
Aot = Annotated[bool, typer.Option("--aot", help="With pt2: also pack a native library for this kind of host.")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The bundle's folder. Else one below artifacts/bundles/.")
]
License = Annotated[str | None, typer.Option(help="The weights' licence, for the model card: an SPDX identifier.")]
TimeLimit = Annotated[float, typer.Option(min=1, help="Seconds for each format, where there are several.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]


def _command(to: "list[FormatName]") -> Callable[..., None]:
    """The command that exports to some formats; all take the same options."""

    def command(
        artifact: Artifact = None,
        checkpoint: CheckpointPath = None,
        class_path: ClassPath = None,
        hparam: Hparam = None,
        trust: Trust = None,
        submodule: Submodule = None,
        weights: Weights = None,
        spec: Spec = None,
        input: Input = None,  # noqa: A002 - the option's name
        out: Out = None,
        precision: Precision_ = "fp32",
        dynamic: Dynamic = None,
        static_batch: StaticBatch = None,
        opset: Opset = 20,
        aot: Aot = False,
        calibration: Calibration = None,
        int8_keep: Int8Keep = None,
        keep_anyway: KeepAnyway = False,
        images: Images = None,
        data: Data = None,
        thresholds_from: ThresholdsFrom = None,
        max_drop: MaxDrop = 0.005,
        atol: Atol = None,
        rtol: Rtol = None,
        license: License = None,  # noqa: A002
        time_limit: TimeLimit = 1800.0,
        quiet: Quiet = False,
    ) -> None:
        require("torch", extra="export", purpose="lit-export")
        require("lightning", extra="export", purpose="lit-export")
        from lit_export.hparams import parse_hparam
        from lit_export.options import Options

        options = Options(
            class_path=class_path,
            trust=tuple(trust or ()),
            hparams=dict(map(parse_hparam, hparam or ())),
            submodule=submodule,
            weights=_one_of("--weights", weights, ("model", "ema")) if weights else None,
            spec=spec,
            precisions=tuple(_one_of("--precision", name, _PRECISIONS) for name in precision.split(",")),
            inputs=tuple(input or ()),
            static_batch=static_batch,
            dynamic=tuple(dynamic.split(",")) if dynamic else (),
            opset=opset,
            int8_keep=tuple(int8_keep or ()),
            images=images,
            calibration=calibration,
            data=data,
            thresholds_from=thresholds_from,
            max_drop=max_drop,
            atol=atol,
            rtol=rtol,
            keep_anyway=keep_anyway,
            license=license,
            command=shlex.join(["lit-export", *sys.argv[1:]]),
            time_limit=time_limit,
        )
        formats = _with_aot(to) if aot else to
        _show(_exported(_source(artifact, checkpoint), formats, out=out, options=options, quiet=quiet), quiet=quiet)

    return command


def _with_aot(to: "list[FormatName]") -> "list[FormatName]":
    libraries = [library for name in to if (library := FORMATS[name].library) is not None]
    if not libraries:
        able = ", ".join(row.name for row in FORMATS.values() if row.library)
        raise UsageError(f"--aot goes with {able}, from which the library is compiled; this is {', '.join(to)}")
    return [*to, *libraries]


def _source(artifact: str | None, checkpoint: str | None) -> artifacts.Reference | str:
    if (artifact is None) == (checkpoint is None):
        raise UsageError("give either --artifact REFERENCE or --checkpoint PATH")
    return artifacts.parse(artifact) if artifact is not None else str(checkpoint)


def _exported(
    source: artifacts.Reference | str, to: "list[FormatName]", *, out: Path | None, options: "Options", quiet: bool
) -> "Bundle":
    with console.listening(quiet=quiet):
        if len(to) > 1:
            from lit_export.isolated import export_isolated

            return export_isolated(source, to, out=out, options=options)
        from lit_export.pipeline import export

        return export(source, to, out=out, options=options)


def _show(bundle: "Bundle", *, quiet: bool) -> None:
    from lit_export import report

    console.out.print(report.graphs_table(bundle.attempted))
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
