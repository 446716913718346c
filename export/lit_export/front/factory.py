"""Build the module with a function of the user's: `--factory pkg.mod:make`."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from lit_export.front.arguments import for_factory
from lit_export.front.find_class import find_object
from lit_export.user_code import user_code
from lit_infer.errors import UsageError


def made(path: str, *, recorded: Mapping[str, Any], hparams: Mapping[str, Any]) -> nn.Module:
    """The module that the function (or class) at `path` returns.

    It is given the recorded hyperparameters that it takes: by name; all of them, if it has `**kwargs`; as one object
    that has them as keys and as attributes, if the argument it needs is called `hparams`, `config`, `cfg` or the like.
    """
    make = find_object(path, option="--factory")
    if not callable(make):
        raise UsageError(f"--factory {path} is a {type(make).__name__}, not a function that returns the module")
    given = for_factory(make, recorded=recorded, hparams=hparams)
    if given.missing:
        listed = ", ".join(f"{key} ({found.path})" if found else key for key, found in given.missing.items())
        raise UsageError(
            f"--factory {path} needs {listed}, which no plain hyperparameter gives. "
            f"Add: {' '.join(f'--hparam {key}=VALUE' for key in given.missing)}, or give it a default"
        )
    with user_code(f"--factory {path}"):
        module = make(**given.arguments)
    if not isinstance(module, nn.Module):
        raise UsageError(f"--factory {path} returned a {type(module).__name__}, not a torch.nn.Module")
    return module
