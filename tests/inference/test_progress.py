"""lit_infer.progress: a command shows what work tells of itself; a library does not, unless it listens."""

import io
import threading
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from lit_infer import artifacts, console, progress
from tests.conftest import run_command


def test_a_library_call_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    artifacts.registry()
    progress.note("a line")
    progress.warn("a line")
    with progress.transfer("download") as told, progress.steps("measure", 1) as advance:
        told(1, 2)
        advance()
    assert capsys.readouterr() == ("", "")


def test_a_command_says_once_which_registry_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    with console.listening(quiet=False):
        artifacts.registry()
        artifacts.registry()
    artifacts.registry()
    said = capsys.readouterr().err
    assert said == f"registry: {artifacts.why()}\n"


def test_a_program_hears_what_it_listens_to_until_the_block_ends() -> None:
    heard: list[str] = []
    with progress.listening(progress.Listener(note=heard.append)):
        progress.note("a line")
        artifacts.registry()
        with progress.listening(progress.Listener(warn=heard.append)):
            progress.note("a line for nobody")
            progress.warn("a warning")
        progress.note("another")
    progress.note("after it")
    assert heard == ["a line", f"registry: {artifacts.why()}", "a warning", "another"]


def test_threads_listen_each_for_itself() -> None:
    heard: list[str] = []

    def work(name: str) -> None:
        with progress.listening(progress.Listener(note=lambda text: heard.append(f"{name} {text}"))):
            both.wait(10)
            progress.note("works")

    both = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=[name]) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["a works", "b works"]


def test_a_quiet_command_shows_only_what_matters_in_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    with console.listening(quiet=True):
        progress.note("a line")
        progress.warn("a warning")
    assert capsys.readouterr().err == "a warning\n"


def test_a_quiet_command_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    with console.listening(quiet=True):
        artifacts.registry()
    assert capsys.readouterr().err == ""


def test_a_download_is_shown_in_bytes_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=shown, force_terminal=True, width=100))
    with console.transfer_progress("download acme/[digits]/net:v3") as told:
        told(0, 4_000_000)
        told(1_000_000, 4_000_000)
    assert "download acme/[digits]/net:v3" in shown.getvalue()
    assert "1.0/4.0 MB" in shown.getvalue()


def test_a_download_is_not_shown_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with console.transfer_progress("download") as told:
        told(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_every_command_that_takes_a_reference_says_it(tmp_path: Path, quiet: list[str]) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    done = run_command(["lit-infer", "a.png", "--model", "local/digits/net:best", *quiet], tmp_path)
    assert done.returncode == 2
    assert ("registry: folder registry " in done.stderr) == (not quiet)
    assert "the name begins with local/" in done.stderr or quiet
