"""What requests hold: prepared tensors, kept in memory, or image files, read for each request."""

import os
from collections.abc import Sequence
from typing import Protocol

from lit_infer import images
from lit_infer.bench.inputs import MakeInputs
from lit_infer.bench.served.client import RequestInputs
from lit_infer.errors import InputError, UsageError
from lit_infer.images import ImageInput

_MOST = 64
_MOST_BYTES = 64 * 2**20


class Samples(Protocol):
    """Rows for requests, by index."""

    count: int
    is_kept: bool
    """Whether they are in memory."""
    row_bytes: int
    """Bytes of the largest row."""

    def rows(self, indices: Sequence[int]) -> RequestInputs:
        """The inputs of one request; an index may be larger than `count`."""

    def largest(self, count: int) -> Sequence[int]:
        """The indices of the largest request with this many rows."""


class PreparedSamples:
    """Arrays as the graph takes them: 64 different rows, or as many as 64 MiB hold.

    `are_rows` False: what one request holds is made as a whole, since not every input has a row for each.
    """

    is_kept = True

    def __init__(self, make: MakeInputs, names: Sequence[str], *, are_rows: bool = True) -> None:
        one = make(1)
        if not set(names) <= set(one):
            raise UsageError(f"the served model takes {', '.join(names)}; there are arrays for {', '.join(one)}")
        self.row_bytes = sum(one[name].nbytes for name in names)
        self.count = max(1, min(_MOST, _MOST_BYTES // max(1, self.row_bytes)))
        self._make, self._are_rows = make, are_rows
        made = make(self.count)
        self._arrays = {name: made[name] for name in names}

    def rows(self, indices: Sequence[int]) -> RequestInputs:
        """The inputs of one request."""
        if not self._are_rows:
            return {name: array for name, array in self._make(len(indices)).items() if name in self._arrays}
        wrapped = [index % self.count for index in indices]
        return {name: array[wrapped] for name, array in self._arrays.items()}

    def largest(self, count: int) -> Sequence[int]:
        """Any will do: all have the same size."""
        return range(count)


class FileSamples:
    """Image files, sent as they are."""

    is_kept = False

    def __init__(self, files: Sequence[ImageInput], name: str) -> None:
        self.files, self.count, self._name = files, len(files), name
        self._sizes = [_size(file) for file in files]
        self.row_bytes = max(self._sizes)

    def rows(self, indices: Sequence[int]) -> RequestInputs:
        """The inputs of one request. Raises UsageError for a file that cannot be read."""
        return {self._name: [_read(self.files[index % self.count]) for index in indices]}

    def largest(self, count: int) -> Sequence[int]:
        """The largest files first."""
        order = sorted(range(self.count), key=lambda index: -self._sizes[index])
        return [order[index % self.count] for index in range(count)]


def _read(file: ImageInput) -> bytes:
    try:
        read = images.read(file)
    except InputError as error:
        raise UsageError(f"cannot measure with {file!s}: {error}") from None
    assert isinstance(read, bytes), "--from gives files"  # noqa: S101
    return read


def _size(file: ImageInput) -> int:
    assert isinstance(file, str | os.PathLike), "--from gives files"  # noqa: S101
    try:
        return os.stat(file).st_size
    except OSError:
        return 0  # reading it says what is wrong
