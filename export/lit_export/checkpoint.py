"""Read a Lightning checkpoint without running anything that is in it."""

import ast
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lit_infer import artifacts, files, manifest
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_infer.manifest import CHECKPOINT_KEY, CheckpointRecord, Score

_MONITOR = "ModelCheckpoint"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's contents, loaded with `weights_only=True`, and where it came from."""

    path: Path
    digest: str
    """sha256 of the file, in hex."""
    contents: dict[str, Any]
    reference: artifacts.Reference | None
    """With its version as alias, so that it still names this checkpoint tomorrow."""
    record: CheckpointRecord | None
    """What lit_trainer's DeploymentFacts stored; None in a foreign checkpoint."""
    score: Score | None

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.reference.name if self.reference else self.path.stem

    @property
    def folder_name(self) -> str:
        """Where its bundle goes below `artifacts/bundles/`: the name, and what tells it from its namesakes."""
        return f"{self.name}-{self.reference.alias if self.reference else self.digest[:12]}"


def open_checkpoint(*, artifact: str | None, checkpoint: Path | None) -> Checkpoint:
    """Open the one that is given: a reference or a path. Raises UsageError for both or neither."""
    if (artifact is None) == (checkpoint is None):
        raise UsageError("give either --artifact REFERENCE or --checkpoint PATH")
    reference = None
    if artifact is not None:
        registry = artifacts.registry()
        reference = registry.resolve(artifacts.parse(artifact)).reference
        checkpoint = _only_checkpoint(registry.fetch(reference))
    assert checkpoint is not None  # noqa: S101 - one of the two is given
    if not checkpoint.is_file():
        raise NotFoundError(f"no checkpoint at {checkpoint}")
    contents = _load(checkpoint)
    return Checkpoint(
        path=checkpoint,
        digest=files.sha256(checkpoint),
        contents=contents,
        reference=reference,
        record=_record(contents, checkpoint),
        score=_score(contents),
    )


def _only_checkpoint(folder: Path) -> Path:
    found = sorted(folder.rglob("*.ckpt"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ArtifactError(f"{folder} should hold one .ckpt file; it holds {names}")
    return found[0]


def _load(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remark on a pickle's protocol; it loads or it is refused
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArtifactError(
            f"{path} needs more than plain data to load, which could run code, and is refused: {_first_line(error)} "
            "Save such values with save_hyperparameters(ignore=[...])"
        ) from None
    except Exception as error:  # on bytes that are no checkpoint torch's reader stumbles in any way
        raise ArtifactError(f"{path} is not a whole checkpoint: {_first_line(error)}") from None
    if not isinstance(contents, dict) or "state_dict" not in contents:
        raise ArtifactError(f"{path} is not a Lightning checkpoint: it holds no state_dict")
    return contents


def _first_line(error: Exception) -> str:
    """The line of torch's several that names the trouble."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("WeightsUnpickler error")]
    return (telling or lines or [type(error).__name__])[0]


def _record(contents: dict[str, Any], path: Path) -> CheckpointRecord | None:
    stored = contents.get(CHECKPOINT_KEY)
    if stored is None:
        return None
    return manifest.convert(stored, CheckpointRecord, where=f"{path}: {CHECKPOINT_KEY}")


def _score(contents: dict[str, Any]) -> Score | None:
    """What the ModelCheckpoint that saved these weights measured for them."""
    for key, state in contents.get("callbacks", {}).items():
        if not (isinstance(key, str) and key.startswith(_MONITOR) and isinstance(state, dict)):
            continue
        if state.get("monitor") is None or state.get("current_score") is None:
            continue
        try:  # the key is the callback's name followed by its settings as a literal
            mode = ast.literal_eval(key.removeprefix(_MONITOR))["mode"]
        except (ValueError, SyntaxError, KeyError, TypeError):
            continue
        return Score(monitor=state["monitor"], mode=mode, value=float(state["current_score"]))
    return None
