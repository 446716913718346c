"""The checkpoint in an artifact: the only one, or the one named in `user/proj/model:v3/best.ckpt`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lit_export.front import file_kind
from lit_export.front.diagnosis import names, nearest
from lit_infer import artifacts
from lit_infer.errors import ArtifactError, NotFoundError, UsageError


@dataclass(frozen=True)
class FileReference(artifacts.Reference):
    """A reference, and the file that is meant inside."""

    file: str

    def __str__(self) -> str:
        return f"{super().__str__()}/{self.file}"


def parse(text: str) -> artifacts.Reference:
    """Read a reference; one with a path after its alias is a FileReference."""
    collection, inside = _split(text)
    if not inside:
        return artifacts.parse(text)
    path = PurePosixPath(inside)
    if path.is_absolute() or ".." in path.parts or "\\" in inside:
        raise UsageError(f"{text!r}: {inside!r} is no path inside an artifact")
    found = artifacts.parse(collection)
    return FileReference(found.entity, found.project, found.name, found.alias, str(path))


def looks_like_reference(text: str) -> bool:
    """Whether text is a reference, with a file inside or without, rather than a path or another URL."""
    collection, inside = _split(text)
    return artifacts.looks_like_reference(collection if inside and not Path(text).exists() else text)


def _split(text: str) -> tuple[str, str]:
    """`a/b/c:v3/best.ckpt` as `a/b/c:v3` and `best.ckpt`."""
    if "://" in text:
        return text, ""
    collection, colon, rest = text.partition(":")
    alias, _, inside = rest.partition("/")
    return f"{collection}{colon}{alias}", inside


def in_folder(folder: Path, reference: artifacts.Reference, inside: str | None) -> Path:
    """The checkpoint's file in a fetched artifact. Messages name the reference; where it was fetched to is ours."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    found = [name for name in files if name.endswith(file_kind.SUFFIXES)]
    if inside is not None:
        if inside not in files:
            hint = nearest(inside, files) or f" It holds {names(files) or 'nothing'}."
            raise NotFoundError(f"{reference} has no file {inside}.{hint}")
        return files[inside]
    if len(found) == 1:
        return files[found[0]]
    raise ArtifactError(_choose(reference, found, list(files)))


def _choose(reference: artifacts.Reference, found: Sequence[str], files: Sequence[str]) -> str:
    if not found:
        return f"{reference} holds no checkpoint ({', '.join(file_kind.SUFFIXES)}), only {names(files) or 'nothing'}"
    listed = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
    return f"{reference} holds {len(found)} checkpoints: {listed}.\nName one: --artifact {reference}/{found[0]}"
