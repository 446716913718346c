"""`--columns`: the columns of a table, from a YAML file or read off a fitted transformer of scikit-learn."""

from pathlib import Path
from typing import Any

from lit_export.front.find_class import find_object
from lit_export.options import Options
from lit_infer import manifest
from lit_infer.errors import NotFoundError, UsageError, require
from lit_infer.rows import from_sklearn
from lit_infer.rows.facts import RowFields


def columns(options: Options) -> RowFields | None:
    """The columns that `--columns` names; None without it."""
    if options.columns is None:
        return None
    transformer = training_transformer(options)
    if transformer is None:
        return _of_file(Path(options.columns))
    try:
        return from_sklearn.read(transformer)
    except ValueError as error:
        raise UsageError(f"--columns {options.columns}: {error}") from None


def training_transformer(options: Options) -> Any:
    """The transformer that `--columns PKG.MOD:NAME` names; None where it names a file, or nothing."""
    text = options.columns
    if text is None or ":" not in text or Path(text).exists():
        return None
    found = find_object(text, option="--columns")
    made = found() if callable(found) and not hasattr(found, "transform") else found
    if not hasattr(made, "transform"):
        raise UsageError(f"--columns {text} is a {type(made).__name__}, not a fitted transformer of scikit-learn")
    return made


def _of_file(path: Path) -> RowFields:
    yaml = require("yaml", extra="export", purpose="--columns")
    try:
        data: Any = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise NotFoundError(f"--columns: no file at {path}; for a transformer give PKG.MOD:NAME") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"--columns {path} cannot be read: {' '.join(str(error).split())}") from None
    return manifest.convert(data, RowFields, where=f"--columns {path}")
