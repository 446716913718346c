"""Two folders of files of the same names: images, and something that is known of each."""

from dataclasses import dataclass
from pathlib import Path

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.search import Search


@dataclass(frozen=True)
class PairWords:
    """How the two folders, and what the second one holds, are called."""

    images: str
    others: str
    other: str
    """With its article: `a mask`."""
    plural: str


def paired(
    root: Path, words: PairWords, *, suffixes: frozenset[str], others: frozenset[str]
) -> tuple[tuple[Path, Path], ...]:
    """The images below `root/images/`, each with the file of its name below the other folder, whatever their suffixes.

    Raises NotFoundError where the two folders are not there, UsageError for an image without its file.
    """
    images, second = root / words.images, root / words.others
    if not (images.is_dir() and second.is_dir()):
        raise NotFoundError(
            f"expected {words.images}/ with images and {words.others}/ with {words.other} of each, of the same name"
        )
    named: dict[Path, list[Path]] = {}
    for path in _files(second, others):
        named.setdefault(path.relative_to(second).with_suffix(""), []).append(path)
    found = _files(images, suffixes)
    if not found:
        raise NotFoundError(f"no images below {words.images}/ (looked for {' '.join(sorted(suffixes))})")
    pairs = [(path, named.get(path.relative_to(images).with_suffix(""), [])) for path in found]
    for path, own in pairs:
        if len(own) != 1:
            name = second / path.relative_to(images).with_suffix(".png")
            raise UsageError(f"{path} has {len(own) or 'no'} {words.plural}: expected {name}, and it alone")
    return tuple((path, own[0]) for path, own in pairs)


def _files(folder: Path, suffixes: frozenset[str]) -> list[Path]:
    found = list(Search(folder, suffixes=suffixes).files())
    for path in found:
        if isinstance(path, OSError):
            raise UsageError(f"cannot list {path.filename}: {path.strerror}")
    return [path for path in found if isinstance(path, Path)]
