"""What all commands share at the terminal: where text goes, how errors look, which exit code the process has."""

import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Thread
from typing import Any, NoReturn

import typer
from rich.console import Console

from lit_infer import progress, streams
from lit_infer.errors import LitError, UsageError

MODEL_HELP = "Bundle, graph file or reference. Else $LIT_MODEL, else the newest bundle in artifacts/."
PRECISION_HELP = (
    "auto (fp32 before others), fp32, fp16, bf16 or int8: used or refused. auto:int8: if there is one, else fp32."
)
DEVICE_HELP = "auto, cpu, cuda or cuda:N; what is named is used or refused."

_INTERRUPTED = 130  # the exit code of a process that Ctrl-C ended
_interrupt_is_reported = False

# Results go to stdout, everything about the work to stderr: a pipe gets results only.
out = Console(highlight=False, soft_wrap=True, emoji=False)
err = Console(highlight=False, soft_wrap=True, stderr=True, emoji=False)
if not out.is_terminal:
    out.width = 10_000  # a pipe has no width at which to wrap a path


def note(text: str) -> None:
    """A line about the work."""
    err.print(text, markup=False)


@contextmanager
def step_progress(task: str, *, total: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """A progress bar while the block runs; the block calls what it gets once per step."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal, transient=True) as bar:
        number = bar.add_task(task, total=total)
        yield lambda: bar.advance(number)


@contextmanager
def transfer_progress(task: str) -> Iterator[progress.Transferred]:
    """A progress bar in bytes while the block runs; the block calls what it gets with the bytes so far and in all."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(24), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, disable=not err.is_terminal, transient=True) as bar:
        number = bar.add_task(task, total=None)
        yield lambda done, total: bar.update(number, completed=done, total=total)


@contextmanager
def image_progress(
    count: Callable[[], int | None], *, quiet: bool, noun: str = "images"
) -> Iterator[Callable[[int, int], None]]:
    """A progress bar with images/s, time left and errors; the block calls what it gets with how many more are done,
    and how many of them failed.

    `noun`: what is counted. `count` runs on a thread of its own, and only after the first result, which it must not
    delay.
    """
    if quiet or not err.is_terminal:
        yield lambda _, __: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate, errors = TextColumn("{task.fields[rate]}"), TextColumn("[red]{task.fields[errors]}[/red]")
    columns = (TextColumn("predict"), BarColumn(24), MofNCompleteColumn(), rate, TimeRemainingColumn(), errors)
    with Progress(*columns, console=err, transient=True) as bar:
        number = bar.add_task("", total=None, rate="", errors="")
        counting = Thread(target=lambda: bar.update(number, total=count()), daemon=True)
        started = time.monotonic()
        done = failed = 0

        def advance(more: int, more_failed: int) -> None:
            nonlocal done, failed
            if not done:
                counting.start()
            done, failed = done + more, failed + more_failed
            rate = f"{done / max(time.monotonic() - started, 1e-3):,.0f} {noun}/s"
            bar.update(number, advance=more, rate=rate, errors=f"{failed} failed" if failed else "")

        yield advance


@contextmanager
def listening(*, quiet: bool) -> Iterator[None]:
    """Show the reports of the work in the block; with `quiet`, only its warnings."""
    said = set[str]()

    def note_once(text: str) -> None:
        if text not in said:
            said.add(text)
            note(text)

    def steps(task: str, total: int) -> AbstractContextManager[Callable[[], None]]:
        return step_progress(task, total=total, quiet=quiet)

    silent = progress.Listener(warn=note)
    shown = progress.Listener(note=note, note_once=note_once, warn=note, transfer=transfer_progress, steps=steps)
    with progress.listening(silent if quiet else shown):
        yield


@contextmanager
def says_when_interrupted(text: str) -> Iterator[None]:
    """What Ctrl-C during the block means for the work."""
    global _interrupt_is_reported  # noqa: PLW0603 - `run` must not say it again
    try:
        yield
    except KeyboardInterrupt:
        note(f"interrupted: {text}")
        _interrupt_is_reported = True
        raise


def pairs(given: Sequence[str] | None, *, option: str) -> dict[str, str]:
    """Repeated `NAME=VALUE`s of an option. Raises UsageError for anything else, and for a name that comes twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise UsageError(f"{option} {text}: give NAME=VALUE")
        if name in found:
            raise UsageError(f"{option} {name} is given twice")
        found[name] = value
    return found


def show_version(asked: bool) -> None:
    """The callback of --version."""
    if asked:
        from lit_infer import __version__

        typer.echo(f"lit-deploy {__version__}")
        raise typer.Exit


def run(app: Callable[..., Any]) -> None:
    """Run a command: a user's mistake becomes one or two lines and an exit code, never a traceback."""
    # Pillow only warns of an image that is too large; here it is an error of that image.
    warnings.filterwarnings("error", message="Image size .* exceeds limit")
    streams.repair()
    for stream in (sys.stdout, sys.stderr):  # a file name may hold bytes that are not text
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if isinstance(app, typer.Typer):
        # `| head` ends the command quietly. Not for training, which must outlive a socket that closes.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with listening(quiet=not {"-q", "--quiet"}.isdisjoint(sys.argv)):
            app()
    except LitError as error:
        _fail(str(error), error.exit_code)
    except SystemExit as stop:
        if (
            stop.code == _INTERRUPTED and isinstance(app, typer.Typer) and not _interrupt_is_reported
        ):  # how typer says KeyboardInterrupt
            note("interrupted: nothing that was unfinished has been kept")
        raise
    except KeyboardInterrupt:
        note("interrupted")
        sys.exit(_INTERRUPTED)
    except OSError as error:  # a full disk, a folder without permission
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{where}", 1)


def _fail(message: str, exit_code: int) -> NoReturn:
    err.print("error:", style="bold red", end=" ")
    note(message)
    sys.exit(exit_code)
