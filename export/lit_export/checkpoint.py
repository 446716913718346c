"""Read a Lightning checkpoint, or a plain state_dict, without running anything that is in it."""

import hashlib
import os
import pickle
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import torch

from lit_export import container, diagnosis, download, recorded
from lit_infer import artifacts, progress
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.manifest import CheckpointRecord, Score

Weights = Literal["model", "ema"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's contents, loaded with `weights_only=True`, and where it came from."""

    path: Path
    """Its file; for a URL only the file's name, since the download is gone."""
    where: str
    """What it is called in messages: the path, the URL or the reference."""
    digest: str
    """sha256 of the file, in hex."""
    contents: dict[str, Any]
    """With the chosen weights as `state_dict`, whatever the file calls them."""
    reference: artifacts.Reference | None
    """With its version as alias, so that it still names this checkpoint tomorrow."""
    record: CheckpointRecord | None
    """What lit_trainer's DeploymentFacts stored; None in a foreign checkpoint."""
    score: Score | None
    weights: Weights

    @property
    def name(self) -> str:
        """What the bundle is called."""
        return self.reference.name if self.reference else self.path.stem

    @property
    def hparams(self) -> dict[str, Any]:
        """The hyperparameters, also where older checkpoints have them."""
        return recorded.hparams(self.contents)


def open_checkpoint(
    *,
    artifact: str | None,
    checkpoint: str | Path | None,
    weights: Weights | None = None,
) -> Checkpoint:
    """Open the one that is given: a reference, or a path or URL. Raises UsageError for both or neither.

    `weights` chooses between averaged and raw weights where the checkpoint has both; None takes its `state_dict`.
    """
    if (artifact is None) == (checkpoint is None):
        raise UsageError("give either --artifact REFERENCE or --checkpoint PATH")
    if artifact is not None:
        parsed = artifacts.parse(artifact)
        registry = artifacts.registry(parsed)
        reference = registry.resolve(parsed).reference
        path = _only_checkpoint(registry.fetch(reference))
        return _opened(path, where=str(reference), reference=reference, weights=weights)
    where = os.fspath(checkpoint) if checkpoint is not None else ""
    if not download.is_url(where):
        return _opened(Path(where), where=where, reference=None, weights=weights)
    progress.note(f"download {where}")
    with tempfile.TemporaryDirectory(prefix="lit-export-") as folder:
        path = download.download(where, Path(folder))
        return _opened(path, where=where, reference=None, weights=weights)


def _only_checkpoint(folder: Path) -> Path:
    found = sorted(folder.rglob("*.ckpt"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ArtifactError(f"{folder} should hold one .ckpt file; it holds {names}")
    return found[0]


def _opened(path: Path, *, where: str, reference: artifacts.Reference | None, weights: Weights | None) -> Checkpoint:
    with container.open_file(path, where=where) as file:
        container.read_outline(file, where=where)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        contents, chosen, its_own = _with_weights(_load(file, where), weights, where)
    return Checkpoint(
        path=path if path.exists() and not download.is_url(where) else Path(path.name),
        where=where,
        digest=digest,
        contents=contents,
        reference=reference,
        record=recorded.record(contents, where),
        score=recorded.score(contents) if its_own else None,
        weights=chosen,
    )


def _load(file: IO[bytes], where: str) -> dict[str, Any]:
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remark on a pickle's protocol; it loads or it is refused
            contents = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArtifactError(f"{where} needs more than plain data to load, and is refused: {_telling(error)}") from None
    except Exception as error:  # torch's reader may raise anything on bytes that are not a checkpoint
        raise ArtifactError(f"{where} is not a complete checkpoint: {_telling(error)}") from None
    if not isinstance(contents, dict):
        raise ArtifactError(f"{where} is not a checkpoint: it holds a {type(contents).__name__}")
    return contents


def _telling(error: Exception) -> str:
    """Of the lines of torch's message, the one that names the problem."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("WeightsUnpickler error")]
    return (telling or lines or [type(error).__name__])[0]


def _with_weights(contents: dict[Any, Any], asked: Weights | None, where: str) -> tuple[dict[str, Any], Weights, bool]:
    """The contents with the chosen weights as `state_dict`, which weights they are, and whether the score is theirs."""
    if "state_dict" not in contents and contents and all(_is_weight(*item) for item in contents.items()):
        progress.note("a plain state_dict: --class and --hparam say whose weights these are")
        contents = {"state_dict": contents}
    if "state_dict" not in contents:
        raise ArtifactError(diagnosis.no_weights(where, contents))
    averaged = next((key for key in recorded.AVERAGED if recorded.table(contents, key)), None)
    key, chosen = _choice(
        asked, averaged=averaged, raw_beside=bool(recorded.table(contents, recorded.RAW)), where=where
    )
    return {**contents, "state_dict": _state(contents[key], where, key)}, chosen, key == "state_dict"


def _choice(asked: Weights | None, *, averaged: str | None, raw_beside: bool, where: str) -> tuple[str, Weights]:
    """The key of the weights to take, and which they are. By default those that Lightning itself would load."""
    if raw_beside:
        if asked == "model":
            progress.note("using the raw weights (--weights ema for the averaged ones)")
            return recorded.RAW, "model"
        progress.note("using the EMA weights (--weights model for the raw ones)")
        return "state_dict", "ema"
    if asked == "ema":
        if averaged is None:
            raise UsageError(f"{where} holds no EMA weights; leave --weights out")
        progress.note(f"using the EMA weights, {averaged}")
        return averaged, "ema"
    if averaged is not None:
        progress.note(f"using the raw weights (--weights ema for {averaged})")
    return "state_dict", "model"


def _is_weight(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, torch.Tensor)


def _state(found: Any, where: str, key: str) -> dict[str, Any]:
    """A state_dict of plain tensors: a pickle may give a tensor attributes that hide its methods."""
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ArtifactError(f"{where}: its {key} is not a table of named tensors")
    plain: Any = type(found)()
    for name, value in found.items():
        plain[name] = torch.Tensor.detach(value) if isinstance(value, torch.Tensor) else value
    if (versions := getattr(found, "_metadata", None)) is not None:
        plain._metadata = versions  # torch's modules keep their versions there
    weights: dict[str, Any] = plain
    return weights
