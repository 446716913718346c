"""Task `tensor`: any graph, unchanged. Bare arrays in, bare arrays out."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import ColumnValues
from lit_infer.tasks.spec import Ask, Column, Outputs, Reading, Row, Shown, TaskSpec

_SHOWN = 4
"""Numbers of a row that are displayed."""


class Tensors(msgspec.Struct, frozen=True, eq=False):
    """One item's part of each output, by name and in the manifest's order."""

    outputs: dict[str, NDArray[Any]]


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Tensors]:
    """Outputs whose first side is the batch, item by item."""
    named = {tensor.name: output for tensor, output in zip(reading.outputs, outputs, strict=True)}
    return [Tensors({name: output[index] for name, output in named.items()}) for index in range(len(asks))]


def kept(outputs: Outputs, ask: Ask, reading: Reading) -> dict[str, NDArray[Any]]:
    """Each output, a number or a flat list of them for each row."""
    del ask
    return {
        tensor.name: output if output.ndim == 1 else output.reshape(len(output), -1)
        for tensor, output in zip(reading.outputs, outputs, strict=True)
    }


def values(arrays: Mapping[str, Any], ask: Ask, reading: Reading) -> dict[str, ColumnValues]:
    """Those as columns."""
    del ask, reading
    return dict(arrays)


def columns(reading: Reading) -> dict[str, Column]:
    """A column for each output: a number where it has one for each row, else a list of all its numbers."""
    return {tensor.name: _kind(tensor.dtype, is_one=len(tensor.shape) == 1) for tensor in reading.outputs}


def _kind(dtype: str, *, is_one: bool) -> Column:
    if dtype == "bool":
        return "boolean" if is_one else "booleans"
    if np.dtype(dtype).kind in "iu":
        return "integer" if is_one else "integers"
    if is_one:
        return "number"
    return "doubles" if dtype == "float64" else "numbers"


def row(answer: Tensors) -> Row:
    """An answer as those columns; arrays are flattened, as vectors are."""
    return {name: array.ravel().tolist() if array.ndim else array.item() for name, array in answer.outputs.items()}


def show(line: Row) -> Shown:
    """The first numbers of the first output."""
    name, value = next(iter(line.items()))
    numbers = value if isinstance(value, list) else [value]
    more = ", …" if len(numbers) > _SHOWN else ""
    return Shown(f"{name} {', '.join(f'{number:.6g}' for number in numbers[:_SHOWN])}{more}")


TASK = TaskSpec(
    name="tensor",
    does="maps tensors to tensors",
    kind="tensors",
    takes_images=False,
    answer=Tensors,
    read=read,
    columns=columns,
    row=row,
    kept=kept,
    values=values,
    show=show,
    headings=("outputs", "", ""),
)
