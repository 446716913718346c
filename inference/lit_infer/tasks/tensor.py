"""Task `tensor`: any graph, unchanged. Bare arrays in, bare arrays out."""

from collections.abc import Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray

from lit_infer.tasks.spec import Ask, Outputs, Reading, Shown, TaskSpec


class Tensors(msgspec.Struct, frozen=True, eq=False):
    """One item's part of each output, in the manifest's order."""

    outputs: tuple[NDArray[Any], ...]


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Tensors]:
    """Outputs whose first side is the batch, item by item."""
    del reading
    return [Tensors(tuple(output[index] for output in outputs)) for index in range(len(asks))]


TASK = TaskSpec(
    name="tensor",
    does="maps tensors to tensors",
    kind="tensors",
    takes_images=False,
    answer=Tensors,
    read=read,
    columns=lambda _: {},
    row=lambda _: {},
    show=lambda _: Shown(""),
)
