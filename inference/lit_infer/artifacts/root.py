"""Where all that runs produce is kept."""

import os
from pathlib import Path


def artifacts_root() -> Path:
    """The folder for all that runs produce: `$LIT_ARTIFACTS`, else `artifacts` below the current folder."""
    return Path(os.environ.get("LIT_ARTIFACTS") or "artifacts")
