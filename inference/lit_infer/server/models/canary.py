"""Canaries: another version of a model that answers a share of the requests without a version.

local/digits/digits-cnn-export:candidate=10%          for the only model that is served
digits=local/digits/digits-cnn-export:candidate=10%   for one of several
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from lit_infer.errors import UsageError
from lit_infer.manifest import Manifest
from lit_infer.server.models import sources
from lit_infer.server.models.sources import ModelSource

_ASKED = re.compile(r"(.+)=([0-9]{1,2}(?:\.[0-9]{1,3})?)%", re.DOTALL)


def is_turn(number: int, share: Fraction) -> bool:
    """Whether the canary answers this request, counted from 0. It gets exactly its share, evenly spread."""
    due_before = number * share.numerator // share.denominator
    return (number + 1) * share.numerator // share.denominator > due_before


def parse(texts: Sequence[str], served: Sequence[ModelSource]) -> tuple[ModelSource, ...]:
    """Read `MODEL=10%` and `NAME=MODEL=10%`, and check against `served` what is known before models are opened."""
    canaries = tuple(_parsed(text) for text in texts)
    names = [source.name for source in served if source.name]
    for canary in canaries:
        if canary.model in [source.model for source in served]:
            raise UsageError(f"--canary {canary.model} is already being served: name another version or alias")
        if len(names) == len(served):
            model_of(canary, list(dict.fromkeys(names)))
    return canaries


def model_of(canary: ModelSource, names: Sequence[str]) -> str:
    """The name of the served model that a canary belongs to."""
    listed = ", ".join(names)
    if canary.name is None and len(names) == 1:
        return names[0]
    if canary.name is None:
        raise UsageError(f"--canary {canary.model}: which of {listed} is it for? Write NAME=MODEL=10%")
    if canary.name not in names:
        raise UsageError(f"--canary {canary.name}={canary.model}: no model {canary.name} is served, only {listed}")
    return canary.name


def named(canary: ModelSource, name: str, versions: Sequence[str]) -> ModelSource:
    """A canary with its model's name. If it has no version of its own, it gets the one after `versions`."""
    taken = [int(version) for version in versions if version.isdigit()]
    return replace(canary, name=name, number=max(taken, default=0) + 1)


def check_fits(canary: Manifest, main: Manifest) -> None:
    """Raise UsageError unless a client without a version can use either: same inputs, same names and types of outputs.

    The number of classes may differ.
    """
    ours, theirs = _interface(canary), _interface(main)
    if ours != theirs:
        raise UsageError(f"a canary must have the inputs and outputs of the main version: {theirs}, not {ours}")


def describe(source: ModelSource) -> str:
    """A source in words, with the share of a canary."""
    if source.share is None:
        return source.model
    return f"{source.model} (canary, {float(source.share * 100):g}% of the requests without a version)"


def _parsed(text: str) -> ModelSource:
    found = _ASKED.fullmatch(text)
    share = Fraction(found[2]) / 100 if found else Fraction(0)
    if found is None or not share:
        raise UsageError(
            f"--canary {text!r}: write MODEL=10% or NAME=MODEL=10%, with more than 0 and less than 100 percent"
        )
    name, model = sources.split(found[1])
    return ModelSource(model, name, share=share)


def _interface(manifest: Manifest) -> str:
    inputs = ", ".join(f"{one.name} {one.dtype} {list(one.shape)}" for one in manifest.inputs)
    outputs = ", ".join(f"{one.name} {one.dtype}" for one in manifest.outputs)
    return f"{manifest.task} {inputs} -> {outputs}"
