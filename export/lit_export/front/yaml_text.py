"""YAML as people write it in training configurations: `1e-3` is a number, which PyYAML alone takes for text."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from lit_infer.errors import NotFoundError, UsageError, require

_FLOAT = re.compile(
    r"^(?:[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


def load(text: str, *, option: str) -> Any:
    """The value of a YAML text; nothing in it is run. Raises ValueError for what is not YAML."""
    yaml = require("yaml", extra="export", purpose=option)
    try:
        return yaml.load(text, Loader=_loader(yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def read(path: Path, *, option: str) -> Any:
    """The value of a YAML file."""
    try:
        return load(path.read_text(), option=option)
    except FileNotFoundError:
        raise NotFoundError(f"{option}: no file at {path}") from None
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{option} {path} cannot be read: {error}") from None


@cache
def _loader(safe: Any) -> Any:
    """A safe loader of its own, which knows numbers like `1e-3`."""

    class Loader(safe):  # type: ignore[misc] # its base is given
        pass

    floats = "tag:yaml.org,2002:float"
    known = safe.yaml_implicit_resolvers.items()
    Loader.yaml_implicit_resolvers = {first: [row for row in rows if row[0] != floats] for first, rows in known}
    Loader.add_implicit_resolver(floats, _FLOAT, list("-+0123456789."))
    return Loader
