"""The ways to a module without its weights: its class, a configuration file, or a function of the user's."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lit_export.front import arguments, config, factory, own_loading, placeholder
from lit_export.front.arguments import Given
from lit_export.front.checkpoint import Checkpoint
from lit_export.front.code_names import is_trusted
from lit_export.front.find_class import find_class
from lit_export.front.hparams import arguments_of, bounded, described, recorded
from lit_export.front.missing import missing_pieces
from lit_export.front.placeholder import UnreadError
from lit_export.front.signature import Signature
from lit_export.options import Options
from lit_export.user_code import user_code
from lit_infer.errors import ArtifactError, UsageError

_TRUSTED = "lit_trainer"


def built(checkpoint: Checkpoint, options: Options) -> nn.Module:
    """The module as its class makes it. Random numbers are the same in each process, for weights the file lacks."""
    with _seeded():
        if options.factory is not None:
            return factory.made(options.factory, recorded=_of_the_file(checkpoint), hparams=options.hparams)
        if options.config is not None:
            return _of_config(options.config, checkpoint, options)
        return _of_class(chosen_class(checkpoint, options), checkpoint, options)


def made_alone(path: str, hparams: Mapping[str, Any]) -> nn.Module:
    """What a factory makes where there is no checkpoint."""
    with _seeded():
        return factory.made(path, recorded={}, hparams=hparams)


@contextmanager
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Attribute .* is an instance of `nn.Module`")  # advice for training
        torch.manual_seed(0)
        yield


def one_way(options: Options) -> None:
    """Raise UsageError where two ways to build the module are given."""
    ways = {"--factory": options.factory, "--config": options.config}
    others = {"--class": options.class_path, "--config": options.config}
    if options.factory and (both := [name for name, value in others.items() if value]):
        raise UsageError(f"--factory returns the module by itself: leave {both[0]} out")
    if options.use_load_from_checkpoint and (both := [name for name, value in ways.items() if value]):
        raise UsageError(f"--use-load-from-checkpoint builds the module by itself: leave {both[0]} out")
    if options.config_key and not options.config:
        raise UsageError(f"--config-key {options.config_key} needs --config FILE")


def chosen_class(checkpoint: Checkpoint, options: Options) -> type[nn.Module]:
    """The class that is given, else the recorded one where it is trusted."""
    if options.class_path:
        return find_class(options.class_path)
    named = checkpoint.hparams.get("_class_path") or checkpoint.hparams.get("class_path")
    path = checkpoint.record.deployment.class_path if checkpoint.record else None
    path = path or (named if isinstance(named, str) else None)
    if path and is_trusted(path, (_TRUSTED,)):
        return find_class(path, here=False)  # ours as installed, not what a folder of that name holds
    if path and is_trusted(path, options.trust):
        return find_class(path)
    if path:
        raise UsageError(
            f"{checkpoint.where} names {path}, a class outside lit_trainer. If you trust that code, add: "
            f"--class {path} or --trust-package {path.partition('.')[0]}"
        )
    found = config.beside(checkpoint.path)
    hint = f", or --config {found}, which the training left" if found else ""
    raise UsageError(f"{checkpoint.where} does not name its class. Add: --class pkg.mod:Cls{hint}")


def _of_class(cls: type[nn.Module], checkpoint: Checkpoint, options: Options) -> nn.Module:
    signature = Signature.of(cls)
    given = arguments.for_class(
        signature,
        recorded=recorded(checkpoint, signature, options.trust),
        hparams=options.hparams,
        whole=name if isinstance(name := checkpoint.contents.get("hparams_name"), str) else None,
        kind=_kind(checkpoint.contents.get("hparams_type")),
        weights={key.partition(".")[0] for key in checkpoint.contents["state_dict"]},
    )
    if given.missing:
        raise UsageError(missing_pieces(checkpoint, cls, signature, given))
    try:
        with user_code(f"{cls.__qualname__}.__init__"):
            return cls(**given.arguments)
    except ArtifactError as error:
        if not given.objects:
            raise ArtifactError(f"{error}{own_loading.cure(cls)}") from None
        plain = {key: value for key, value in given.arguments.items() if key not in given.objects}
        needed = Given(plain, dict(given.objects))
        cause = "" if isinstance(error, UnreadError) else f"\n{error}"
        raise UsageError(missing_pieces(checkpoint, cls, signature, needed) + cause) from None


def _of_config(path: Path, checkpoint: Checkpoint, options: Options) -> nn.Module:
    return config.module_of(
        path,
        key=options.config_key,
        cls=find_class(options.class_path) if options.class_path else None,
        hparams=options.hparams,
        recorded={key: value for key, value in _of_the_file(checkpoint).items() if placeholder.first(value) is None},
    )


def _of_the_file(checkpoint: Checkpoint) -> dict[str, Any]:
    """The recorded hyperparameters, for code that the user names: as they are, without LightningCLI's own keys."""
    found = {key: value for key, value in bounded(checkpoint).items() if key not in ("_instantiator", "_class_path")}
    return arguments_of(found) if described(found) else found


def _kind(recorded_type: Any) -> str | None:
    """The name of the type that the hyperparameters had, which Lightning stores as a class."""
    if isinstance(recorded_type, type):
        return recorded_type.__qualname__
    return recorded_type.path if hasattr(recorded_type, "path") else None
