"""From a checkpoint to the module that is deployed: the user's class, with its weights, in eval mode.

The module is made here and not by `load_from_checkpoint`, in the same order and with the same hooks: that would read
the file a second time, from a path that may have changed since it was checked, call what the checkpoint names
(`_instantiator`, the type of its hparams) and drop without a word the hparams that the class does not take.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
from torch import nn

from lit_export import diagnosis, keys
from lit_export.checkpoint import Checkpoint
from lit_export.find_class import find_class
from lit_export.hparams import arguments, is_trusted
from lit_export.recorded import table
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import ArtifactError, UsageError

_TRUSTED = "lit_trainer"


def load_module(
    checkpoint: Checkpoint,
    *,
    class_path: str | None,
    trust: Sequence[str] = (),
    hparams: Mapping[str, Any] = {},
) -> nn.Module:
    """The checkpoint's module, on the CPU and in eval mode.

    A class path inside a checkpoint is data: only one of lit_trainer or of a package in `trust` is followed, any
    other is given by the caller (`--class pkg.mod:Cls`). `hparams` go over those that the checkpoint recorded.
    """
    cls = find_class(class_path) if class_path else _recorded_class(checkpoint, trust)
    given = arguments(cls, checkpoint, hparams=hparams, trust=trust)
    with user_code(f"{cls.__qualname__}.__init__"):
        module: nn.Module = cls(**given)
    state = _hooked(module, checkpoint)
    _load_weights(module, state, where=checkpoint.where)
    _unwrap_compiled(module)
    # a module is made in training mode, and dropout would be exported
    return module.cpu().eval()


def part(module: nn.Module, path: str) -> nn.Module:
    """The submodule at an attribute path such as `encoder.backbone`."""
    known = [name for name, _ in module.named_modules() if name]
    if path not in known:
        tops = [name for name, _ in module.named_children()]
        hint = diagnosis.nearest(path, known) or f" It has {diagnosis.names(tops) or 'none'}."
        raise UsageError(f"--submodule {path}: {type(module).__qualname__} has no such module.{hint}")
    return module.get_submodule(path)


def require_input(module: nn.Module) -> None:
    """Raise UsageError for a module whose `forward` takes nothing, such as a generator that makes its own noise."""
    if inspect.signature(module.forward).parameters:
        return
    parts = diagnosis.names(name for name, _ in module.named_children())
    raise UsageError(
        f"{type(module).__qualname__}.forward takes no input: what it draws at random would be frozen in a graph, "
        "and nothing could be compared.\nExport the part that takes the noise: --submodule PATH --input SHAPE. "
        f"Its parts: {parts or 'none; make the noise an argument of forward'}"
    )


def _recorded_class(checkpoint: Checkpoint, trust: Sequence[str]) -> type[nn.Module]:
    named = checkpoint.hparams.get("_class_path")
    recorded = checkpoint.record.deployment.class_path if checkpoint.record else None
    recorded = recorded or (named if isinstance(named, str) else None)
    if recorded and is_trusted(recorded, (_TRUSTED,)):
        return find_class(recorded, here=False)  # ours as installed, not what a folder of that name holds
    if recorded and is_trusted(recorded, trust):
        return find_class(recorded)
    if recorded:
        raise UsageError(
            f"{checkpoint.where} names {recorded}, a class outside lit_trainer. If you trust that code, add: "
            f"--class {recorded} or --trust-package {recorded.partition('.')[0]}"
        )
    raise UsageError(f"{checkpoint.where} does not name its class. Add: --class pkg.mod:Cls")


def _hooked(module: nn.Module, checkpoint: Checkpoint) -> dict[str, Any]:
    """The weights as the module's own hooks want them: these may build layers, and rename or drop keys."""
    contents = {**checkpoint.contents, "state_dict": keys.copied(checkpoint.contents["state_dict"])}
    if isinstance(module, pl.LightningModule):
        with user_code(f"{type(module).__qualname__}.configure_model"):
            module.configure_model()
        with user_code(f"{type(module).__qualname__}.on_load_checkpoint"):
            module.on_load_checkpoint(contents)
    return table(contents, "state_dict")


def _load_weights(module: nn.Module, state: dict[str, Any], *, where: str) -> None:
    name, strict = type(module).__qualname__, getattr(module, "strict_loading", True)
    state = keys.aligned(state, module.state_dict().keys())
    before = module.state_dict()
    try:
        result = module.load_state_dict(state, strict=strict)
    except (RuntimeError, TypeError, AttributeError, LookupError) as error:
        found = keys.difference(state, before)
        if not (found.missing or found.unexpected or found.shapes):
            raise ArtifactError(f"{where} does not fit {name}: {' '.join(str(error).split())[:300]}") from None
        raise ArtifactError(
            diagnosis.mismatch(
                where=where, cls=name, missing=found.missing, unexpected=found.unexpected, shapes=found.shapes
            )
        ) from None
    if not strict and result is not None:
        for what, names in (("left as the class made them", result[0]), ("in the checkpoint only", result[1])):
            if names:
                progress.note(f"{name} has strict_loading=False; {what}: {diagnosis.names(names)}")


def _unwrap_compiled(module: nn.Module) -> None:
    """Replace what torch.compile wrapped by what it wrapped: an exporter follows the module itself."""
    children = [(owner, name, child) for owner in module.modules() for name, child in owner.named_children()]
    found = [(owner, name, child._orig_mod) for owner, name, child in children if hasattr(child, "_orig_mod")]
    for owner, name, inner in found:
        setattr(owner, name, inner)
    if found:
        progress.note(f"unwrapped torch.compile from {diagnosis.names(name for _, name, _ in found)}")
