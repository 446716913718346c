"""Online or offline, and why: decided once, the same way by every command, without importing wandb."""

import netrc
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Mode:
    """Whether W&B's servers are used, and the reason in a few words."""

    online: bool
    reason: str


def wandb_mode() -> Mode:
    """`WANDB_MODE` decides; where it is not set, credentials do."""
    mode = os.environ.get("WANDB_MODE", "").lower()
    if mode in ("online", "shared"):
        return Mode(True, f"WANDB_MODE={mode}")
    if mode:
        return Mode(False, f"WANDB_MODE={mode}")
    if os.environ.get("WANDB_API_KEY"):
        return Mode(True, "WANDB_API_KEY is set")
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return Mode(True, "WANDB_IDENTITY_TOKEN_FILE is set")
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").netloc
    if _netrc_has(host):
        return Mode(True, f"{host} is in your netrc")
    return Mode(False, "no W&B account was found; wandb login connects one")


def _netrc_has(host: str) -> bool:
    named = os.environ.get("NETRC")
    candidates = [Path(named).expanduser()] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for path in candidates:
        try:
            entry = netrc.netrc(path).authenticators(host)
        except (OSError, UnicodeDecodeError, netrc.NetrcParseError):
            continue
        if entry and entry[2]:
            return True
    return False
