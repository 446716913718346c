"""From the name of a checkpoint (a path, a reference or a URL) to a verified or freshly downloaded file."""

import hashlib
import shutil
from pathlib import Path

import fsspec

from lit_infer import artifacts, files
from lit_infer.errors import ArtifactError, NotFoundError, UsageError
from lit_trainer.tracking.folder_registry import CHECKPOINT_FILE


def local_checkpoint(checkpoint: str) -> Path | None:
    """The local file of a reference or a URL (http, https, s3, gs); None for a plain path."""
    if artifacts.looks_like_reference(checkpoint):  # checked first: the URL of a W&B page is not a download
        return _fetch(artifacts.parse(checkpoint))
    return _download(checkpoint) if "://" in checkpoint else None


def _fetch(reference: artifacts.Reference) -> Path:
    folder = artifacts.registry(reference).fetch(reference)
    if not (folder / CHECKPOINT_FILE).is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir()))
        raise NotFoundError(f"{reference} is not a checkpoint: it holds {found}, and no {CHECKPOINT_FILE}")
    return folder / CHECKPOINT_FILE


def _download(url: str) -> Path:
    """Fetch the whole file before anything reads it: torch would load a URL without `weights_only`."""
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    path = artifacts.artifacts_root() / "downloads" / f"{name}.ckpt"
    with files.staging_folder(path.parent) as staged:
        try:
            with fsspec.open(url, "rb") as source, (staged / "part").open("wb") as target:
                shutil.copyfileobj(source, target)
        except FileNotFoundError as error:
            if isinstance(error.__cause__, OSError):  # fsspec raises it for a server that does not answer, too
                raise ArtifactError(f"{url} could not be downloaded: {error.__cause__}") from None
            raise NotFoundError(f"no checkpoint at {url}") from None
        except (ImportError, ValueError) as error:  # a scheme that fsspec does not know, or whose package is missing
            raise UsageError(f"{url} cannot be opened: {error}") from None
        except Exception as error:  # each file system has its own network errors
            raise ArtifactError(f"{url} could not be downloaded: {type(error).__name__} {error}".strip()) from None
        (staged / "part").replace(path)
    return path
