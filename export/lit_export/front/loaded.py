"""What is exported and where it comes from: a checkpoint, by reference, path or URL, or a module in memory."""

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from lit_export.front.adapter import adapted
from lit_export.front.building import made_alone
from lit_export.front.checkpoint import open_checkpoint
from lit_export.front.module import load_module, part
from lit_export.options import Options
from lit_infer import artifacts
from lit_infer.errors import UsageError
from lit_infer.manifest import CheckpointRecord, Score

_OF_CHECKPOINTS: dict[str, Any] = {
    "class_path": None,
    "trust": (),
    "hparams": {},
    "config": None,
    "config_key": None,
    "use_load_from_checkpoint": False,
    "ignore_keys": (),
    "strict": True,
    "weights": None,
}
"""Options that say how a checkpoint is loaded, with their defaults."""

Exportable = artifacts.Reference | Path | str | nn.Module


@dataclass(frozen=True)
class LoadedModule:
    """A module in eval mode on the CPU, and its provenance."""

    module: nn.Module
    """What is exported."""
    whole: nn.Module
    """What was loaded: `module` is it, a part of it, or around it."""
    class_path: str
    name: str
    """What the bundle is called."""
    digest: str
    """sha256 of the checkpoint file; of the weights, for a module in memory."""
    reference: artifacts.Reference | None
    record: CheckpointRecord | None
    score: Score | None
    weights: Literal["model", "ema"]


def load(source: Exportable | None, options: Options) -> LoadedModule:
    """Load what `source` names; None: what `options.factory` makes. Nothing in a checkpoint runs code."""
    if source is None:
        return _of_factory(options)
    if isinstance(source, nn.Module):
        return _in_memory(copy.deepcopy(source), options)  # the module itself stays as it is
    checkpoint = open_checkpoint(
        artifact=str(source) if isinstance(source, artifacts.Reference) else None,
        checkpoint=source if isinstance(source, Path | str) else None,
        weights=options.weights,
    )
    module = load_module(checkpoint, options)
    return LoadedModule(
        module=_exported(module, options),
        whole=module,
        class_path=_class_path(module),
        name=checkpoint.name,
        digest=checkpoint.digest,
        reference=checkpoint.reference,
        record=checkpoint.record,
        score=checkpoint.score,
        weights=checkpoint.weights,
    )


def _of_factory(options: Options) -> LoadedModule:
    """What the factory makes, with the weights that it gives it."""
    if options.factory is None:
        raise UsageError("give --checkpoint PATH or --artifact REFERENCE, or --factory pkg.mod:make alone")
    if alone := [
        name for name, value in _OF_CHECKPOINTS.items() if name != "hparams" and getattr(options, name) != value
    ]:
        raise UsageError(f"{', '.join(alone)} goes with a checkpoint; with --factory alone there is none")
    module = made_alone(options.factory, options.hparams)
    return _described(module, options)


def _in_memory(module: nn.Module, options: Options) -> LoadedModule:
    """A module that is there already, in eval mode on the CPU."""
    if any(getattr(options, name) != value for name, value in _OF_CHECKPOINTS.items()) or options.factory:
        raise UsageError("class_path, hparams, weights and the like are for checkpoints; this module is loaded already")
    return _described(module, options)


def _described(module: nn.Module, options: Options) -> LoadedModule:
    """A module without a checkpoint: its weights are its identity."""
    digest = _digest(module)
    module = module.cpu().eval()
    return LoadedModule(
        module=_exported(module, options),
        whole=module,
        class_path=_class_path(module),
        name=type(module).__name__,
        digest=digest,
        reference=None,
        record=None,
        score=None,
        weights="model",
    )


def _exported(module: nn.Module, options: Options) -> nn.Module:
    """The part that is asked for, with what is put around it."""
    chosen = part(module, options.submodule) if options.submodule else module
    return adapted(chosen, options.adapter) if options.adapter else chosen


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
