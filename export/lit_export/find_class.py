"""Find a user's class by its dotted path."""

import importlib
import os
import sys
from typing import Any

from torch import nn

from lit_export import diagnosis
from lit_infer.errors import UsageError


def find_class(path: str, *, here: bool = True) -> type[nn.Module]:
    """The module class at `pkg.mod:Cls` or `pkg.mod.Cls`; with `here`, the current folder is searched first."""
    module_name, _, class_name = path.partition(":") if ":" in path else path.rpartition(".")
    if not (module_name and class_name) or "/" in path or module_name.endswith(".py"):
        hint = (
            f". Did you mean {module_name.removesuffix('.py').replace('/', '.')}:{class_name}?" if "/" in path else ""
        )
        raise UsageError(f"--class {path}: expected pkg.mod:Cls{hint}")
    if here and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = _imported(module_name, path)
    for name in class_name.split("."):
        names = [key for key, value in vars(found).items() if isinstance(value, type) and issubclass(value, nn.Module)]
        if not hasattr(found, name):
            hint = diagnosis.nearest(name, names) or f" It has {diagnosis.names(names)}." * bool(names)
            raise UsageError(f"--class {path}: {module_name} has no {name}.{hint}")
        found = getattr(found, name)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UsageError(f"--class {path}: not a LightningModule, nor a torch.nn.Module")
    return found


def _imported(name: str, path: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"--class {path}: no module {error.name!r} here. Install it, or run from its folder") from None
    except (Exception, SystemExit) as error:  # the user's own code runs here
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"--class {path}: importing {name} failed: {type(error).__name__}: {said}") from None
