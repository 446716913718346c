"""Commands that need torch, as real processes that start at once: forked from one that has imported it already.

Importing torch and lightning takes longer than most commands. A forked process has its own working directory,
environment, arguments and output, and runs the console script's own function; only the imports are not its own.

One such process serves a whole run of the tests. It reads a named pipe, which the first process of the run holds open:
it ends when that one does.
"""

import atexit
import fcntl
import gc
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
_SERVE = "from tests.support.warm import serve; serve()"
_SECONDS = 900
_PIPE = "TESTS_WARM_PIPE"
_SCRIPT = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.support.warm import run_this; run_this()
"""
_starting = threading.Lock()


def prepare() -> Callable[[], None]:
    """Make the pipe, for this process and for those that it starts. What is returned takes it away."""
    folder = tempfile.mkdtemp(prefix="warm-")
    os.environ[_PIPE] = os.path.join(folder, "pipe")
    os.mkfifo(os.environ[_PIPE])
    os.open(os.environ[_PIPE], os.O_RDWR)  # and never closed: without a writer the server would end
    return lambda: shutil.rmtree(folder)


def run_warm(line: list[str], cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """As `tests.conftest.run_command`, for lit-export and lit-train; also `python -c CODE` and `python -m MODULE`."""
    return run_warm_in({**os.environ, "COLUMNS": "80", **environment}, line, cwd)


def run_warm_in(environment: dict[str, str], line: list[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    """The same with exactly this environment. Several may run at once."""
    with tempfile.TemporaryDirectory() as folder:
        asked = {"line": line, "cwd": str(cwd), "environment": environment}
        Path(folder, "asked").write_text(json.dumps(asked))
        ended = Path(folder, "ended")
        os.mkfifo(ended)
        with _starting:
            os.write(_server(), os.fsencode(folder) + b"\n")  # short: several processes write to the pipe
        returncode = int(ended.read_text())
        out, err = (Path(folder, name).read_text() for name in ("out", "err"))
        return subprocess.CompletedProcess(line, returncode, out, err)


@cache
def _server() -> int:
    """Where to write what is wanted. Who asks first starts the process that reads it."""
    path = os.environ[_PIPE]
    asking = os.open(path, os.O_RDWR)
    with open(f"{path}.started", "a") as started:
        fcntl.flock(started, fcntl.LOCK_EX)
        if started.tell() == 0:
            started.write("yes")
            paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
            reads = [(os.POSIX_SPAWN_OPEN, 0, path, os.O_RDONLY, 0)]
            os.posix_spawn(sys.executable, [sys.executable, "-c", _SERVE], environment, file_actions=reads)
    return asking


def scripts(folder: Path) -> Path:
    """A folder of commands that run warm, for what starts them itself: with its environment and what `prepare` set."""
    folder.mkdir()
    for name in ("lit-train", "lit-export", "lit-infer", "lit-bench"):
        (folder / name).write_text(_SCRIPT)
        (folder / name).chmod(0o755)
    return folder


def run_this() -> None:
    """Be one of `scripts`."""
    done = run_warm_in(dict(os.environ), [Path(sys.argv[0]).name, *sys.argv[1:]], Path.cwd())
    sys.stderr.write(done.stderr)
    sys.stdout.write(done.stdout)
    sys.exit(done.returncode)


def serve() -> None:
    """Fork for every line on stdin: the folder of what is asked."""
    gc.disable()
    import lightning.pytorch.cli  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import torch._dynamo
    import torch.onnx  # noqa: F401
    import wandb  # noqa: F401

    import lit_trainer.data
    import lit_trainer.lightning_cli
    import lit_trainer.modules  # noqa: F401

    gc.freeze()  # a child would copy what it looks through for garbage
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for text in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _waited_for(Path(text.rstrip("\n")))


def _waited_for(folder: Path) -> None:
    """The command in a process of its own; how it ended is written where the test waits for it. Never returns."""
    if (child := os.fork()) == 0:
        signal.alarm(_SECONDS)
        _become(folder, json.loads((folder / "asked").read_text()))
    _, status = os.waitpid(child, 0)
    Path(folder, "ended").write_text(str(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(folder: Path, asked: dict[str, Any]) -> None:
    """Be the command, as far as a process that was started otherwise can be. Never returns."""
    code: object = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600), number)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["cwd"])
        code = _run(*asked["line"])
    except SystemExit as exit_:
        code = exit_.code
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        if isinstance(code, str):
            os.write(2, f"{code}\n".encode())
        os._exit(code if isinstance(code, int) else int(code is not None))


def _run(name: str, *arguments: str) -> object:
    """What a console script's function returns, or 0 at the end of Python's own -c or -m."""
    if name == "python":
        option, what, *rest = arguments
        sys.path[0] = os.getcwd()
        sys.argv = [option, *rest]
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(what, {"__name__": "__main__"})  # noqa: S102 - as `python -c` does
        return 0
    sys.argv = [str(BIN / name), *arguments]
    sys.path[0] = str(BIN)
    (script,) = entry_points(group="console_scripts", name=name)
    return script.load()() or 0
