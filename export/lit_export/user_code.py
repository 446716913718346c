"""Calls into the user's own code, which may raise anything: one line says what failed, and where in their file."""

import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

import lit_infer
from lit_infer import progress
from lit_infer.errors import ArtifactError, LitError

_OURS = (str(Path(__file__).parent), str(Path(lit_infer.__file__).parent))
_STANDARD = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_INSTALLED = re.compile(r"[\\/](?:site|dist)-packages[\\/]([^\\/]+)[\\/]")
_FRAMEWORK = frozenset(
    {"torch", "functorch", "lightning", "lightning_fabric", "lightning_utilities", "pytorch_lightning", "numpy"}
)
"""Installed packages that a module is written with, and is not made of."""

_traced: ContextVar[bool] = ContextVar("traced", default=False)


@contextmanager
def tracing_errors(asked: bool) -> Iterator[None]:
    """Within the block, where that is asked for, an error of the user's code shows its trace beside its one line."""
    before = _traced.set(asked)
    try:
        yield
    finally:
        _traced.reset(before)


@contextmanager
def user_code(what: str) -> Iterator[None]:
    """Turn whatever the block raises into an ArtifactError that names `what`; errors of ours pass."""
    try:
        yield
    except LitError:
        raise
    except Exception as error:
        if _traced.get():
            progress.warn("".join(traceback.format_exception(error)).rstrip())
        raise ArtifactError(f"{what} failed: {said_of(error)}") from None


def said_of(error: BaseException) -> str:
    """An exception of the user's code in one line, with their file and line, and a cure where one is known."""
    frames = traceback.extract_tb(error.__traceback__)
    said = " ".join(str(error).split())[:300].rstrip(".")
    text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    line = f"{text} ({_place(frames)})" if frames else text
    cure = next((cure for pattern, cure in _CURES if pattern.search(text)), "")
    return f"{line}. {cure}" if cure else line


def _place(frames: Sequence[traceback.FrameSummary]) -> str:
    """The innermost line of the user's own, else of a package that their module is made of."""
    own = [frame for frame in frames if is_theirs(frame.filename) and not _INSTALLED.search(frame.filename)]
    last = (own or [frame for frame in frames if is_theirs(frame.filename)] or list(frames))[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


@cache
def is_theirs(filename: str) -> bool:
    """Whether a source file is the user's, or of a package that their module is made of: not torch, Python or us."""
    if filename.startswith("<") or filename.startswith(_OURS):
        return False
    if installed := _INSTALLED.search(filename):
        return installed[1] not in _FRAMEWORK
    return not filename.startswith(_STANDARD)


def shown_path(filename: str) -> str:
    """A source file as an import would find it, as in `pkg/net.py`: nothing of the machine that it lies on."""
    roots = [str(Path(root).absolute()) for root in (*sys.path, ".")]
    above = [root for root in roots if filename.startswith(f"{root}/")]
    return filename[len(max(above, key=len)) + 1 :] if above else Path(filename).name


_CURES = (
    (
        re.compile(
            r"not attached to a `?Trainer|'NoneType' .* has no attribute '(?:current_epoch|datamodule|trainer)'"
        ),
        "In deployment there is no trainer. Ask `self.training`, or keep what forward needs in an attribute of its own",
    ),
    (
        re.compile(r"no attribute '(?:logger|experiment|log_metrics)'|`?self\.log"),
        "In deployment there is no logger. Log in training_step or validation_step, not in forward",
    ),
    (
        re.compile(r"NVIDIA driver|CUDA (?:error|is not available)|not compiled with CUDA|No CUDA GPUs|same device"),
        "The module is exported on the CPU. Take the device from a tensor, as in `x.device`, not from `.cuda()`",
    ),
    (
        re.compile(r"^FileNotFoundError|No such file or directory"),
        "It reads a file that is not here. Give the path by --hparam, or run the command where the file is",
    ),
    (
        re.compile(r"view size is not compatible"),
        "Use `reshape` or `flatten` instead of `view`",
    ),
    (
        re.compile(r"[Ii]nference tensor"),
        "Use torch.no_grad() instead of torch.inference_mode() in the module",
    ),
)
"""What is known to go wrong in a module that is called outside of training, and what to do about it."""
