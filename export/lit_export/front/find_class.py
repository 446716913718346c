"""Find what a user names by a dotted path: a class, a factory, a data module, a function of theirs."""

import importlib
import os
import sys
from typing import Any

from torch import nn

from lit_export.front import diagnosis
from lit_infer.errors import UsageError


def find_class(path: str, *, here: bool = True) -> type[nn.Module]:
    """The module class at `pkg.mod:Cls` or `pkg.mod.Cls`; with `here`, the current folder is searched first."""
    found = find_object(path, option="--class", here=here, kind=nn.Module)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UsageError(f"--class {path}: not a LightningModule, nor a torch.nn.Module")
    return found


def find_object(path: str, *, option: str, here: bool = True, kind: type = object) -> Any:
    """Whatever is at `pkg.mod:Name` or `pkg.mod.Name`. `option`, for messages: who asks; `kind`: what is suggested."""
    module_name, _, name = path.partition(":") if ":" in path else path.rpartition(".")
    if not (module_name and name) or "/" in path or module_name.endswith(".py"):
        hint = f". Did you mean {module_name.removesuffix('.py').replace('/', '.')}:{name}?" if "/" in path else ""
        raise UsageError(f"{option} {path}: expected pkg.mod:{'Cls' if option == '--class' else 'name'}{hint}")
    if here and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    found: Any = _imported(module_name, path, option)
    for part in name.split("."):
        if not hasattr(found, part):
            names = [key for key, value in vars(found).items() if _is_of(value, kind, module_name)]
            hint = diagnosis.nearest(part, names) or f" It has {diagnosis.names(names)}." * bool(names)
            raise UsageError(f"{option} {path}: {module_name} has no {part}.{hint}")
        found = getattr(found, part)
    return found


def _is_of(value: Any, kind: type, module: str) -> bool:
    """Whether it is a class of that kind; for any kind, whether it is a class or function of the module's own."""
    if kind is object:
        return callable(value) and getattr(value, "__module__", None) == module
    return isinstance(value, type) and issubclass(value, kind)


def _imported(name: str, path: str, option: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{option} {path}: no module {error.name!r} here. Install it, or run from its folder"
        ) from None
    except (Exception, SystemExit) as error:  # the user's own code runs here
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"{option} {path}: importing {name} failed: {type(error).__name__}: {said}") from None
