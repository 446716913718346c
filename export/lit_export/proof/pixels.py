"""Prove the pixels: the runtime's whole way from a file to the module's input, against training's own transform.

Compared are the values that the module is given, before their normalisation: in shares of the range that it scales to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lit_export.front.transform import TrainingTransform
from lit_export.options import Options
from lit_export.proof import corpus, parting
from lit_export.proof.reference_files import loaded
from lit_export.tasks import Target
from lit_export.tasks.images import MOST, ImageModule, scale_of
from lit_infer import folder, images, progress
from lit_infer.errors import GateError, InputError, UsageError
from lit_infer.folder import image_rows
from lit_infer.images.preprocess import resizes_floats
from lit_infer.images.values import Scale, Stretch
from lit_infer.manifest import DeploymentFacts, PixelProof

_MOST = 64
_ROUNDING = 2e-6
"""Of float32, where both sides compute the same in another order; a share of the largest value."""
_RESIZED_ROUNDING = 2e-5
"""The same where values were resized in float32."""


@dataclass(frozen=True)
class _Compared:
    path: Path
    difference: float
    """The largest of any value, as a share of the range before normalisation."""
    is_rounding: bool
    """Whether no value is farther apart than rounding explains."""


def proven(target: Target, transform: TrainingTransform, options: Options, scratch: Path) -> PixelProof:
    """What was compared. Raises GateError where the pixels are not training's."""
    paths, source = _images(target.facts, transform, options, scratch)
    compared = [_compared(target, transform, path) for path in paths]
    allowed = options.allow_pixel_difference
    beyond = [one for one in compared if not one.is_rounding]
    wrong = [one for one in beyond if not one.difference <= allowed]  # NaN is never within
    if wrong:
        raise GateError(_refusal(target, transform, wrong, len(compared), allowed))
    most = max((one.difference for one in beyond), default=0.0)
    proof = PixelProof(
        transform=transform.name,
        images=len(compared),
        source=source,
        max_difference=most,
        allowed=allowed,
    )
    equal = "all equal" if not beyond else f"up to {most:.2g} apart, as allowed"
    word = "proven" if not beyond else "compared"
    progress.note(f"pixels {word} against {transform.name} on {len(compared)} images ({source}), {equal}")
    return proof


def _images(
    facts: DeploymentFacts, transform: TrainingTransform, options: Options, scratch: Path
) -> tuple[Sequence[Path], str]:
    """Image files, and where they come from."""
    if options.images is not None and facts.images:
        rows = image_rows.paths(options.images, facts.images)
        return list(dict.fromkeys(path for row in rows for path in row))[:_MOST], "those of --images"
    if options.images is not None:
        return list(folder.list_images([options.images], images.suffixes(facts.preprocess)))[
            :_MOST
        ], "those of --images"
    if transform.paths:
        step = max(1, len(transform.paths) // _MOST)
        return transform.paths[::step][:_MOST], "validation data"
    into = scratch / "pixels"
    into.mkdir()
    return corpus.odd_files(facts, into), "made up, of odd sizes and modes"


def _compared(target: Target, transform: TrainingTransform, path: Path) -> _Compared:
    facts = target.facts
    made = transform(loaded(path, facts), path)
    try:
        ours = module_input(target, path)
    except InputError as error:
        raise GateError(f"{transform.name} takes {path.name}, and the runtime does not: {error}") from None
    theirs = parting.channels_first(made, ours.shape)
    if theirs is None:
        raise GateError(
            f"{transform.name} makes {list(made.shape)} of {path.name}, "
            f"and the preprocessing as stated {list(ours.shape)}"
        )
    largest = max(1.0, float(np.abs(ours).max(initial=0)))
    share = _RESIZED_ROUNDING if resizes_floats(facts.preprocess) else _ROUNDING
    apart = np.abs(ours.astype(np.float64) - theirs)
    difference = apart * _deviation(facts) / value_range(facts)
    return _Compared(path, float(difference.max(initial=0)), bool((apart <= share * largest).all()))


def module_input(target: Target, path: Path) -> NDArray[np.float32]:
    """What the module is given for a file, [channels, height, width]: by the runtime, then by the graph's beginning."""
    facts, wrapped = target.facts, target.module
    assert isinstance(wrapped, ImageModule)  # noqa: S101 - tasks of images have no other
    prepared = images.prepare(path, steps=facts.preprocess, channels=facts.channels)
    with torch.no_grad():
        made: NDArray[np.float32] = wrapped.pixels(torch.from_numpy(prepared[None].copy()))[0].float().numpy()
    return made


def _deviation(facts: DeploymentFacts) -> NDArray[np.float64]:
    std = facts.normalize.std if facts.normalize else (1.0,)
    return np.asarray(std, np.float64).reshape(-1, 1, 1)


def value_range(facts: DeploymentFacts) -> float:
    """How far values reach before their normalisation: 1 where they are scaled, 255 where bytes stay as they are."""
    scales = [step.value.by for step in facts.preprocess if isinstance(step.value, Scale)]
    if any(isinstance(step.value, Stretch) for step in facts.preprocess):
        return 1.0
    depth = "uint8" if facts.read is None else facts.read.depth
    return MOST[depth] / (scales[0] if scales else scale_of(facts))


def _refusal(
    target: Target, transform: TrainingTransform, wrong: Sequence[_Compared], count: int, allowed: float
) -> str:
    worst = max(wrong, key=lambda one: one.difference)
    if not _is_repeatable(transform, worst.path, target.facts):
        return f"{transform.name} makes something else of {worst.path.name} each time: it is random, or has state"
    where = parting.first_step(target.facts, transform, loaded(worst.path, target.facts), worst.path)
    levels = f" ({worst.difference * 255:.0f} of 255 levels)" if 0.5 <= worst.difference * 255 < 256 else ""
    limit = f", and {allowed:.2g} is allowed" if allowed else ""
    return (
        f"pixels are not those of {transform.name}: {len(wrong)} of {count} images differ, {worst.path.name} by "
        f"{worst.difference:.2g}{levels}{limit}.\n{where}.\n{_cure(target.facts, transform)}"
    )


def _is_repeatable(transform: TrainingTransform, path: Path, facts: DeploymentFacts) -> bool:
    first, second = (transform(loaded(path, facts), path) for _ in range(2))
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _cure(facts: DeploymentFacts, transform: TrainingTransform) -> str:
    """What to do about pixels that differ."""
    by_hand = (
        "Write what it does into --spec FILE (docs/export/preprocessing.md has the steps), or move it into forward"
    )
    if facts.read is None and not transform.parts:
        return f"{by_hand}; where training reads files otherwise than as RGB by Pillow, --spec says so: read"
    return by_hand


def unproven() -> None:
    """Say what is not known."""
    progress.note("the preprocessing is as stated, and was not compared with training (--transform PKG.MOD:NAME does)")


def check_options(options: Options, *, takes_images: bool, task: str) -> None:
    """Raise UsageError for options about pixels where there are none."""
    if options.transform is not None and not takes_images:
        raise UsageError(f"--transform is for the image tasks; this export is of task {task}. Give --spec FILE")
    if options.allow_pixel_difference and options.transform is None and options.data_module is None:
        raise UsageError("--allow-pixel-difference needs a transform to compare with: --transform PKG.MOD:NAME")
