"""What a manifest says of the values of a row: bare arrays, or the columns of a table."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lit_infer.errors import InputError
from lit_infer.manifest import Manifest
from lit_infer.rows.arrays import ArrayFields, RowGroup
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.columns import ColumnFields


class Fields(Protocol):
    """The values of a row, and how they become the graph's arrays."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a row has a value for."""

    @property
    def is_ragged(self) -> bool:
        """Whether rows may need batches of different shapes."""

    def block(self, items: Sequence[Any]) -> RowBlock:
        """Rows that a caller gives."""

    def groups(self, block: RowBlock) -> tuple[list[RowGroup], Mapping[int, InputError]]:
        """The rows that can be run together, prepared, and what is wrong with the others."""


def fields_of(manifest: Manifest) -> Fields:
    """The columns where the manifest has some, else the graph's inputs as they are."""
    return ColumnFields(manifest.fields) if manifest.fields is not None else ArrayFields(manifest.inputs)
