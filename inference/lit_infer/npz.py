"""Arrays from an `.npz` file that somebody else made: its directory is looked through before anything is unpacked."""

import numpy as np

from lit_infer import zip_directory
from lit_infer.errors import ArtifactError
from lit_infer.held_file import HeldFile
from lit_infer.tensors import NamedArrays

_MOST_ENTRIES = 1000


def checked(file: HeldFile, *, sha256: str | None, limit: int) -> NamedArrays:
    """The arrays of a bundle's file, which must be the one that its manifest describes. Raises ArtifactError."""
    if file.size > limit:
        raise ArtifactError(f"{file.path} has {file.size:,} bytes: this is not a {file.path.name} of a bundle")
    if sha256 is not None and file.sha256() != sha256:
        raise ArtifactError(f"{file.path} is not the file that its manifest describes: export or fetch it again")
    try:
        return read(file, limit=limit)
    except ValueError as error:
        raise ArtifactError(f"{file.path} is damaged ({error}). Export or fetch the bundle again") from None


def read(file: HeldFile, *, limit: int) -> NamedArrays:
    """The arrays by name. Raises ArtifactError if they take more than `limit` bytes, and ValueError for no `.npz`."""
    with file.reader() as opened:
        size = 0
        try:
            for count, entry in enumerate(zip_directory.entries(opened)):
                size += entry.file_size
                if count >= _MOST_ENTRIES or size > limit:
                    raise ArtifactError(
                        f"{file.path} would unpack to more than {limit / 1e6:,.0f} MB or {_MOST_ENTRIES} arrays, "
                        "which its manifest does not explain. Export or fetch it again"
                    )
            opened.seek(0)
            with np.load(opened, allow_pickle=False) as stored:
                return {name: stored[name] for name in stored.files}
        except (ArtifactError, MemoryError):
            raise
        except Exception as error:  # zipfile, zlib, struct and numpy each raise their own for a damaged file
            raise ValueError(str(error) or type(error).__name__) from None
