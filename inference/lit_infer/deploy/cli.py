"""`lit-serve containerize MODEL --out DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from lit_infer import console

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

_EXAMPLES = """Examples:

\b
  lit-serve containerize artifacts/bundles/digits-cnn-v0 --out image/
  lit-serve containerize user/proj/digits-export:production --out image/ --cpus 4 --extra trace
"""

_ENGINE = "auto, or the format to run, such as onnx."
_IMAGE = "The image's name and tag; lit-serve/NAME:DIGEST if not given."
_BASE = "The Python image to build on, best as NAME@sha256:DIGEST."
_EXTRA = "More parts of lit-deploy, such as heif or trace. May be repeated."


@app.command(epilog=_EXAMPLES)
def containerize(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Bundle, graph file or reference; it goes in.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder.")],
    image: Annotated[str | None, typer.Option(metavar="NAME:TAG", help=_IMAGE)] = None,
    base: Annotated[str | None, typer.Option(metavar="IMAGE", help=_BASE)] = None,
    cpus: Annotated[
        int | None, typer.Option(min=1, help="Cores for a server; what lit-bench tune found, or 2.")
    ] = None,
    memory: Annotated[int | None, typer.Option(min=64, metavar="MIB", help="Memory for a server.")] = None,
    engine: Annotated[str, typer.Option(help=_ENGINE)] = "auto",
    precision: Annotated[str, typer.Option(help=console.PRECISION_HELP)] = "auto",
    extra: Annotated[list[str] | None, typer.Option(metavar="NAME", help=_EXTRA)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")] = False,
) -> None:
    """Write what builds and deploys an image that serves MODEL: Containerfile, compose file, Kubernetes, systemd.

    Every package is pinned by hash, the model goes in as it is. Nothing is built, and no registry is reached.
    """
    from lit_infer.deploy.containerize import Asked
    from lit_infer.deploy.containerize import containerize as containerized

    asked = Asked(
        engine=engine,
        precision=precision,
        image=image,
        base=base,
        cpus=cpus,
        memory=memory,
        extras=tuple(extra or ()),
    )
    made = containerized(model, out, asked)
    if quiet:
        return
    for note in made.notes:
        console.note(f"note: {note}")
    console.note(f"written to {made.folder}")
    console.note(f"next: podman build --format docker --tag {made.image} {made.folder}")
