"""The keys of a state_dict against those that a module expects."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lit_infer import progress

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")
"""What torch.compile, FSDP and activation checkpointing add to a name, wherever the wrapped module is."""
_COUNTERS = ("n_averaged",)
"""What an averaged model keeps beside the weights."""


@dataclass(frozen=True)
class KeyDifference:
    """What keeps a state_dict from being loaded."""

    missing: list[str]
    unexpected: list[str]
    shapes: dict[str, tuple[list[int], list[int]]]
    """Of the file, and of the module."""


def copied(state: dict[str, Any]) -> dict[str, Any]:
    """A dict of its own, with the modules' versions that torch keeps on it."""
    own = type(state)(state)
    if (versions := getattr(state, "_metadata", None)) is not None:
        own._metadata = versions  # type: ignore[attr-defined] # an OrderedDict takes attributes
    return own


def aligned(state: dict[str, Any], expected: Iterable[str]) -> dict[str, Any]:
    """The state_dict under the module's names, where they differ only by what wrappers add. Else as it is."""
    wanted = set(expected)
    if set(state) == wanted:
        return state
    renamed = _unwrapped(state, wanted)
    if count := sum(key not in renamed for key in state):
        which = next(wrapper for wrapper in _WRAPPERS if any(wrapper in key for key in {*state, *wanted}))
        if any(which in key for key in state):
            progress.note(f"stripped {which} from {count} keys")
        else:
            progress.note(f"added {which} to {count} keys, as the class has it")
    prefix = _prefix(renamed, wanted)
    if prefix is None:
        return renamed
    progress.note(f"stripped {prefix} from {len(wanted)} keys")
    return _with_keys(renamed, {f"{prefix}{key}": key for key in wanted})


def _unwrapped(state: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    """Each key that the module does not know, under the one it knows that is the same without wrappers."""
    plain: dict[str, list[str]] = {}
    for key in wanted - set(state):
        plain.setdefault(_plain(key), []).append(key)
    names = {}
    for key in state:
        found = plain.get(_plain(key), []) if key not in wanted else []
        names[key] = found[0] if len(found) == 1 else (_plain(key) if key not in wanted else key)
    return _with_keys(state, names) if len(set(names.values())) == len(names) else state


def _prefix(state: Mapping[str, Any], wanted: set[str]) -> str | None:
    """The prefix without which the keys are exactly the module's: `module.` of DDP, `model.` of a wrapper."""
    keys = [key for key in state if key not in _COUNTERS]
    if not keys or not wanted or len(keys) != len(wanted) or set(keys) == wanted:
        return None
    example = min(wanted)
    for key in keys:
        if key.endswith(f".{example}"):
            prefix = key.removesuffix(example)
            if {f"{prefix}{name}" for name in wanted} == set(keys):
                return prefix
    return None


def _with_keys(state: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    renamed = type(state)((names[key], value) for key, value in state.items() if key in names)
    if (versions := getattr(state, "_metadata", None)) is not None:
        renamed._metadata = versions  # type: ignore[attr-defined]
    return renamed


def kept(state: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Only these of a state_dict."""
    return _with_keys(state, {name: name for name in names})


def _plain(key: str) -> str:
    for wrapper in _WRAPPERS:
        key = key.replace(wrapper, "")
    return key


def difference(state: Mapping[str, Any], expected: Mapping[str, Any]) -> KeyDifference:
    """What is missing, what is too much, and what has another shape."""
    shapes = {
        key: (list(value.shape), list(expected[key].shape))
        for key, value in state.items()
        if key in expected
        and isinstance(value, torch.Tensor)
        and isinstance(expected[key], torch.Tensor)
        and not torch.nn.parameter.is_lazy(expected[key])
        and value.shape != expected[key].shape
    }
    return KeyDifference(
        missing=[key for key in expected if key not in state],
        unexpected=[key for key in state if key not in expected],
        shapes=shapes,
    )
