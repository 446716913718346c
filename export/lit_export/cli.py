"""`lit-export FORMAT`: from a checkpoint to a verified bundle; and what one does with bundles: inspect, sign."""

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
    from lit_infer.manifest import Format

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
  lit-export all --checkpoint last.ckpt --class my_package.model:Net --spec spec.yaml
  lit-export onnx --checkpoint last.ckpt --precision fp32,int8 --calibration photos/ --data labelled/
  lit-export onnx --checkpoint last.ckpt --class net.py_module:Net --input 3x224x224
  lit-export inspect last.ckpt
""",
)

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")
Many = list[str] | None

Artifact = Annotated[
    str | None, typer.Option("--artifact", "-a", help="The checkpoint's reference: entity/project/name:alias.")
]
CheckpointPath = Annotated[
    str | None, typer.Option("--checkpoint", "-c", help="The checkpoint's path or URL (https, s3, gs).")
]
ClassPath = Annotated[
    str | None,
    typer.Option("--class", help="pkg.mod:Cls of the LightningModule; it is imported. Not needed for lit_trainer's."),
]
Trust = Annotated[
    Many, typer.Option("--trust-package", help="A package whose classes the checkpoint may name. Repeatable.")
]
Hparam = Annotated[
    Many, typer.Option("--hparam", help="KEY=VALUE for the module's __init__, over the recorded ones. Repeatable.")
]
Submodule = Annotated[str | None, typer.Option(help="Export this part of the module, as in encoder.backbone.")]
Weights = Annotated[str | None, typer.Option(help="ema or model, where the checkpoint holds both.")]
Spec = Annotated[
    str | None,
    typer.Option(
        "--spec",
        help="YAML: task, preprocess, normalize, labels; or torchvision:ResNet18_Weights.IMAGENET1K_V1. "
        "Else the checkpoint's own, else a bare tensor graph.",
    ),
]
Precision_ = Annotated[
    str, typer.Option("--precision", help="fp32, fp16, bf16, int8; several with commas. Inputs and outputs stay fp32.")
]
Input = Annotated[
    Many,
    typer.Option("--input", help="[name=]3x224x224[:dtype], without the batch, for a bare tensor graph. Repeatable."),
]
StaticBatch = Annotated[int | None, typer.Option(min=1, help="Freeze the batch at this size. Else any batch.")]
Dynamic = Annotated[
    str | None, typer.Option(help="More dynamic sides, with commas: height,width or NAME=AXIS, as in length=1.")
]
Opset = Annotated[int, typer.Option(help="The ONNX opset; another in the file is a failure.")]
Int8Keep = Annotated[
    Many, typer.Option("--int8-keep", help="Node, operator or pattern that int8 leaves in float. Repeatable.")
]
Images = Annotated[Path | None, typer.Option(help="Compare on these images too. Else on seeded noise.")]
Calibration = Annotated[
    Path | None, typer.Option(help="Images, or a training configuration, for int8; at least 128 images.")
]
Data = Annotated[
    Path | None,
    typer.Option(help="Labelled images (a folder per class) or a training configuration: measure each graph's score."),
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
License = Annotated[str | None, typer.Option(help="Of the weights, for the model card: an SPDX identifier.")]
TimeLimit = Annotated[float, typer.Option(help="Seconds for each format, where there are several.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]


def _command(to: "list[Format]") -> Callable[..., None]:
    """The command that exports to some formats; all take the same options."""

    def command(
        artifact: Artifact = None,
        checkpoint: CheckpointPath = None,
        class_path: ClassPath = None,
        spec: Spec = None,
        out: Out = None,
        precision: Precision_ = "fp32",
        trust: Trust = None,
        hparam: Hparam = None,
        submodule: Submodule = None,
        weights: Weights = None,
        input: Input = None,  # noqa: A002 - the option's name
        static_batch: StaticBatch = None,
        dynamic: Dynamic = None,
        opset: Opset = 20,
        images: Images = None,
        data: Data = None,
        max_drop: MaxDrop = 0.005,
        atol: Atol = None,
        rtol: Rtol = None,
        calibration: Calibration = None,
        int8_keep: Int8Keep = None,
        keep_anyway: KeepAnyway = False,
        aot: Aot = False,
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


def _with_aot(to: "list[Format]") -> "list[Format]":
    if "pt2" not in to:
        raise UsageError(f"--aot goes with pt2, from which the library is compiled; this is {', '.join(to)}")
    return [*to, "aotinductor"]


def _source(artifact: str | None, checkpoint: str | None) -> artifacts.Reference | str:
    if (artifact is None) == (checkpoint is None):
        raise UsageError("give either --artifact REFERENCE or --checkpoint PATH")
    return artifacts.parse(artifact) if artifact is not None else str(checkpoint)


def _exported(
    source: artifacts.Reference | str, to: "list[Format]", *, out: Path | None, options: "Options", quiet: bool
) -> "Bundle":
    if len(to) > 1:
        from lit_export.apart import export_apart

        return export_apart(source, to, out=out, options=options, note=None if quiet else console.note)
    from lit_export.pipeline import export

    return export(source, to, out=out, options=options, note=(lambda _: None) if quiet else console.note)


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
app.command("all", help="Every format, each in a process of its own; one that fails does not stop the others.")(
    _command([_format.name for _format in FORMATS.values() if _format.in_all])
)


@app.command()
def inspect(
    target: Annotated[str, typer.Argument(metavar="FILE|FOLDER|REFERENCE", help="A checkpoint, graph or bundle.")],
) -> None:
    """Print what a checkpoint, a graph or a bundle is, without running any of its code."""
    from lit_export import inspection

    described = inspection.inspect(target)
    console.out.print(inspection.render(described))
    if described.problems:
        raise typer.Exit(1)


@app.command()
def sign(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")],
    private_key: Annotated[Path, typer.Option("--private-key", help="An EC private key, PEM.")],
) -> None:
    """Sign a bundle, in the OpenSSF model-signing format, with a key of your own. lit-infer --verify-key checks it."""
    from lit_export import sign as signing

    signature = signing.sign(bundle, private_key=private_key)
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
