"""`forking.py PACKAGE…`: imports these once, and runs each `lit-export` that stdin asks for in a fork of itself.

A line is JSON: {"argv": [...], "out": FILE, "err": FILE}. The answer is a line with the exit code.
"""

import importlib
import json
import os
import sys
import traceback


def main() -> None:
    """Answer requests until stdin ends. What the packages print at import is not for the table."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in ("torch", "lightning", "onnx", "onnxruntime", "onnxscript", *sys.argv[1:]):
        importlib.import_module(name)
    for line in sys.stdin:
        if not (child := os.fork()):
            run(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


def run(argv: list[str], out: str, err: str) -> None:
    """The command, as its console script would run it. Never returns."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv, code = ["lit-export", *argv], 1
    try:
        from lit_export.cli import main

        main()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else bool(error.code)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
