"""Calls into the user's own code, which may raise anything: one line says what failed, and where in their file."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lit_infer.errors import ArtifactError, LitError

_NOT_THEIRS = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(Path(__file__).parent))


@contextmanager
def user_code(what: str) -> Iterator[None]:
    """Turn whatever the block raises into an ArtifactError that names `what`; errors of ours pass."""
    try:
        yield
    except LitError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        theirs = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
        last = (theirs or frames)[-1]
        said = " ".join(str(error).split())[:300]
        raise ArtifactError(
            f"{what} failed: {type(error).__name__}: {said} ({Path(last.filename).name}:{last.lineno})"
        ) from None
