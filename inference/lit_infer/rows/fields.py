"""What a manifest says of the values of a row: bare arrays, the columns of a table, a text, or a recording."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lit_infer.errors import InputError
from lit_infer.manifest import Manifest
from lit_infer.rows.arrays import ArrayFields, RowGroup
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.columns import ColumnFields
from lit_infer.rows.text import TextFields


class HasNames(Protocol):
    """The values of a row."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a row has a value for."""


class Fields(HasNames, Protocol):
    """The values of a row, and how they become the graph's arrays."""

    @property
    def is_ragged(self) -> bool:
        """Whether rows may need batches of different shapes."""

    def block(self, items: Sequence[Any]) -> RowBlock:
        """Rows that a caller gives."""

    def groups(self, block: RowBlock, size: int | None = None) -> tuple[list[RowGroup], Mapping[int, InputError]]:
        """The rows that can be run together, prepared, and what is wrong with the others. `size`: rows of one run."""


def fields_of(manifest: Manifest, folder: Path | None = None) -> Fields:
    """A text, a recording or columns where the manifest has them, else the graph's inputs as they are.

    `folder`: the bundle's, with its tokenizer. Raises ArtifactError for another one, and MissingExtraError.
    """
    if manifest.fields is None:
        return ArrayFields(manifest.inputs)
    order = tuple(tensor.name for tensor in manifest.inputs)
    if manifest.fields.text is not None:
        return TextFields.opened(manifest.fields.text, folder, order=order, name=manifest.name)
    if manifest.fields.audio is not None:
        return AudioFields.opened(manifest.fields.audio)
    return ColumnFields(manifest.fields, order)
