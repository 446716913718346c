"""What is wrong with a checkpoint, and the remedy, in one or two lines. Pure: nothing here raises or reads much."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from lit_export.plain_values import Foreign

_SHOWN = 3
"""How many names a message lists before it says how many more there are."""


def names(items: Iterable[object]) -> str:
    """The first few, and how many more."""
    shown = [str(item) for item in items]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def nearest(name: str, candidates: Iterable[str]) -> str:
    """` Did you mean a, b?` with a space before, or nothing."""
    found = difflib.get_close_matches(name, list(candidates), n=_SHOWN, cutoff=0.5)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def foreign(where: str, found: Sequence[tuple[str, Foreign]]) -> str:
    """For values that would need code to exist: which, where, and how to train without them."""
    where = found[0][0]
    listed = names(f"{where or 'it'} ({value.path})" for where, value in found)
    refused = f"{where} holds more than plain data, which could run code, and is refused: {listed}."
    if any(value.path.startswith("torch.distributed.") for _, value in found):
        return f"{refused} It is one shard of a distributed model: save the whole with state_dict_type='full'"
    if where.startswith("hyper_parameters."):
        key = where.split(".")[1]
        return f'{refused}\nTrain with save_hyperparameters(ignore=["{key}"]), and give it here: --hparam {key}=VALUE'
    return f"{refused}\nSave plain values instead: numbers, text, lists, dicts, tensors"


def no_weights(where: str, contents: Mapping[Any, Any]) -> str:
    """For a dict without a state_dict: where the weights seem to be."""
    for key, value in contents.items():
        if isinstance(value, dict) and value and isinstance(key, str) and key not in ("hyper_parameters", "callbacks"):
            return (
                f"{where} holds no state_dict; {key!r} may be it. In Python: "
                f'torch.save(torch.load({where!r}, weights_only=True)[{key!r}], "weights.ckpt")'
            )
    return f"{where} is not a Lightning checkpoint: it holds no state_dict, only {names(contents) or 'nothing'}"


def missing_arguments(where: str, cls: str, missing: Mapping[str, str | None], weights: Iterable[str] = ()) -> str:
    """`missing`: the arguments' names with what they are annotated as; `weights`: the keys that the file has."""
    parts = {key.partition(".")[0] for key in weights}
    objects = {name for name, kind in missing.items() if name in parts or "Module" in (kind or "")}
    objects |= {name for name, kind in missing.items() if "Callable" in (kind or "")}
    if objects:  # where one is built, those of unknown kind are built beside it
        objects |= {name for name, kind in missing.items() if kind is None}
    plain = [name for name in missing if name not in objects]
    lines = f"{cls} needs {', '.join(missing)}, and {where} does not hold {'it' if len(missing) == 1 else 'them'}."
    if plain:
        lines += f"\nAdd: {' '.join(f'--hparam {name}=VALUE' for name in plain)}"
    if objects:
        built = [name for name in missing if name in objects]
        call = ", ".join(f"{name}=..." for name in built)
        lines += (
            f"\n{', '.join(built)} cannot be given as text: write a subclass of {cls} whose __init__ builds "
            f"{'it' if len(built) == 1 else 'them'} and calls super().__init__({call}), and give that to --class"
        )
    return lines


def mismatch(
    *,
    where: str,
    cls: str,
    missing: Sequence[str],
    unexpected: Sequence[str],
    shapes: Mapping[str, tuple[Sequence[int], Sequence[int]]],
) -> str:
    """Weights that do not fit the class: the keys with their nearest, the shapes side by side (file, class)."""
    parts: list[str] = []
    if shapes:
        listed = names(f"{key} is {list(a)} in the file, {list(b)} in {cls}" for key, (a, b) in shapes.items())
        parts.append(f"{listed}. Other hyperparameters than in training? Set them: --hparam NAME=VALUE")
    if missing:
        parts.append(f"{cls} expects what the file lacks: {names(_with_nearest(missing, unexpected))}")
    if unexpected:
        parts.append(f"the file holds what {cls} lacks: {names(_with_nearest(unexpected, missing))}")
    return f"{where} does not fit {cls}. " + "\n".join(parts)


def _with_nearest(keys: Sequence[str], others: Collection[str]) -> list[str]:
    listed: list[str] = []
    for key in keys:
        if len(listed) < _SHOWN:
            near = difflib.get_close_matches(key, list(others)[:2000], n=1, cutoff=0.6)
            listed.append(f"{key} (near: {near[0]})" if near else key)
        else:
            listed.append(key)
    return listed
