"""`python -m tests.fuzz [NAME...]`: each harness for $FUZZ_S seconds (60). Exit 1 if one breaks."""

import os
import sys
import traceback

from tests.fuzz.harnesses import HARNESSES
from tests.fuzz.running import fuzz


def main(names: list[str]) -> int:
    """Run them, one after the other."""
    broken = 0
    for name in names or HARNESSES:
        found = fuzz(HARNESSES[name], name, seconds=float(os.environ.get("FUZZ_S") or 60))
        say(f"{name}: {found.examples:,} inputs, {'broken' if found.crash else 'nothing found'}")
        if found.crash is not None:
            broken += 1
            traceback.print_exception(found.crash)
            say(f"{name}: kept as a seed: {found.kept}")
    return min(broken, 1)


def say(line: str) -> None:
    """Print a line at once: a run may take an hour."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
