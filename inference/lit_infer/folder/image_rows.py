"""Rows of files whose columns name images: a CSV of pairs, for a model that takes several images for each item."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_infer.errors import InputError, NotFoundError, UsageError
from lit_infer.folder import cloud
from lit_infer.folder.sources import FileSource, Inputs, Item, version
from lit_infer.rows.files import TABLE_READERS, Wanted

_AT_ONCE = 256
_LONGEST = 4096
"""Characters of a path."""


@dataclass(frozen=True)
class ImageNames:
    """What a row has: a path for each image."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class ImageRows:
    """A file of rows, each with the paths of several images, relative to the file."""

    path: Path
    names: tuple[str, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    """By the name of an image: what the file calls it, where that is something else."""

    def items(self) -> Iterator[Item]:
        """Row by row, named `pairs.csv#0`. If the file cannot be read further, the last item has the error."""
        number, where = 0, self.path.as_posix()
        wanted = Wanted(ImageNames(self.names), self.columns)
        try:
            for block in TABLE_READERS[self.path.suffix.lower()].blocks(self.path, wanted, _AT_ONCE):
                for row in range(block.count):
                    texts = {name: column[row] for name, column in block.columns.items()}
                    content = block.errors.get(row) or self._files(texts)
                    yield Item(f"{where}#{number}", content, images={n: _told(texts.get(n)) for n in self.names})
                    number += 1
        except InputError as error:
            yield Item(where, error, images=dict.fromkeys(self.names))
        except OSError as error:
            reason = InputError(error.strerror or str(error), code="unreadable")
            yield Item(where, reason, images=dict.fromkeys(self.names))

    def __str__(self) -> str:
        return self.path.as_posix()

    def fact(self) -> str:
        """What the rows depend on."""
        return f"{self.path} {dict(self.columns)} {version(self.path) if self.path.exists() else ''}"

    def count(self) -> int | None:
        """None where that would take reading the file."""
        try:
            reader = TABLE_READERS[self.path.suffix.lower()]
            return reader.count(self.path, Wanted(ImageNames(self.names), self.columns))
        except InputError:
            return 1

    def _files(self, texts: Mapping[str, Any]) -> Mapping[str, Path] | InputError:
        """The files of a row, or what is wrong with one of them."""
        found = {}
        for name in self.names:
            text = texts[name]
            if text is None or text == "":
                return InputError(f"{name} is missing", code="missing")
            if not isinstance(text, str) or len(text) > _LONGEST or "\0" in text:
                return InputError(f"{name} is no path: {str(text)[:100]!r}", code="bad_value")
            if cloud.is_url(text):
                return InputError(f"{name} is a URL, and rows name files of this machine: fetch it", code="not_local")
            found[name] = self.path.parent / text
        return found


def of_rows(inputs: Inputs, names: tuple[str, ...], columns: Mapping[str, str], *, model: str) -> Inputs:
    """The arguments as files of rows. Raises UsageError for others: images, folders, archives."""
    if unknown := [name for name in columns if name not in names]:
        raise UsageError(f"--column {unknown[0]}={columns[unknown[0]]}: the model takes {', '.join(names)}")
    return Inputs([_rows(source, names, columns, model=model) for source in inputs.sources])


def _rows(source: Any, names: tuple[str, ...], columns: Mapping[str, str], *, model: str) -> ImageRows:
    if isinstance(source, FileSource) and source.path.suffix.lower() in TABLE_READERS:
        return ImageRows(source.path, names, columns)
    raise UsageError(
        f"{model} takes {' and '.join(names)} for each answer, and not single images: give a file with a row for each "
        f"({' '.join(sorted(TABLE_READERS))}), columns {', '.join(names)}, paths relative to it: pairs.csv"
    )


def paths(path: Path, names: tuple[str, ...]) -> Iterator[tuple[Path, ...]]:
    """The files of each row. Raises NotFoundError, and UsageError for a row that has none."""
    if not path.is_file() or path.suffix.lower() not in TABLE_READERS:
        raise NotFoundError(
            f"{path}: expected a file ({' '.join(sorted(TABLE_READERS))}) with the columns {', '.join(names)}"
        )
    for item in ImageRows(path, names).items():
        if not isinstance(item.content, Mapping):
            raise UsageError(f"{item.name}: {item.content}")
        yield tuple(item.content[name] for name in names)


def _told(text: Any) -> str | None:
    return text[:_LONGEST] if isinstance(text, str) and text else None
