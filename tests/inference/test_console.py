"""`console.run` in processes of its own: what is tested is how a process ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

APP = """
import os, signal, sys
import typer
from lit_infer import console, errors

app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)

@app.command()
def command():
    {body}

console.run(app)
"""


def run(body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-c", APP.format(body=body)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("errors.UsageError('{}')", 2),
        ("errors.NotFoundError('{}')", 2),
        ("errors.MissingExtraError('{}')", 2),
        ("errors.ArtifactError('{}')", 1),
        ("errors.EngineError('{}')", 1),
        ("errors.GateError('{}')", 1),
        ("errors.InputError('{}', code='empty')", 1),
    ],
)
def test_an_error_of_ours_is_one_line_and_an_exit_code(error: str, code: int) -> None:
    done = run("raise " + error.format('it is [bold]broken[/bold]: pip install "lit-deploy[cpu]"'))

    assert done.returncode == code
    assert done.stderr == 'error: it is [bold]broken[/bold]: pip install "lit-deploy[cpu]"\n'
    assert done.stdout == ""


def test_colons_in_a_path_are_text_and_no_emoji() -> None:
    done = run("console.note('no such file: a:cat:b.png'); console.out.print('a:cat:b.png')")

    assert done.stderr == "no such file: a:cat:b.png\n"
    assert done.stdout == "a:cat:b.png\n"


def test_a_long_message_is_not_broken_into_lines() -> None:
    done = run(f"raise errors.UsageError({'word ' * 100!r})")

    assert done.stderr == f"error: {'word ' * 100}\n"


def test_an_error_that_is_a_bug_keeps_its_traceback() -> None:
    done = run("raise ZeroDivisionError('a bug')")

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: a bug" in done.stderr


def test_an_interrupt_says_that_nothing_unfinished_was_kept() -> None:
    done = run("os.kill(os.getpid(), signal.SIGINT); signal.pause()")

    assert done.returncode == 130
    assert done.stderr == "interrupted: nothing that was unfinished has been kept\n"


def test_a_reader_that_went_away_ends_the_command_quietly(tmp_path: Path) -> None:
    body = "[typer.echo('x' * 10_000) for _ in range(1000)]"
    process = subprocess.Popen(
        [sys.executable, "-c", APP.format(body=body)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        process.stdout.close()
        said = process.stderr.read()

    assert said == b""
    assert process.returncode in (141, -signal.SIGPIPE)  # a shell calls both 141


def test_results_go_to_stdout_and_notes_to_stderr() -> None:
    done = run("console.out.print('a result'); console.note('a [note] of file.py:3')")

    assert (done.stdout, done.stderr) == ("a result\n", "a [note] of file.py:3\n")


def test_progress_is_silent_where_nobody_watches() -> None:
    done = run("exec('with console.step_progress(\"p\", total=2, quiet=False) as step:\\n step()\\n step()')")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    done = run("console.show_version(True)")

    assert (done.returncode, done.stdout) == (0, f"lit-deploy {version('lit-deploy')}\n")
