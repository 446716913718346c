"""Training's own evaluation transform: `--transform pkg.mod:NAME`, or that of the data module's validation data."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lit_export.front import tried
from lit_export.front.find_class import find_object
from lit_export.inputs.data_module import validation_data
from lit_export.options import Options
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import UsageError
from lit_infer.images import from_transform
from lit_infer.images.from_transform import TransformFacts
from lit_infer.images.from_transform.facts import name_of

TransformCall = Callable[[Any, Image.Image, Path], Any]
"""A transform, the image as training's loader gives it, and its file."""

_ANSWERS = ("image", "pixel_values", "img")
_CALLS: tuple[TransformCall, ...] = (
    lambda transform, image, _: transform(image),
    lambda transform, image, _: transform(np.asarray(image)),
    lambda transform, image, _: transform(image=np.asarray(image)),
    lambda transform, image, _: transform(images=image, return_tensors="pt"),
    lambda transform, _, path: transform(str(path)),
    lambda transform, _, path: transform(path),
)
"""The ways in which transforms are called, the commonest first."""
_FIRST = {"albumentations": 2, "transformers": 3}
"""By library: its own way."""


@dataclass
class TrainingTransform:
    """A callable, and how it is called: found out on the first image."""

    name: str
    """Whose it is, in words: `photolab.data:val_transform`."""
    transform: Any
    paths: tuple[Path, ...] = ()
    """Files of the data that it came with."""
    _call: TransformCall | None = field(default=None, repr=False)

    def __call__(self, image: Image.Image, path: Path) -> NDArray[Any]:
        """What it makes of an image, as an array in whatever layout. Raises UsageError for what it raises."""
        return called(self, self.transform, image, path)

    @property
    def parts(self) -> Sequence[Any]:
        """Its parts in order, where it is a composition; else none."""
        found = getattr(self.transform, "transforms", None)
        return tuple(found) if isinstance(found, list | tuple) else ()

    def way(self, transform: Any, image: Image.Image, path: Path) -> TransformCall:
        """How it is called: the first way that it accepts."""
        if self._call is None:
            self._call = _found_out(self, transform, image, path)
        return self._call


def called(of: TrainingTransform, transform: Any, image: Image.Image, path: Path) -> NDArray[Any]:
    """What `transform`, which is `of` or made of its parts, makes of an image."""
    call = of.way(transform, image, path)
    with user_code(f"the transform {of.name} on {path.name}"):
        return _array(call(transform, image, path), of.name)


def find(options: Options) -> TrainingTransform | None:
    """The transform that is to be compared with; None where none is named."""
    if options.transform is not None:
        return TrainingTransform(options.transform, _made(options.transform))
    if options.data_module is None:
        return None
    data = validation_data(options)
    transform = next((one for name in ("transform", "transforms") if (one := getattr(data, name, None))), None)
    if transform is None:
        raise UsageError(
            f"--data-module {options.data_module}: its validation data set has no attribute `transform` to compare "
            "pixels with. Name the transform: --transform PKG.MOD:NAME"
        )
    paths = tuple(Path(sample[0]) for sample in getattr(data, "samples", ()) if isinstance(sample[0], str))
    return TrainingTransform(f"{options.data_module}'s validation transform", transform, paths)


def _made(path: str) -> Any:
    """The object, or what a function or class without arguments makes."""
    found = find_object(path, option="--transform")
    if not callable(found):
        raise UsageError(f"--transform {path} is a {type(found).__name__}, not a transform of an image")
    is_maker = inspect.isclass(found) or inspect.isfunction(found)
    if is_maker and not _needed(found):
        with user_code(f"--transform {path}"):
            found = found()
        if not callable(found):
            raise UsageError(f"--transform {path} returned a {type(found).__name__}, not a transform of an image")
    elif inspect.isclass(found):
        raise UsageError(f"--transform {path} is a class that needs {', '.join(_needed(found))}: name an object of it")
    return found


def facts(of: TrainingTransform) -> TransformFacts:
    """What the transform does, read off it, or off the one transform that it is put around.

    That is a guess where code is put around one; the comparison of pixels shows whether it is right. Raises ValueError.
    """
    try:
        return from_transform.read(of.transform)
    except ValueError:
        if (taken := _tried(of)) is not None:
            return taken
        found = list(_readable(_held(of.transform)))
        if not found:
            raise
        if len(found) > 1:
            names = ", ".join(name for name, _, _ in found)
            raise ValueError(
                f"it holds several transforms ({names}): name the one that evaluation uses, --transform PKG.MOD:NAME"
            ) from None
        _, inner, steps = found[0]
        progress.note(f"{of.name} is code around a {type(inner).__name__}, whose steps are taken")
        return steps


def _tried(of: TrainingTransform) -> TransformFacts | None:
    """With its functions taken for what they do, where it has any."""
    with suppress(Exception):  # the user's functions may raise anything for an image that is not theirs
        parts = tried.known(of.parts) if of.parts else None
        return None if parts is None else from_transform.read(parts)
    return None


def _held(transform: Any) -> Iterator[tuple[str, Any]]:
    """What an object has in its attributes, and a function in what it names."""
    yield from vars(transform).items() if hasattr(transform, "__dict__") else ()
    function = transform if inspect.isfunction(transform) else vars(type(transform)).get("__call__")
    if inspect.isfunction(function):
        seen = inspect.getclosurevars(function)
        yield from (*seen.nonlocals.items(), *seen.globals.items())


def _readable(candidates: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any, TransformFacts]]:
    looked_at: list[Any] = []
    for name, one in candidates:
        if inspect.ismodule(one) or isinstance(one, type) or any(one is other for other in looked_at):
            continue
        looked_at.append(one)
        with suppress(ValueError):
            yield name, one, from_transform.read(one)


def _needed(found: Any) -> list[str]:
    """The arguments that must be given."""
    given = inspect.signature(found).parameters.values()
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in given if one.default is one.empty and one.kind not in skipped]


def _found_out(of: TrainingTransform, transform: Any, image: Image.Image, path: Path) -> TransformCall:
    first = _CALLS[_FIRST.get(name_of(transform).partition(".")[0], 0)]
    reason = ""
    for call in (first, *(call for call in _CALLS if call is not first)):
        try:
            _array(call(transform, image, path), of.name)
        except Exception as error:  # the user's code may raise anything for a call of another form
            reason = reason or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        else:
            return call
    raise UsageError(
        f"the transform {of.name} takes neither a PIL image nor an array nor a path ({reason}). "
        "Name a function that takes one: def val(image): return ..."
    )


def _array(made: Any, name: str) -> NDArray[Any]:
    """The image in what a transform returned."""
    if isinstance(made, tuple | list) and len(made) == 2:  # with a target
        made = made[0]
    if hasattr(made, "keys"):
        found = [key for key in _ANSWERS if key in made]
        if not found:
            raise UsageError(f"the transform {name} answers {', '.join(map(str, made.keys()))}, and no image")
        made = made[found[0]]
    if isinstance(made, list) and len(made) == 1:  # a batch of one, in arrays
        made = made[0]
    if isinstance(made, torch.Tensor):
        return made.detach().cpu().numpy()
    if isinstance(made, Image.Image):
        return np.asarray(made)
    array = np.asarray(made)
    if array.dtype == object or array.ndim < 2:
        raise UsageError(f"the transform {name} answers {type(made).__name__}, and no image")
    return array
