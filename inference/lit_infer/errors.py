"""What can go wrong, as a tree.

LitError
├── UsageError          what was asked for makes no sense as asked      exit 2 · HTTP 400
│   ├── NotFoundError       no such model, version or file              exit 2 · HTTP 404
│   └── MissingExtraError   an optional part is not installed           exit 2 · HTTP 501
├── ArtifactError       a bundle or version is damaged or too new       exit 1 · HTTP 503
├── InputError          one input cannot be read                        counted · HTTP 422
├── OverloadedError     the queue is full: try again later              exit 1 · HTTP 503
├── ExpiredError        its deadline passed before its turn came        exit 1 · HTTP 504
├── EngineError         no engine here can run the graph                exit 1 · HTTP 503
└── GateError           a check failed: the result is not to be used    exit 1 · HTTP 500

Every message says what, where and what to do, in one or two lines.
"""

import importlib
from types import ModuleType
from typing import ClassVar


class LitError(Exception):
    """The root: catch this to catch everything this project raises on purpose."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1


class UsageError(LitError, ValueError):
    """What was asked for makes no sense as asked."""

    status = 400
    exit_code = 2


class NotFoundError(UsageError, LookupError):
    """No such model, version or file."""

    status = 404


class MissingExtraError(UsageError, ImportError):
    """An optional part of lit-deploy is not installed."""

    status = 501


class ArtifactError(LitError, OSError):
    """A bundle, checkpoint or registry version is damaged, changed or too new."""

    status = 503


class InputError(LitError, ValueError):
    """One input cannot be read. `code` is stable; the text may change."""

    status = 422

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class OverloadedError(LitError, RuntimeError):
    """The queue is full: try again later."""

    status = 503


class ExpiredError(LitError, TimeoutError):
    """An item's deadline passed before its turn came."""

    status = 504


class EngineError(LitError, RuntimeError):
    """No engine here can run the graph as asked."""

    status = 503


class GateError(LitError, RuntimeError):
    """A check failed: what was made is not to be used."""


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import a module that an extra brings; without it, name the command that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in (module, module.partition(".")[0]):
            raise  # the module is here, but something of its own is not: that is not our extra
        message = f'{purpose} needs {module}, which is not installed. Run: pip install "lit-deploy[{extra}]"'
        raise MissingExtraError(message) from None
