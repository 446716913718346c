"""From a checkpoint to the module that is deployed: built as the user says, with its weights, in eval mode.

The module is made here and not by `load_from_checkpoint`, in the same order and with the same hooks: that would read
the file a second time, from a path that may have changed since it was checked, call what the checkpoint names
(`_instantiator`, the type of its hparams) and drop without a word the hparams that the class does not take. Where a
class has a `load_from_checkpoint` of its own, a line says so, and `use_load_from_checkpoint` calls it.
"""

import inspect
from typing import Any

from torch import nn

from lit_export.front import diagnosis, keys, own_loading, placeholder
from lit_export.front.building import built, chosen_class, one_way
from lit_export.front.checkpoint import Checkpoint
from lit_export.front.code_names import known
from lit_export.front.placeholder import Placeholder
from lit_export.front.recorded import table
from lit_export.front.weights import load_weights
from lit_export.options import Options
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import UsageError


def load_module(checkpoint: Checkpoint, options: Options) -> nn.Module:
    """The checkpoint's module, on the CPU and in eval mode.

    A class path inside a checkpoint is data: only one of lit_trainer or of a package in `trust` is followed, any
    other is given by the caller (`--class pkg.mod:Cls`). `hparams` go over those that the checkpoint recorded.
    """
    one_way(options)
    if options.use_load_from_checkpoint:
        module = own_loading.loaded(chosen_class(checkpoint, options), checkpoint, options)
    else:
        module = built(checkpoint, options)
        own_loading.mention(type(module), options)
        load_weights(module, _hooked(module, checkpoint), options, where=checkpoint.where)
    _unwrap_compiled(module)
    # a module is made in training mode, and dropout would be exported
    return module.cpu().eval()


def is_lightning(module: nn.Module) -> bool:
    """Whether it is a LightningModule, of `lightning.pytorch` or of `pytorch_lightning`, which are two packages."""
    names = ((cls.__module__.partition(".")[0], cls.__qualname__) for cls in type(module).__mro__)
    return any(name in (("lightning", "LightningModule"), ("pytorch_lightning", "LightningModule")) for name in names)


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


def _hooked(module: nn.Module, checkpoint: Checkpoint) -> dict[str, Any]:
    """The weights as the module's own hooks want them: these may build layers, and rename or drop keys."""
    state = {"state_dict": keys.copied(checkpoint.contents["state_dict"])}
    if not is_lightning(module):
        return state["state_dict"]
    others = {key: value for key, value in checkpoint.contents.items() if key != "state_dict"}
    contents = {**placeholder.mapped(others, _for_hooks), **state}
    for name, given in (("configure_model", ()), ("on_load_checkpoint", (contents,))):
        if (hook := getattr(module, name, None)) is not None:
            with user_code(f"{type(module).__qualname__}.{name}"):
                hook(*given)
    return table(contents, "state_dict")


def _for_hooks(found: Placeholder, key: str) -> Any:
    """What a hook finds in the place of an object: an enum's member, or what stands for it and may not be used."""
    value = known(found, None, ())
    return placeholder.UnavailableModule(found, f"the checkpoint's {key}") if value is found else value


def _unwrap_compiled(module: nn.Module) -> None:
    """Replace what torch.compile wrapped by what it wrapped: an exporter follows the module itself."""
    children = [(owner, name, child) for owner in module.modules() for name, child in owner.named_children()]
    found = [(owner, name, child._orig_mod) for owner, name, child in children if hasattr(child, "_orig_mod")]
    for owner, name, inner in found:
        setattr(owner, name, inner)
    if found:
        progress.note(f"unwrapped torch.compile from {diagnosis.names(name for _, name, _ in found)}")
