"""Rows of bare arrays: a value for each input of the graph, in its shape and dtype, or what is wrong with it."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lit_infer.errors import InputError
from lit_infer.manifest import Tensor
from lit_infer.proof import fits
from lit_infer.rows.blocks import RowBlock
from lit_infer.rows.places import TextPlaces
from lit_infer.tensors import Arrays

_ROWS = "rows"
"""The first side of an array in a file."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows whose arrays can be one batch."""

    rows: Sequence[int]
    """Where they are in their block."""
    arrays: Arrays
    """One for each input in the manifest's order, [rows, …]."""
    places: Callable[[], Sequence[TextPlaces]] | None = None
    """Of texts: where their tokens are in them, worked out when it is asked for."""
    is_one: bool = False
    """Whether the arrays are the parts of a single row, whose answers are averaged."""


@dataclass(frozen=True)
class ArrayFields:
    """The inputs of a graph as the values of a row."""

    tensors: tuple[Tensor, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What a row has a value for."""
        return tuple(tensor.name for tensor in self.tensors)

    @property
    def is_ragged(self) -> bool:
        """Whether rows may have arrays of different shapes."""
        return any(isinstance(side, str) for tensor in self.tensors for side in tensor.shape[1:])

    @property
    def row_bytes(self) -> float:
        """About how many bytes a row has, as far as its sides are known."""
        sides = ((tensor, [side for side in tensor.shape[1:] if isinstance(side, int)]) for tensor in self.tensors)
        return float(sum(math.prod(known) * np.dtype(tensor.dtype).itemsize for tensor, known in sides))

    def check(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], *, is_row: bool = False) -> None:
        """Raise InputError unless an array of rows, or of one row, is what the input `name` takes."""
        tensor = next(one for one in self.tensors if one.name == name)
        wanted = tensor.shape[1:] if is_row else (_ROWS, *tensor.shape[1:])
        if dtype != tensor.dtype:
            raise InputError(
                f"{name} is {dtype}, and the model takes {tensor.dtype}: save it with .astype(np.{tensor.dtype})",
                code="bad_dtype",
            )
        if not fits(shape, wanted, {}):
            raise InputError(f"{name} is [{_sides(shape)}], and the model takes [{_sides(wanted)}]", code="bad_shape")

    def check_names(self, found: Sequence[str], *, what: str = "it") -> None:
        """Raise InputError unless there is something for each input."""
        if missing := [name for name in self.names if name not in found]:
            raise InputError(
                f"{what} has no {missing[0]}, which the model takes; it has {_listed(found)}", code="missing"
            )

    def check_sides(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Raise InputError unless sides of one name have one length; `shapes` are those of one row."""
        sides: dict[str, int] = {}
        for tensor in self.tensors:
            if not fits(shapes[tensor.name], tensor.shape[1:], sides):
                named = [side for side in tensor.shape[1:] if isinstance(side, str)]
                raise InputError(
                    f"{tensor.name} is [{_sides(shapes[tensor.name])}] in a row, and its {', '.join(named)} must be "
                    "as long as in the inputs before it",
                    code="bad_shape",
                )

    def block(self, items: Sequence[Any]) -> RowBlock:
        """Rows that a caller gives: each a mapping from names to arrays, or the array itself for one input."""
        return self.stacked([self._checked(item) for item in items])

    def stacked(self, rows: Sequence[Arrays | InputError]) -> RowBlock:
        """Rows of arrays that were checked, or what is wrong with them, as a block."""
        errors = {index: row for index, row in enumerate(rows) if isinstance(row, InputError)}
        good = [row for row in rows if not isinstance(row, InputError)]
        if not good:
            return RowBlock(len(rows), errors=errors)
        columns: dict[str, Any] = {}
        for number, name in enumerate(self.names):
            shapes = {row[number].shape for row in good}
            values = [None if isinstance(row, InputError) else row[number] for row in rows]
            if len(shapes) == 1:
                blank = np.zeros(shapes.pop(), dtype=self.tensors[number].dtype)
                columns[name] = np.stack([blank if value is None else value for value in values])
            else:
                columns[name] = values
        return RowBlock(len(rows), columns, errors)

    def groups(self, block: RowBlock, size: int | None = None) -> tuple[list[RowGroup], Mapping[int, InputError]]:
        """The rows that can be one batch together, and what is wrong with the others.

        Where all have one shape they stay together: a bad row is zeros, so that the arithmetic of its neighbours does
        not change.
        """
        del size
        if not block.columns or len(block.errors) == block.count:
            return [], block.errors
        columns = [block.columns[name] for name in self.names]
        if all(isinstance(column, np.ndarray) for column in columns):
            return [RowGroup(range(block.count), tuple(np.asarray(column) for column in columns))], block.errors
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
        for row in range(block.count):
            if row not in block.errors:
                alike[tuple(column[row].shape for column in columns)].append(row)
        return [
            RowGroup(rows, tuple(np.stack([column[row] for row in rows]) for column in columns))
            for rows in alike.values()
        ], block.errors

    def _checked(self, item: Any) -> Arrays | InputError:
        values = {self.names[0]: item} if isinstance(item, np.ndarray) and len(self.names) == 1 else item
        if not isinstance(values, Mapping):
            return InputError(
                f"a row is a mapping from {_listed(self.names)} to arrays, not {type(item).__name__}", code="bad_row"
            )
        try:
            self.check_names(list(map(str, values)), what="the row")
            arrays = {name: np.asarray(values[name]) for name in self.names}
            for name, array in arrays.items():
                self.check(name, array.dtype, array.shape, is_row=True)
            self.check_sides({name: array.shape for name, array in arrays.items()})
        except InputError as error:
            return error
        return tuple(arrays.values())


def _sides(shape: Sequence[int | str]) -> str:
    return ", ".join(map(str, shape))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
