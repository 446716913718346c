"""A class's own `load_from_checkpoint`: named where there is one, and called where that is asked for."""

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from lit_export.front.checkpoint import Checkpoint
from lit_export.options import Options
from lit_export.user_code import user_code
from lit_infer import progress
from lit_infer.errors import ArtifactError, UsageError

_NAME = "load_from_checkpoint"
_FRAMEWORKS = ("lightning", "pytorch_lightning")
_FACTORY = "To make the module yourself: --factory pkg.mod:make, a function that returns it"
_UNPICKLES = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"


def mention(cls: type, options: Options) -> None:
    """Say that the class has one of its own, which is not called."""
    owner = _owner(cls)
    if owner is not None and options.factory is None:
        progress.note(
            f"{owner.__qualname__} has a {_NAME} of its own, which was not called. If the module needs what it does, "
            "and you trust the file: --use-load-from-checkpoint"
        )


def cure(cls: type) -> str:
    """What helps where the class could not be made from the arguments in the file, to follow the reason."""
    owner = _owner(cls)
    if owner is None:
        return f". {_FACTORY}"
    return (
        f".\nIf you trust the file, {owner.__qualname__}.{_NAME} may know how: --use-load-from-checkpoint. {_FACTORY}"
    )


def _owner(cls: type) -> type | None:
    """The class that defines it, unless that is Lightning."""
    owner = next((base for base in cls.__mro__ if _NAME in vars(base)), None)
    return None if owner is None or owner.__module__.partition(".")[0] in _FRAMEWORKS else owner


def loaded(cls: type[nn.Module], checkpoint: Checkpoint, options: Options) -> nn.Module:
    """What `cls.load_from_checkpoint` returns for the file. It unpickles whatever the file names."""
    load = getattr(cls, _NAME, None)
    if load is None:
        raise UsageError(f"--use-load-from-checkpoint: {cls.__qualname__} has no {_NAME}; it is no LightningModule")
    if not checkpoint.path.is_file():
        raise UsageError(f"--use-load-from-checkpoint needs a file: download {checkpoint.where} first")
    for option, value in (("--weights", options.weights), ("--ignore-keys", options.ignore_keys)):
        if value:
            raise UsageError(f"--use-load-from-checkpoint loads the weights by itself: leave {option} out")
    progress.note(
        f"warning: {cls.__qualname__}.{_NAME} runs what {checkpoint.where} names (--use-load-from-checkpoint)"
    )
    strict: dict[str, Any] = {} if options.strict else {"strict": False}
    try:
        with user_code(f"{cls.__qualname__}.{_NAME}"), _unpickling():
            module = load(str(checkpoint.path), map_location="cpu", **strict, **options.hparams)
    except ArtifactError as error:
        raise ArtifactError(f"{error}. {_FACTORY}") from None
    _check_same_file(checkpoint)
    if not isinstance(module, nn.Module):
        raise UsageError(f"{cls.__qualname__}.{_NAME} returned a {type(module).__name__}, not a torch.nn.Module")
    return module


@contextmanager
def _unpickling() -> Iterator[None]:
    """torch.load without `weights_only`, however the class calls it."""
    before = os.environ.get(_UNPICKLES)
    os.environ[_UNPICKLES] = "1"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=f".*{_UNPICKLES}.*")
            warnings.filterwarnings("ignore", message="Attribute .* is an instance of `nn.Module`")  # for training
            yield
    finally:
        if before is None:
            del os.environ[_UNPICKLES]
        else:
            os.environ[_UNPICKLES] = before


def _check_same_file(checkpoint: Checkpoint) -> None:
    """The file was read a second time; the manifest's digest must be of what was loaded."""
    with checkpoint.path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != checkpoint.digest:
            raise ArtifactError(f"{checkpoint.where} has changed while it was loaded. Export it again")
