"""The hyperparameters: those that a checkpoint recorded, read as data, and those that are given over them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lit_export.front import code_names, yaml_text
from lit_export.front.signature import Signature
from lit_infer import progress
from lit_infer.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from lit_export.front.checkpoint import Checkpoint

_CLI = ("lightning.pytorch.cli.instantiate_module", "pytorch_lightning.cli.instantiate_module")
_DEPTH, _VALUES = 100, 1_000_000
_DESCRIPTION = frozenset(("class_path", "init_args", "dict_kwargs"))
"""How LightningCLI writes an object: a class and its arguments."""


def parse_hparam(text: str) -> tuple[str, Any]:
    """`key=value` of a command line, the value as YAML; a dotted key, `model.width`, reaches into nested ones."""
    key, separator, value = text.partition("=")
    if not separator or not all(part.isidentifier() or part.isdigit() for part in key.split(".")):
        raise UsageError(f"--hparam {text}: expected key=value")
    try:
        return key, yaml_text.load(value, option="--hparam")
    except ValueError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"--hparam {text}: the value is not YAML; quote it, as in '{key}=\"text\"'") from None


def overlaid(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `base` with the changes; the dotted key `net.width` reaches into what is below `net`."""
    found = dict(base)
    for key, value in changes.items():
        first, _, rest = key.partition(".")
        found[first] = _changed(found.get(first), rest, value, key) if rest else value
    return found


def _changed(inner: Any, rest: str, value: Any, key: str) -> Any:
    if isinstance(inner, Mapping) and _DESCRIPTION & set(inner) and rest.partition(".")[0] not in _DESCRIPTION:
        rest = f"init_args.{rest}"
    if inner is None:
        inner = {}
    if isinstance(inner, list | tuple):
        return type(inner)(_list_changed(list(inner), rest, value, key))
    if not isinstance(inner, Mapping):
        raise UsageError(f"--hparam {key}: {key.removesuffix(rest)[:-1]} is no table, but {str(inner)[:80]}")
    changed = overlaid(inner, {rest: value})
    return type(inner)(changed) if isinstance(inner, dict) else changed


def _list_changed(items: list[Any], rest: str, value: Any, key: str) -> list[Any]:
    index, _, deeper = rest.partition(".")
    if not index.isdigit() or int(index) >= len(items):
        raise UsageError(f"--hparam {key}: expected a number from 0 to {len(items) - 1} in place of {index}")
    items[int(index)] = _changed(items[int(index)], deeper, value, key) if deeper else value
    return items


def recorded(checkpoint: "Checkpoint", signature: Signature, trust: Sequence[str]) -> dict[str, Any]:
    """What the checkpoint recorded for a class: without what names code, which is a placeholder as objects are."""
    found = bounded(checkpoint)
    instantiator = found.pop("_instantiator", None)
    found.pop("_class_path", None)
    if instantiator is not None and instantiator not in _CLI:
        raise ArtifactError(
            f"{checkpoint.where} asks for an instantiator of its own, {str(instantiator)[:80]!r}, and is refused. "
            "Build the module without it: --config FILE, or --factory pkg.mod:make"
        )
    plain = unpacked(found, signature)
    if instantiator is not None:
        progress.note("made by LightningCLI: its hparams are passed to the class")
    made = instantiator is not None or plain is not found
    return {key: code_names.read(value, signature.annotation(key), trust, made=made) for key, value in plain.items()}


def bounded(checkpoint: "Checkpoint") -> dict[str, Any]:
    """What the checkpoint recorded. Raises ArtifactError where it holds itself, or would unfold without end."""
    found = checkpoint.hparams
    waiting: list[tuple[int, Any]] = [(0, found)]
    for _ in range(_VALUES):
        if not waiting:
            return found
        depth, value = waiting.pop()
        if isinstance(value, dict | list | tuple):
            if depth > _DEPTH:
                break
            waiting += ((depth + 1, inner) for inner in (value.values() if isinstance(value, dict) else value))
    raise ArtifactError(
        f"{checkpoint.where}: its hyperparameters are nested more than {_DEPTH} deep, or are more than {_VALUES} values"
    )


def unpacked(found: dict[str, Any], signature: Signature) -> dict[str, Any]:
    """The arguments in hparams of the form `class_path` + `init_args`, also below one key such as `model`."""
    if described(found) and not _DESCRIPTION & set(signature.known):
        return arguments_of(found)
    for key, value in found.items():
        own = isinstance(value, dict) and key not in signature.known and described(value)
        if own and str(value["class_path"]).rpartition(".")[2] == signature.name.rpartition(".")[2]:
            progress.note(f"the hparams below {key} are those of {value['class_path']}")
            return unpacked(value, signature)
    return found


def described(found: Mapping[str, Any]) -> bool:
    """Whether these are a class and its arguments, as LightningCLI writes an object."""
    named, inner = found.get("class_path"), found.get("init_args")
    return isinstance(named, str) and isinstance(inner, dict) and set(found) <= _DESCRIPTION


def arguments_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of what is so described."""
    return {**found["init_args"], **(found.get("dict_kwargs") or {})}
