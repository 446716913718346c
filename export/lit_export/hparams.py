"""The arguments that a module is made with: those that its checkpoint recorded, and those that are given over them."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lit_export import diagnosis
from lit_export.recorded import table
from lit_infer import progress
from lit_infer.errors import ArtifactError, UsageError, require

if TYPE_CHECKING:
    from torch import nn

    from lit_export.checkpoint import Checkpoint

_CLI = ("lightning.pytorch.cli.instantiate_module", "pytorch_lightning.cli.instantiate_module")
_NAMES_CODE = ("class_path", "_target_")
"""How LightningCLI and Hydra write an object into hparams; a module may follow them."""


def parse_hparam(text: str) -> tuple[str, Any]:
    """`key=value` of a command line, the value as YAML."""
    yaml = require("yaml", extra="export", purpose="--hparam")
    key, separator, value = text.partition("=")
    if not separator or not key.isidentifier():
        raise UsageError(f"--hparam {text}: expected key=value")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError:
        raise UsageError(f"--hparam {text}: the value is not YAML; quote it, as in '{key}=\"text\"'") from None


def is_trusted(path: str, packages: Sequence[str]) -> bool:
    """Whether a dotted path is inside one of these packages."""
    return any(path.startswith(f"{package}.") for package in packages if package)


def arguments(
    cls: "type[nn.Module]", checkpoint: "Checkpoint", *, hparams: Mapping[str, Any], trust: Sequence[str]
) -> dict[str, Any]:
    """What the class is made with; each difference between what is there and what it takes is reported."""
    taken = list(inspect.signature(cls.__init__).parameters.values())[1:]
    known = {item.name: item for item in taken if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)}
    recorded = _recorded(checkpoint, trust)
    whole = checkpoint.contents.get("hparams_name")
    if isinstance(whole, str) and whole in known:
        from lightning.fabric.utilities.data import AttributeDict

        # save_hyperparameters(a_dict): one argument takes them all
        inner = {key: value for key, value in hparams.items() if key not in known}
        own = {key: value for key, value in hparams.items() if key in known}
        given = {whole: AttributeDict({**recorded, **inner}), **own}
    else:
        given = {**recorded, **hparams}
        if not any(item.kind is item.VAR_KEYWORD for item in taken):
            given = _taken(given, known, hparams, cls.__qualname__)
    missing = {
        key: None if item.annotation is item.empty else str(item.annotation)
        for key, item in known.items()
        if item.default is item.empty and key not in given
    }
    if missing:
        raise UsageError(
            diagnosis.missing_arguments(
                checkpoint.where, cls.__qualname__, missing, table(checkpoint.contents, "state_dict")
            )
        )
    return given


def _taken(given: dict[str, Any], known: Mapping[str, Any], hparams: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Those that the class takes. One that was asked for must be among them."""
    for key in hparams:
        if key not in known:
            raise UsageError(
                f"--hparam {key}: {name} takes no such argument.{diagnosis.nearest(key, known)}"
                f" It takes: {', '.join(known) or 'none'}"
            )
    if ignored := [key for key in given if key not in known]:
        progress.note(f"hparams the class ignores: {', '.join(ignored)} ({name} takes no such arguments)")
    return {key: value for key, value in given.items() if key in known}


def _recorded(checkpoint: "Checkpoint", trust: Sequence[str]) -> dict[str, Any]:
    """The checkpoint's hparams, without what names code to run."""
    found = checkpoint.hparams
    instantiator = found.pop("_instantiator", None)
    found.pop("_class_path", None)
    if instantiator is not None and instantiator not in _CLI:
        raise ArtifactError(
            f"{checkpoint.where} asks for an instantiator of its own, {str(instantiator)[:80]!r}, and is refused. "
            "Train with LightningCLI(load_from_checkpoint_support=False), or with lit-train"
        )
    init_args = found.get("init_args")
    if instantiator is not None and isinstance(found.get("class_path"), str) and isinstance(init_args, dict):
        found = init_args  # LightningCLI 2.3 and earlier recorded the class beside its arguments
    for key, value in found.items():
        if (named := _named_code(value, trust)) is not None:
            raise ArtifactError(
                f"{checkpoint.where}: its hparam {key} names code to run ({named}), and is refused. "
                f"Trust it: --trust-package {named.partition('.')[0]}, or give the value: --hparam {key}=VALUE"
            )
    if instantiator is not None:
        progress.note("made by LightningCLI: its hparams are passed to the class as they are")
    return found


def _named_code(value: Any, trust: Sequence[str]) -> str | None:
    """The first dotted path below a value that a module would import, unless its package is trusted."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or not isinstance(found, dict | list | tuple):
            continue
        seen.add(id(found))
        if not isinstance(found, dict):
            waiting += found
            continue
        waiting += found.values()
        for key in _NAMES_CODE:
            named = found.get(key)
            if named is not None and not (isinstance(named, str) and is_trusted(named, trust)):
                return str(named)[:80] if isinstance(named, str) else type(named).__name__
    return None
