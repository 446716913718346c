"""Task `image-regression`: one or several numbers for each image, with names and units."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lit_infer.column_values import ColumnValues
from lit_infer.tasks.spec import Ask, Metric, Outputs, Reading, Row, Shown, TaskSpec


class RegressionFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the numbers measure."""

    units: tuple[str, ...] | None = None
    """One for each value, in their order; empty for a value without one."""

    def check(self, labels: tuple[str, ...] | None, size: int | None) -> None:
        """Raise ValueError for names and units that do not fit the values, or that cannot be columns of a row."""
        count = len(labels) if labels is not None else size
        if self.units is not None and count is not None and len(self.units) != count:
            raise ValueError(f"{len(self.units)} units for {count} values")
        taken = sorted(TaskSpec.RESERVED & set(labels or ()))
        if taken:
            raise ValueError(f"a value cannot be called {taken[0]}: every row has a column of that name")
        if labels is not None and len(set(labels)) < len(labels):
            raise ValueError(f"two values have the same name: {', '.join(labels)}")


class Value(msgspec.Struct, frozen=True, gc=False):
    """One number."""

    name: str
    value: float
    unit: str | None = None


class Values(msgspec.Struct, frozen=True, gc=False):
    """The numbers of an image, in the model's order."""

    values: tuple[Value, ...]


def names(reading: Reading) -> tuple[str, ...]:
    """The names of the values: their labels, else `value`, or `value_0`, `value_1`, …"""
    if reading.labels is not None:
        return reading.labels
    return ("value",) if reading.size == 1 else tuple(f"value_{index}" for index in range(reading.size or 0))


def read(outputs: Outputs, asks: Sequence[Ask], reading: Reading) -> list[Values]:
    """Numbers [batch, values] as values."""
    del asks
    called = names(reading)
    units = [unit or None for unit in reading.facts.units or ("",) * len(called)]
    return [Values(tuple(map(Value, called, numbers, units))) for numbers in outputs[0].tolist()]


def kept(outputs: Outputs, ask: Ask, reading: Reading) -> dict[str, NDArray[Any]]:
    """The numbers of each row."""
    del ask, reading
    return {"values": outputs[0]}


def values(arrays: Mapping[str, Any], ask: Ask, reading: Reading) -> dict[str, ColumnValues]:
    """Those as columns."""
    del ask
    return {name: arrays["values"][:, place] for place, name in enumerate(names(reading))}


def row(answer: Values) -> Row:
    """A column for each value."""
    return {one.name: one.value for one in answer.values}


def show(line: Row) -> Shown:
    """A row as it is displayed."""
    own = tuple((name, number) for name, number in line.items() if name not in TaskSpec.RESERVED)
    return Shown(", ".join(f"{name} {number:.6g}" for name, number in own), details=own, in_title=len(own))


class ValueTally:
    """The least, the mean and the largest of each value."""

    def __init__(self, reading: Reading) -> None:
        units = reading.facts.units or ("",) * len(names(reading))
        self._units = dict(zip(names(reading), units, strict=True))
        self._count = 0
        self._least: dict[str, float] = {}
        self._largest: dict[str, float] = {}
        self._sums = dict.fromkeys(self._units, 0.0)

    def add(self, line: Row, truths: Mapping[str, str | None]) -> None:
        """Count a row."""
        del truths
        self._count += 1
        for name in self._units:
            number = line[name]
            self._least[name] = min(number, self._least.get(name, number))
            self._largest[name] = max(number, self._largest.get(name, number))
            self._sums[name] += number

    def add_columns(self, columns: Mapping[str, ColumnValues], answered: NDArray[np.bool_]) -> None:
        """Count rows."""
        if not answered.any():
            return
        self._count += int(answered.sum())
        for name in self._units:
            numbers = np.asarray(columns[name], dtype=np.float64)[answered]
            self._least[name] = min(float(numbers.min()), self._least.get(name, np.inf))
            self._largest[name] = max(float(numbers.max()), self._largest.get(name, -np.inf))
            self._sums[name] += float(numbers.sum())

    def lines(self) -> list[str]:
        """A line for each value."""
        if not self._count:
            return []
        return [
            f"{name}: {self._least[name]:.6g} to {self._largest[name]:.6g}, mean {self._sums[name] / self._count:.6g}"
            + (f" {unit}" if unit else "")
            for name, unit in self._units.items()
        ]

    def verdict(self) -> str:
        """Nothing is known."""
        return ""


TASK = TaskSpec(
    name="image-regression",
    does="estimates numbers from images",
    kind="values",
    facts=RegressionFacts,
    answer=Values,
    read=read,
    columns=lambda reading: dict.fromkeys(names(reading), "number"),
    row=row,
    kept=kept,
    values=values,
    show=show,
    headings=("values", "", ""),
    tally=ValueTally,
    metric=Metric("MAE", better="min"),
    nouns=("value", "values"),
    cautions=("It answers with numbers for every image, also for one unlike those it was trained on.",),
)
