"""W&B online or offline, and why: decided once, the same way by every command, without importing wandb."""

import configparser
import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

from lit_infer.artifacts.registry import Mode


def wandb_mode() -> Mode:
    """`WANDB_MODE` decides; where it is not set, credentials do."""
    mode = os.environ.get("WANDB_MODE", "").lower()
    if mode in ("online", "shared"):
        return Mode(True, f"WANDB_MODE={mode}")
    if mode:
        return Mode(False, f"WANDB_MODE={mode}")
    found = credentials()
    return Mode(True, found) if found else Mode(False, "no W&B account was found; wandb login connects one")


def credentials() -> str | None:
    """Where the credentials for W&B are, in a few words; None without any."""
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        if os.environ.get(name):
            return f"{name} is set"
    host = urlsplit(base_url()).netloc
    return f"{host} is in your netrc" if _netrc_has(host) else None


def base_url() -> str:
    """W&B's server: `$WANDB_BASE_URL`, else the one that `wandb login --host` has recorded, else the public one."""
    named = os.environ.get("WANDB_BASE_URL") or _recorded_url() or "https://api.wandb.ai"
    return named.rstrip("/")


def _recorded_url() -> str | None:
    folder = os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb"
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(Path(folder) / "settings")
        return settings.get("default", "base_url", fallback=None)
    except (OSError, UnicodeDecodeError, configparser.Error):
        return None


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
