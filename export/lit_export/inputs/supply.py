"""Where inputs come from: rows of real data, rows like those of an example, or noise within typed bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.inputs import values
from lit_export.inputs.axes import Axes
from lit_export.inputs.typed import Bounds
from lit_infer.manifest import Dimension
from lit_infer.tensors import Arrays

Sizes = Mapping[str, int]
"""Lengths of dynamic sides, by name."""


@dataclass(frozen=True)
class Supply:
    """All inputs of a module together: their rows belong to each other."""

    names: tuple[str, ...]
    axes: Axes
    sides: tuple[tuple[Dimension, ...], ...]
    """The shape of each input, with the names of dynamic sides."""
    batches: tuple[Arrays, ...]
    """What was given, batch by batch."""
    bounds: Mapping[int, Bounds] = field(default_factory=dict)
    """For inputs whose values were typed: these are drawn between bounds."""
    keeps_rows: bool = False
    """Whether rows are given as they are, and nothing is made up."""
    is_loose: bool = True
    """Whether the integers of a single row may change places."""

    def shapes(self, sizes: Sizes) -> list[tuple[int, ...]]:
        """The inputs' shapes at these sizes."""
        return [tuple(sizes[side] if isinstance(side, str) else side for side in sides) for sides in self.sides]

    def sizes(self, batch: int = 0) -> dict[str, int]:
        """The lengths that the dynamic sides have in what was given."""
        return {
            side: array.shape[axis]
            for array, sides in zip(self.batches[batch], self.sides, strict=True)
            for axis, side in enumerate(sides)
            if isinstance(side, str)
        }

    def drawn(self, generator: np.random.Generator, sizes: Sizes, *, scale: float = 1.0, batch: int = 0) -> Arrays:
        """Inputs of these sizes, by rows of the given `batch`."""
        shapes = self.shapes(sizes)
        given = self.batches[batch % len(self.batches)]
        count, length = self._rows(shapes), self._rows([array.shape for array in given])
        picked = np.resize(generator.permutation(length), count)
        is_kept = generator.random(count) < (1.0 if self.keeps_rows else 0.5)
        made = []
        for index, (array, shape, axis) in enumerate(zip(given, shapes, self.axes, strict=True)):
            if index in self.bounds:
                made.append(self.bounds[index].drawn(generator, shape, str(array.dtype), scale))
                continue
            sides = shape if axis is None else (*shape[:axis], *shape[axis + 1 :])
            pool = values.fitted(_rows_first(array, axis), sides)
            rows = (picked, is_kept) if axis is not None else (picked[:1] * 0, is_kept[:1])
            drawn = pool[rows[0]]
            if not self.keeps_rows:
                drawn = values.mixed(generator, pool, drawn, rows[1], scale=scale, is_loose=self.is_loose)
            made.append(np.array(drawn[0] if axis is None else np.moveaxis(drawn, 0, axis), order="C"))
        return tuple(made)

    def count(self, sizes: Sizes) -> int:
        """Rows in a batch of these sizes; one where no input has a batch."""
        return self._rows(self.shapes(sizes))

    @property
    def given(self) -> int:
        """Rows that were given, over all batches."""
        return sum(self._rows([array.shape for array in batch]) for batch in self.batches)

    def _rows(self, shapes: Sequence[tuple[int, ...]]) -> int:
        return next((shape[axis] for shape, axis in zip(shapes, self.axes, strict=True) if axis is not None), 1)


def _rows_first(array: NDArray[Any], axis: int | None) -> NDArray[Any]:
    """The batch in front; an input without one is a single row."""
    return array[None] if axis is None else np.moveaxis(array, axis, 0)
