"""What is exported and where it comes from: a checkpoint, by reference, path or URL, or a module in memory."""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from lit_export.checkpoint import open_checkpoint
from lit_export.module import load_module, part
from lit_export.options import Options
from lit_infer import artifacts
from lit_infer.errors import UsageError
from lit_infer.manifest import CheckpointRecord, Score

Exportable = artifacts.Reference | Path | str | nn.Module


@dataclass(frozen=True)
class LoadedModule:
    """A module in eval mode on the CPU, and its provenance."""

    module: nn.Module
    class_path: str
    name: str
    """What the bundle is called."""
    digest: str
    """sha256 of the checkpoint file; of the weights, for a module in memory."""
    reference: artifacts.Reference | None
    record: CheckpointRecord | None
    score: Score | None
    weights: Literal["model", "ema"]


def load(source: Exportable, options: Options) -> LoadedModule:
    """Load what `source` names. Nothing in a checkpoint runs code."""
    if isinstance(source, nn.Module):
        return _in_memory(source, options)
    checkpoint = open_checkpoint(
        artifact=str(source) if isinstance(source, artifacts.Reference) else None,
        checkpoint=source if isinstance(source, Path | str) else None,
        weights=options.weights,
    )
    module = load_module(
        checkpoint,
        class_path=options.class_path,
        trust=options.trust,
        hparams=options.hparams,
    )
    return LoadedModule(
        module=part(module, options.submodule) if options.submodule else module,
        class_path=_class_path(module),
        name=checkpoint.name,
        digest=checkpoint.digest,
        reference=checkpoint.reference,
        record=checkpoint.record,
        score=checkpoint.score,
        weights=checkpoint.weights,
    )


def _in_memory(module: nn.Module, options: Options) -> LoadedModule:
    """A copy, in eval mode on the CPU; the module itself stays as it is."""
    if options.class_path or options.hparams or options.weights:
        raise UsageError("class_path, hparams and weights are for checkpoints; this module is loaded already")
    own = copy.deepcopy(module).cpu().eval()
    digest, name = _digest(module), type(module).__name__
    return LoadedModule(
        module=part(own, options.submodule) if options.submodule else own,
        class_path=_class_path(module),
        name=name,
        digest=digest,
        reference=None,
        record=None,
        score=None,
        weights="model",
    )


def _class_path(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _digest(module: nn.Module) -> str:
    """sha256 over the weights' names, dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}\n".encode())
        digest.update(array.flatten().view(-1).numpy().tobytes() if array.dtype.itemsize else b"")
    return digest.hexdigest()
