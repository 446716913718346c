"""Where everything that runs produce is stored."""

import os
from pathlib import Path


def artifacts_root() -> Path:
    """The folder for everything that runs produce: `$LIT_ARTIFACTS`, else `artifacts` below the current folder."""
    return Path(os.environ.get("LIT_ARTIFACTS") or "artifacts")
