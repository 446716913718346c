"""What is wrong with a checkpoint, and the remedy, in one or two lines. Pure: nothing here raises or reads much."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

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


def way_on(missing: Sequence[str], unexpected: Sequence[str], shapes: Collection[str]) -> str | None:
    """How to export where only something is too much, or only something is lacking."""
    if shapes:
        return None
    if unexpected and missing and (prefix := _common_prefix(missing, unexpected)):
        others = dict.fromkeys(key.partition(".")[0] for key in unexpected if not key.startswith(prefix))
        patterns = " ".join(f"--ignore-keys '{top}.*'" for top in others)
        return f"All that is lacking is there below {prefix[:-1]}. To take those: {patterns}"
    if unexpected and not missing:
        tops = dict.fromkeys(f"{key.partition('.')[0]}.*" if "." in key else key for key in unexpected)
        patterns = " ".join(f"--ignore-keys '{top}'" for top in tops)
        return f"If no output depends on them: {patterns}"
    if missing and not unexpected:
        return "To keep them as the class makes them, which may be at random: --strict false"
    return None


def left_empty(cls: str, keys: Sequence[str]) -> str | None:
    """How to load what the class leaves None until it is trained."""
    if not keys:
        return None
    return (
        f"{cls} leaves {names(keys)} None when it is made. Make it with something of that shape there, as by "
        f"`module.{keys[0]} = torch.empty(...)` in a --factory"
    )


def _common_prefix(missing: Sequence[str], unexpected: Sequence[str]) -> str | None:
    """The prefix below which the file has each of the lacking keys, among others."""
    held, first = set(unexpected), missing[0]
    prefixes = (key.removesuffix(first) for key in unexpected if key.endswith(f".{first}"))
    return next((one for one in prefixes if all(f"{one}{key}" in held for key in missing)), None)


def _with_nearest(keys: Sequence[str], others: Collection[str]) -> list[str]:
    listed: list[str] = []
    for key in keys:
        if len(listed) < _SHOWN:
            near = difflib.get_close_matches(key, list(others)[:2000], n=1, cutoff=0.6)
            listed.append(f"{key} (near: {near[0]})" if near else key)
        else:
            listed.append(key)
    return listed
