"""Checkpoints that other packages really write, through the command: a table of what came of each.

    python benchmarks/checkpoints.py                     # 40 minutes on two cores, 12 GB of environments
    python benchmarks/checkpoints.py darts pyannote      # the checkpoints whose names begin so

Each package trains for a batch or two by its own API, in an environment of its own, and writes its checkpoint itself.
`lit-export onnx` is then run there as a user runs it, in a fork of a process that has imported the package: that takes
longer than all else. A row is right if the bundle, opened by lit_infer, answers inputs
that the export never saw as the package's own loaded module did (`checkpoints/makers/record.py`). Where a command is
refused, the next is what the message said to do. Everything is kept in $LIT_CHECKPOINTS, or /tmp/lit-checkpoints.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ROOT / "benchmarks" / "checkpoints"
WORK = Path(os.environ.get("LIT_CHECKPOINTS", "/tmp/lit-checkpoints"))  # noqa: S108 - kept from run to run
sys.path.insert(0, str(FILES))

from rows import ROWS, Maker, Row

_SAID = ("onnx: proven on", "onnx: compared on")
_USERS = (FILES / "users", WORK / "hydra_template", WORK / "cli_project")
_SETTINGS = os.environ | {
    "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "inference", ROOT / "export", *_USERS))),
    "PROJECT_ROOT": str(WORK / "hydra_template"),
    "LIT_CHECKPOINTS": str(WORK),
    "COLUMNS": "1000",  # no line of a message is broken
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Outcome:
    """What came of one command: right, refused, WRONG or traceback, and what was said."""

    kind: str
    words: str


def main() -> None:
    """Print the table; exit 1 if a bundle is wrong, or a command ended in a traceback."""
    names = tuple(sys.argv[1:])
    chosen = [row for row in ROWS if row.name.startswith(names or "")]
    (WORK / "bundles").mkdir(parents=True, exist_ok=True)
    for row in chosen:
        if not (WORK / f"{row.name}.json").exists():
            script = str(FILES / "makers" / row.maker.script)
            subprocess.run(
                [python(row.maker.environment), script], check=True, env=_SETTINGS, cwd=WORK, stdout=sys.stderr
            )
    print("| package | version | checkpoint | `lit-export onnx --checkpoint FILE` … | result |\n|---|---|---|---|---|")
    outcomes = list[Outcome]()
    for maker, rows in groupby(chosen, key=lambda row: row.maker):
        with exporting(maker) as export:
            outcomes += [outcome for row in rows for outcome in _row(row, export)]
    kinds = Counter(outcome.kind for outcome in outcomes)
    print(f"\n{len(chosen)} checkpoints: {kinds['right']} right. Of all {len(outcomes)} commands: {dict(kinds)}")
    sys.exit(bool(kinds["WRONG"] or kinds["traceback"]))


def python(environment: str) -> str:
    """The interpreter of an environment, which is made if it is not there."""
    folder = WORK / f"env-{environment}"
    interpreter = str(folder / "bin" / "python")
    if not (folder / "complete").exists():
        subprocess.run(["uv", "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
        packages = ("-r", str(FILES / f"{environment}.txt"), f"{ROOT}[export]")
        subprocess.run(["uv", "pip", "install", "--python", interpreter, *packages], check=True)
        (folder / "complete").touch()
    return interpreter


Export = Callable[[list[str]], tuple[int, str, str]]
"""Runs `lit-export`: the exit code, what went to stdout and what to stderr."""


@contextmanager
def exporting(maker: Maker) -> Iterator[Export]:
    """The command in the environment of a package, which is imported once for all that is run in the block."""
    out, err = (WORK / f"{os.getpid()}.{stream}" for stream in ("out", "err"))
    command = [python(maker.environment), str(FILES / "forking.py"), *maker.imports]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=_SETTINGS, cwd=WORK, text=True, **pipes) as process:

        def export(argv: list[str]) -> tuple[int, str, str]:
            process.stdin.write(json.dumps({"argv": argv, "out": str(out), "err": str(err)}) + "\n")
            process.stdin.flush()
            return int(process.stdout.readline()), out.read_text(), err.read_text()

        yield export
    out.unlink(missing_ok=True)
    err.unlink(missing_ok=True)


def _row(row: Row, export: Export) -> list[Outcome]:
    """Run the row's commands until one is right, and print a line for each."""
    facts, outcomes = json.loads((WORK / f"{row.name}.json").read_text()), []
    for arguments in row.attempts:
        outcomes.append(attempt(row, arguments, export))
        cells = (facts["package"], facts["version"], row.name, f"`{arguments}`")
        words = f"**{outcomes[-1].kind}**: {outcomes[-1].words}"
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in (*cells, words)) + " |", flush=True)
        if outcomes[-1].kind == "right":
            break
    return outcomes


def attempt(row: Row, arguments: str, export: Export) -> Outcome:
    """Run one command, and check the bundle that it made."""
    bundle = WORK / "bundles" / row.name
    shutil.rmtree(bundle, ignore_errors=True)
    given = ["onnx", "--checkpoint", f"{row.name}.ckpt", *shlex.split(arguments), "--out", str(bundle)]
    code, out, err = export(given)
    (WORK / f"{row.name}.log").write_text(f"{shlex.join(given)}\n{out}\n{err}")
    if "Traceback (most recent call last)" in err:
        return Outcome("traceback", err.strip().splitlines()[-1])
    if code:
        return Outcome("refused", _refusal(err) or f"exit {code}")
    check = _run(
        python(row.maker.environment), str(FILES / "check.py"), str(bundle), str(WORK / f"{row.name}.held.npz")
    )
    lines = (line.strip() for line in err.splitlines())
    said = next((line for line in lines if line.startswith(_SAID)), "").removeprefix("onnx: ")
    seen = (check.stdout.strip() or check.stderr.strip()).splitlines()[-1]
    return Outcome("WRONG" if check.returncode else "right", f"{said} (held-out rows: {seen})")


def _refusal(err: str) -> str:
    """What a command that failed said in the end."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", err)
    return " ".join((plain.partition("error: ")[2] or plain.partition("no file is kept: ")[2]).split())


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, env=_SETTINGS, cwd=WORK, capture_output=True, text=True, timeout=1800)


if __name__ == "__main__":
    main()
