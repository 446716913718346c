"""`lit-export onnx|torchscript|all`: from a checkpoint to a verified bundle."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lit_infer import console
from lit_infer.errors import require

if TYPE_CHECKING:
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
  lit-export torchscript --checkpoint last.ckpt --out bundles/net
""",
)

Artifact = Annotated[
    str | None, typer.Option("--artifact", "-a", help="The checkpoint's reference: entity/project/name:alias.")
]
CheckpointPath = Annotated[Path | None, typer.Option("--checkpoint", "-c", help="The checkpoint's path.")]
ClassPath = Annotated[
    str | None,
    typer.Option("--class", help="pkg.mod:Cls of the LightningModule; it is imported. Not needed for lit_trainer's."),
]
Spec = Annotated[
    Path | None,
    typer.Option("--spec", help="YAML: task, preprocess, normalize, labels. Else the checkpoint's own."),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The bundle's folder. Else one below artifacts/bundles/.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")]


_COMMANDS: "dict[str, tuple[list[Format], str]]" = {
    "onnx": (["onnx"], "ONNX, for onnxruntime and most other runtimes. Start here."),
    "torchscript": (
        ["torchscript"],
        "TorchScript by trace, for torch and libtorch. Legacy: PyTorch has deprecated it.",
    ),
    "all": (["onnx", "torchscript"], "Every format; one that fails does not stop the others."),
}


def _command(to: "list[Format]") -> Callable[..., None]:
    """The command that exports to some formats; all take the same options."""

    def command(
        artifact: Artifact = None,
        checkpoint: CheckpointPath = None,
        class_path: ClassPath = None,
        spec: Spec = None,
        out: Out = None,
        quiet: Quiet = False,
    ) -> None:
        require("torch", extra="export", purpose="lit-export")
        require("lightning", extra="export", purpose="lit-export")
        from lit_export import report
        from lit_export.pipeline import export

        bundle = export(
            artifact=artifact,
            checkpoint=checkpoint,
            to=to,
            class_path=class_path,
            spec=spec,
            out=out,
            command=shlex.join(["lit-export", *sys.argv[1:]]),
            stage=(lambda _: None) if quiet else console.note,
        )
        console.out.print(report.graphs_table(bundle.attempted))
        for line in report.failures(bundle):
            console.note(line)
        if not quiet:
            for line in report.ending(bundle):
                console.note(line)
        if bundle.failed:
            raise typer.Exit(1)

    return command


for _name, (_formats, _help) in _COMMANDS.items():
    app.command(_name, help=_help)(_command(_formats))


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
