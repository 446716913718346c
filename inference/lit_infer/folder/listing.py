"""The images below folders, as a list."""

from collections.abc import Sequence
from pathlib import Path

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.search import Search
from lit_infer.images import SUFFIXES


def list_images(paths: Sequence[Path], suffixes: frozenset[str] = SUFFIXES) -> list[Path]:
    """Files as given and, below folders, files with an image's suffix; sorted per folder, each once.

    Hidden files and folders are left out. Raises NotFoundError for a path that does not exist and for a folder
    without images, UsageError for a folder that cannot be listed.
    """
    found: dict[Path, None] = {}
    for path in paths:
        below = list(Search(path, suffixes=suffixes).files()) if path.is_dir() else [path]
        if not below:
            raise NotFoundError(f"no images below {path}/ (looked for {' '.join(sorted(suffixes))})")
        if not path.exists():
            raise NotFoundError(f"no such file or folder: {path}")
        for image in below:
            if isinstance(image, OSError):
                raise UsageError(f"cannot list {image.filename}: {image.strerror}")
            found[image] = None
    return list(found)
