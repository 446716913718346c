"""Deployment facts from a file, for checkpoints that carry none: the manifest's fields, as YAML."""

from pathlib import Path
from typing import Any

from lit_infer import manifest
from lit_infer.errors import NotFoundError, UsageError, require
from lit_infer.manifest import DeploymentFacts


def read_spec(path: Path) -> DeploymentFacts:
    """Read a spec file. `labels` may be a list, or the name of a text file beside it with one label per line."""
    yaml = require("yaml", extra="export", purpose="--spec")
    try:
        data: Any = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise NotFoundError(f"--spec: no file at {path}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--spec {path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"--spec {path}: expected fields such as task, preprocess, normalize, labels")
    if isinstance(data.get("labels"), str):
        data["labels"] = _labels(path.parent / data["labels"])
    elif isinstance(data.get("labels"), list):
        data["labels"] = [str(label) for label in data["labels"]]  # YAML reads 0, 1, 2 as numbers
    return manifest.convert(data, DeploymentFacts, where=f"--spec {path}")


def _labels(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--spec: labels cannot be read from {path}: {error}") from None
