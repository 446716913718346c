"""Options that the commands of `lit-bench` share, and how their values are parsed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lit_infer import console
from lit_infer.errors import UsageError

if TYPE_CHECKING:
    from lit_infer.bench.row_file import RowFile
    from lit_infer.images import ImageInput

From = Annotated[
    Path | None, typer.Option("--from", metavar="PATH", help="Images to read, decode and resize as part of each call.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Rows, or a folder of recordings, for models that take no images: prepared in each call.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="INPUT=NAME", help="What --data calls an input of the model. May be repeated."),
]
Json = Annotated[bool, typer.Option("--json", help="Print everything that was measured, and the environment, as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
Version = Annotated[
    bool, typer.Option("--version", callback=console.show_version, is_eager=True, help="Show the version.")
]


def images(path: Path | None) -> "list[ImageInput]":
    """The files of --from."""
    from lit_infer.folder import list_images

    return list(list_images([path])) if path is not None else []


def rows(path: Path | None, columns: list[str] | None) -> "RowFile | None":
    """The file of --data. Raises UsageError for columns without it."""
    from lit_infer.bench.row_file import RowFile

    named = console.pairs(columns, option="--column")
    if path is None and named:
        raise UsageError("--column says what --data calls an input: give --data FILE too")
    return RowFile(path, named) if path is not None else None


def numbers(option: str, text: str | None) -> list[int]:
    """Whole numbers separated by commas: sorted, each once."""
    if text is None:
        return []
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise UsageError(f"{option} {text!r}: expected whole numbers from 1 to 4096, separated by commas, as in 1,8,32")
    return sorted({int(part) for part in parts})


def names(text: str | None) -> list[str]:
    """Words separated by commas."""
    return [part.strip() for part in text.split(",")] if text else []
