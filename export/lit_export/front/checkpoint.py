"""Read a Lightning checkpoint, or a plain state_dict, without running anything that is in it."""

import math
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lit_export.front import artifact_file, container, download, file_kind, outline, recorded, tensors
from lit_export.front.container import UnpackedFile
from lit_export.front.plain_values import Foreign, TensorOutline
from lit_infer import artifacts, progress
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.manifest import CheckpointRecord, Score

Weights = Literal["model", "ema"]

_LEFT = frozenset(("optimizer_states", "lr_schedulers", "loops", "state_dict", recorded.RAW))
"""Where tensors are that only training needs, or another choice of weights."""
_SMALL = 1 << 20
_EXPANDED = 1 << 28
"""Values of expanded tensors, which have one number in the file for many."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's contents, and where it came from.

    All that is data is there; objects are placeholders (`plain_values.Foreign`, `EnumMember`). The tensors of the
    optimizers' states and of weights that were not chosen are not read: they are `TensorOutline`s.
    """

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
        return _of_artifact(artifact_file.parse(artifact), weights)
    where = os.fspath(checkpoint) if checkpoint is not None else ""
    if not download.is_url(where):
        return _opened(Path(where), where=where, weights=weights)
    progress.note(f"download {where}")
    with tempfile.TemporaryDirectory(prefix="lit-export-") as folder:
        path = download.download(where, Path(folder))
        return _opened(path, where=where, weights=weights)


def _of_artifact(asked: artifacts.Reference, weights: Weights | None) -> Checkpoint:
    inside = asked.file if isinstance(asked, artifact_file.FileReference) else None
    asked = artifacts.Reference(asked.entity, asked.project, asked.name, asked.alias)
    registry = artifacts.registry(asked)
    version = registry.resolve(asked)
    path = artifact_file.in_folder(registry.fetch(version.reference), version.reference, inside)
    where = str(version.reference) + (f"/{inside}" if inside else "")
    original = version.metadata.get("original_filename")  # W&B's logger calls every file model.ckpt
    names = (original,) if isinstance(original, str) else ()
    return _opened(path, where=where, reference=version.reference, weights=weights, names=names)


def _opened(
    path: Path,
    *,
    where: str,
    reference: artifacts.Reference | None = None,
    weights: Weights | None,
    names: Collection[str] = (),
) -> Checkpoint:
    with container.open_file(path, where=where) as file:
        packed = container.read(file, where=where)
        contents, chosen, its_own = _with_weights(_table(packed, where), weights, where)
        storages, digest = tensors.load(file, packed, _read(contents), where=where)
    if not packed.is_checked:
        progress.note(f"{where} was written without checksums: damage to its values could not be seen")
    contents = tensors.restored(contents, storages, order=packed.order, where=where)
    names = {path.name, path.resolve().name, *names}
    return Checkpoint(
        path=path if path.exists() and not download.is_url(where) else Path(path.name),
        where=where,
        digest=digest,
        contents=contents,
        reference=reference,
        record=recorded.record(contents, where),
        score=recorded.score(contents, names) if its_own else None,
        weights=chosen,
    )


def _table(packed: UnpackedFile, where: str) -> dict[Any, Any]:
    if isinstance(packed.contents, dict):
        return packed.contents
    raise ArtifactError(file_kind.no_table(where, packed.contents))


def _read(contents: dict[Any, Any]) -> Iterator[Any]:
    """What is read of the tensors: the chosen weights, and what the module's own hooks may look at."""
    for key, value in contents.items():
        if key == "callbacks":
            found = (inner for _, inner in outline.walk(value) if isinstance(inner, TensorOutline))
            yield [tensor for tensor in found if tensor.storage is not None and tensor.storage.bytes <= _SMALL]
        elif key not in _LEFT or value is contents["state_dict"]:
            yield value


def _with_weights(contents: dict[Any, Any], asked: Weights | None, where: str) -> tuple[dict[str, Any], Weights, bool]:
    """The contents with the chosen weights as `state_dict`, which weights they are, and whether the score is theirs."""
    if "state_dict" not in contents:
        contents = _plain_weights(contents, where)
    averaged = next((key for key in recorded.AVERAGED if recorded.table(contents, key)), None)
    if averaged is None and (of_callback := recorded.averaged_by_callback(contents)):
        averaged = of_callback[0]
        contents = {**contents, averaged: of_callback[1]}
    key, chosen = _choice(
        asked, averaged=averaged, raw_beside=bool(recorded.table(contents, recorded.RAW)), where=where
    )
    _check_weights(contents[key], where, key)
    return {**contents, "state_dict": contents[key]}, chosen, key == "state_dict"


def _plain_weights(contents: dict[Any, Any], where: str) -> dict[Any, Any]:
    """The contents with a `state_dict`, where the file has its weights at the top or under another name."""
    if recorded.is_state_dict(contents):
        progress.note("a plain state_dict: --class and --hparam say whose weights these are")
        return {"state_dict": contents}
    found = [key for key, value in contents.items() if recorded.is_state_dict(value) and isinstance(key, str)]
    key = next((key for key in recorded.WEIGHTS if key in found), found[0] if len(found) == 1 else None)
    if key is None:
        raise ArtifactError(file_kind.no_weights(where, contents, found))
    progress.note(f"using the weights under {key!r}")
    return {**contents, "state_dict": contents[key]}


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


def _check_weights(found: Any, where: str, key: str) -> None:
    """Raise ArtifactError for what is no table of named tensors, or claims more memory than it has values."""
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ArtifactError(file_kind.no_table(where, found, key))
    objects = [(name, value) for name, value in found.items() if isinstance(value, Foreign)]
    if weights := [item for item in objects if not item[0].endswith("_extra_state")]:
        raise ArtifactError(file_kind.objects_as_weights(where, weights))
    tensors = [value for value in found.values() if isinstance(value, TensorOutline) and value.storage is not None]
    claimed = sum(math.prod(tensor.shape) for tensor in tensors)
    stored = sum(storage.bytes for storage in outline.storages(found))
    if claimed > _EXPANDED + 64 * stored:
        raise ArtifactError(f"{where}: its {key} claims {claimed:,} values, and the file has {stored:,} bytes of them")
