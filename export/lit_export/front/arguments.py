"""The arguments that a class or a factory is given, from what was recorded and asked for; or what is missing."""

import argparse
import json
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lit_export.front import diagnosis
from lit_export.front.hparams import overlaid
from lit_export.front.placeholder import Placeholder, first, guarded, is_part, only_trains
from lit_export.front.signature import Signature
from lit_infer import progress
from lit_infer.errors import UsageError, require


@dataclass(frozen=True)
class Given:
    """The arguments for a call, and those that it needs and does not have."""

    arguments: dict[str, Any]
    missing: dict[str, Placeholder | None]
    """With the placeholder that the checkpoint holds in its place, if any."""
    objects: dict[str, Placeholder] = field(default_factory=dict)
    """Those in whose place something stands that may not be used."""


def for_class(
    signature: Signature,
    *,
    recorded: Mapping[str, Any],
    hparams: Mapping[str, Any],
    whole: Any = None,
    kind: str | None = None,
    weights: Collection[str] = (),
) -> Given:
    """What a class is made with. Each recorded value that it does not take is said, or refused where it matters.

    `whole`: the argument that took all hyperparameters in training, as one object of type `kind`. `weights`: the
    parts of which the file has weights.
    """
    whole = whole if whole in signature.known else signature.whole({**recorded, **hparams})
    if whole is not None and whole not in hparams:
        inner = {key.removeprefix(f"{whole}."): value for key, value in hparams.items()}
        return _as_one(signature, whole, recorded, inner, kind)
    _refuse_unknown(signature, hparams)
    given = overlaid(recorded, hparams)
    _said_or_refused(signature, given)
    if not signature.anything:
        given = {key: value for key, value in given.items() if key in signature.known}
    return _without_placeholders(signature, given, weights)


def for_factory(make: Callable[..., Any], *, recorded: Mapping[str, Any], hparams: Mapping[str, Any]) -> Given:
    """What a function of the user's is called with: of what was recorded, the plain values that it takes."""
    signature = Signature.of(make)
    plain = {key: guarded(value, key) for key, value in recorded.items() if not isinstance(value, Placeholder)}
    whole = signature.whole({**plain, **hparams})
    if whole is not None:
        return Given({whole: container(overlaid(plain, hparams), signature.kind(whole))}, {})
    _refuse_unknown(signature, hparams)
    given = overlaid(plain, hparams)
    taken = given if signature.anything else {key: value for key, value in given.items() if key in signature.known}
    lost = {key: first(recorded.get(key)) for key in signature.required if key not in taken}
    return Given(taken, lost)


def container(values: dict[str, Any], kind: str | None) -> Any:
    """All hyperparameters as one object: of the kind that is asked for, else with its keys as attributes too."""
    if kind is not None and "DictConfig" in kind:
        omegaconf = require("omegaconf", extra="hydra", purpose="hyperparameters in a DictConfig")
        return omegaconf.OmegaConf.create(_copied(values, dict), flags={"allow_objects": True})
    named = kind is not None and "Namespace" in kind
    return argparse.Namespace(**values) if named else _copied(values, _attribute_dict())


def _attribute_dict() -> type[dict[str, Any]]:
    """Lightning's own, which classes may look for."""
    from lightning.fabric.utilities.data import AttributeDict

    return AttributeDict


def _copied(value: Any, kind: type[dict[str, Any]]) -> Any:
    """The value with each dict in it of this kind."""
    if isinstance(value, dict):
        return kind({key: _copied(item, kind) for key, item in value.items()})
    return [_copied(item, kind) for item in value] if type(value) is list else value


def _as_one(
    signature: Signature, whole: str, recorded: Mapping[str, Any], hparams: Mapping[str, Any], kind: str | None
) -> Given:
    """All in one argument, as save_hyperparameters(a_dict) records it; options for other arguments go to these."""
    own = {key: value for key, value in hparams.items() if key in signature.known}
    inner = {key: value for key, value in hparams.items() if key not in own}
    values = guarded(overlaid(recorded, inner), whole)
    beside = [key for key in signature.required if key in recorded and first(recorded[key]) is None]
    given = {**{key: recorded[key] for key in beside}, whole: container(values, signature.kind(whole) or kind), **own}
    return Given(given, {key: None for key in signature.required if key not in given})


def _refuse_unknown(signature: Signature, hparams: Mapping[str, Any]) -> None:
    """One that was asked for must be among those that are taken."""
    for key in hparams:
        if key.partition(".")[0] not in signature.known and not signature.anything:
            raise UsageError(
                f"--hparam {key}: {signature.name} takes no such argument.{diagnosis.nearest(key, signature.known)}"
                f" It takes: {', '.join(signature.known) or 'none'}"
            )


def _said_or_refused(signature: Signature, given: Mapping[str, Any]) -> None:
    """Name the recorded values that the class does not take; refuse where they hold some that it does take."""
    ignored = {key: value for key, value in given.items() if key not in signature.known}
    wanted = [key for key in signature.known if key not in given]
    lost = {name: (key, value) for key, item in ignored.items() for name, value in _held(key, item, wanted).items()}
    if lost:
        key = next(iter(lost.values()))[0]
        cures = " ".join(f"--hparam {name}={_text(value)}" for name, (_, value) in lost.items())
        raise UsageError(
            f"{signature.name} takes no {key}, but that holds what it takes: {', '.join(lost)}. "
            f"Dropped, the module would not be the one that was trained.\nGive what it was made with: {cures}"
        )
    if ignored and not signature.anything:
        progress.note(f"hparams the class ignores: {', '.join(ignored)} ({signature.name} takes no such arguments)")


def _held(key: str, value: Any, wanted: Sequence[str]) -> dict[str, Any]:
    """The arguments of a class that are below a value, or whose name ends the value's own: `model/scale`."""
    last = re.split(r"[./]", key)[-1]
    if last != key and last in wanted:
        return {last: value}
    if not isinstance(value, dict):
        return {}
    deeper = [_held("", item, wanted) for item in value.values()]
    found = {name: item for part in deeper for name, item in part.items()}
    return {**found, **{name: value[name] for name in wanted if name in value}}


def _text(value: Any) -> str:
    """A value as one would type it."""
    plain = isinstance(value, int | float | bool | str) and "\n" not in str(value) and len(str(value)) < 60
    return shlex.quote(json.dumps(value) if not isinstance(value, str) else value) if plain else "VALUE"


def _without_placeholders(signature: Signature, given: dict[str, Any], weights: Collection[str]) -> Given:
    """Objects with what stands for them, but for the module's own parts: these are missing."""
    found = {key: value for key, value in given.items() if isinstance(value, Placeholder)}
    parts = {key: value for key, value in found.items() if is_part(key, value, weights)}
    absent = [key for key in signature.required if key not in given]
    trains = [key for key in absent if only_trains(key)]
    if trains:
        progress.note(f"for training only, and left out: {', '.join(trains)}")
    if objects := {key: value for key, value in found.items() if key not in parts}:
        listed = ", ".join(f"{key} ({value.path})" for key, value in objects.items())
        progress.note(f"objects that are not read, and may not be used: {listed}")
    kept = {key: guarded(value, key) for key, value in given.items() if key not in parts} | dict.fromkeys(trains)
    return Given(kept, {**parts, **{key: None for key in absent if key not in trains}}, objects)
