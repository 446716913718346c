"""Put a state_dict into a module: what fits, and one message for what does not."""

import fnmatch
from collections.abc import Collection, Sequence
from typing import Any

from torch import nn

from lit_export.front import diagnosis, key_families, keys, training_only
from lit_export.front.keys import KeyDifference
from lit_export.options import Options
from lit_infer import progress
from lit_infer.errors import ArtifactError, UsageError

_ERRORS = (RuntimeError, TypeError, AttributeError, LookupError)


def load_weights(module: nn.Module, state: dict[str, Any], options: Options, *, where: str) -> tuple[str, ...]:
    """Load the weights. Returns the keys that stayed as the class made them, where that was asked for.

    Keys of a loss or metric may be too many or lacking; any other difference is an error, unless the module says
    `strict_loading = False` or the caller `strict=False`.
    """
    expected = module.state_dict()
    kept = _without(state, options.ignore_keys, where)
    kept = keys.aligned(key_families.merged(kept, expected.keys()), expected.keys())
    try:
        module.load_state_dict(kept, strict=True)
        return ()
    except _ERRORS as error:
        why = " ".join(str(error).split())[:300]
    found = keys.difference(kept, expected)  # before: a module may rename keys by itself
    training = {key for key in (*found.unexpected, *found.shapes) if training_only.belongs(module, key)}
    left = _loaded(module, kept, training if options.strict else {*training, *found.shapes})
    if left is None or not set(kept) - training - set(found.shapes) - set(left[1]):  # nothing would be loaded
        raise ArtifactError(_refusal(module, found, where, why))
    missing = [key for key in left[0] if not training_only.is_its_buffer(module, key)]
    asked = [key for key in missing if key in state and _matches(key, options.ignore_keys)]
    found = KeyDifference([key for key in missing if key not in asked], left[1], found.shapes)
    if options.strict and getattr(module, "strict_loading", True) and (found.missing or found.unexpected):
        raise ArtifactError(_refusal(module, found, where, why))
    _say(type(module).__qualname__, training, asked, found, strict=options.strict)
    return tuple(missing)


def _loaded(module: nn.Module, state: dict[str, Any], without: Collection[str]) -> tuple[list[str], list[str]] | None:
    """Load what is left, and what the module says is missing and too much; None if it cannot be loaded."""
    kept = keys.kept(state, [key for key in state if key not in without])
    try:
        result = module.load_state_dict(kept, strict=False)
    except _ERRORS:
        return None
    if result is None:  # a load_state_dict of the class's own
        return [], []
    return list(result.missing_keys), list(result.unexpected_keys)


def _without(state: dict[str, Any], patterns: Sequence[str], where: str) -> dict[str, Any]:
    """Less the keys that are to be ignored. A pattern without any is a mistake."""
    for pattern in patterns:
        if not any(_matches(key, (pattern,)) for key in state):
            tops = dict.fromkeys(key.partition(".")[0] for key in state)
            raise UsageError(
                f"--ignore-keys {pattern!r} matches no key of {where}.{diagnosis.nearest(pattern, state)}"
                f" Its weights are of {diagnosis.names(tops)}"
            )
    left_out = [key for key in state if _matches(key, patterns)]
    if not left_out:
        return state
    progress.note(f"left out ({', '.join(patterns)}): {diagnosis.names(left_out)}")
    return keys.kept(state, [key for key in state if key not in left_out])


def _matches(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def _say(name: str, training: Collection[str], asked: list[str], found: KeyDifference, *, strict: bool) -> None:
    if training:
        progress.note(f"left out, since they are a loss's or metric's: {diagnosis.names(sorted(training))}")
    if asked:
        progress.note(f"warning: left as the class made them (--ignore-keys): {', '.join(asked)}")
    why = f"{name} has strict_loading=False" if strict else "warning: --strict false"
    for what, names in (("left as the class made them", found.missing), ("in the checkpoint only", found.unexpected)):
        if names:
            progress.note(f"{why}; {what}: {diagnosis.names(names) if strict else ', '.join(names)}")


def _refusal(module: nn.Module, found: KeyDifference, where: str, why: str) -> str:
    name = type(module).__qualname__
    if not (found.missing or found.unexpected or found.shapes):
        return f"{where} does not fit {name}: {why}"
    said = diagnosis.mismatch(
        where=where, cls=name, missing=found.missing, unexpected=found.unexpected, shapes=found.shapes
    )
    cure = (
        key_families.diagnosis(name, found.unexpected)
        or diagnosis.left_empty(name, [key for key in found.unexpected if _is_empty(module, key)])
        or diagnosis.way_on(found.missing, found.unexpected, found.shapes)
    )
    return f"{said}\n{cure}" if cure else said


def _is_empty(module: nn.Module, key: str) -> bool:
    """Whether the class registers it and leaves it None, for training to fill."""
    path, _, name = key.rpartition(".")
    try:
        owner = module.get_submodule(path)
    except AttributeError:
        return False
    return any(name in table and table[name] is None for table in (owner._buffers, owner._parameters))
