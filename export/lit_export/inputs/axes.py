"""Which side of each input is the batch: found by trying.

A side is the batch if the module takes another size of it, an output follows, and the rows that were there before are
answered as before. Inputs whose sides must change together have the batch together; an input that goes on with any of
them has none.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.tensors import Arrays

Axes = tuple[int | None, ...]
"""For each input, the axis that is the batch; None: it has none."""
Eager = Callable[[Arrays], Sequence[NDArray[Any]]]
"""The module's answers. May raise anything."""

_TRIES = 48
"""Combinations of axes that are tried for one side of the first input that has one."""
_ROWS = 2
"""Rows that the others are compared with: with one, broadcasting would accept anything."""
_CLOSE = 1e-4
"""Share of the largest answer that a row may change by when others join its batch."""


@dataclass(frozen=True)
class _Tried:
    base: Sequence[NDArray[Any]]
    grown: Sequence[NDArray[Any]]
    followers: Mapping[int, int]
    """For each output that follows, the axis that does."""

    @property
    def is_independent(self) -> bool:
        """Whether the rows that were there before are answered as before."""
        return all(
            _same(self.base[index], np.take(self.grown[index], range(1, _ROWS + 1), axis))
            for index, axis in self.followers.items()
        )


def found(run: Eager, arrays: Arrays, pinned: Mapping[int, int | None] | None = None) -> Axes | None:
    """The axes; None where no side of any input can be the batch. `pinned`: what the user said of some inputs."""
    mixed: Axes | None = None
    joined: Axes | None = None
    for axes, tried in _hypotheses(run, arrays, pinned or {}):
        sides = {axis for axis in axes if axis is not None}
        if tried.is_independent or pinned:
            needed = _without_needless(run, arrays, axes, tried)
            if len(sides) == 1 or pinned:
                return needed
            mixed = mixed or needed
        elif joined is None and sides == {0}:
            joined = _without_needless(run, arrays, axes, tried)
    return mixed or joined


def resized(arrays: Arrays, axes: Axes, rows: int, first: int = 0) -> Arrays:
    """The arrays with this many rows, from the row `first` on, and from the beginning again after the last."""
    return tuple(
        array if axis is None else np.take(array, [(first + row) % array.shape[axis] for row in range(rows)], axis)
        for array, axis in zip(arrays, axes, strict=True)
    )


def _hypotheses(run: Eager, arrays: Arrays, pinned: Mapping[int, int | None]) -> Iterator[tuple[Axes, _Tried]]:
    """Of each side of an input, the first combination with the other inputs' sides that the module takes."""
    for lead, array in enumerate(arrays):
        if pinned.get(lead, 0) is None:
            continue
        sides = [pinned[lead]] if lead in pinned else range(array.ndim)
        for axis in sides:
            if axis is None or not array.shape[axis]:
                continue
            combinations = itertools.islice(_combinations(arrays, lead, axis, pinned), _TRIES)
            tries = ((axes, _tried(run, arrays, axes)) for axes in combinations)
            taken = next(((axes, tried) for axes, tried in tries if tried is not None), None)
            if taken is not None:
                yield taken


def _combinations(arrays: Arrays, lead: int, axis: int, pinned: Mapping[int, int | None]) -> Iterator[Axes]:
    """With every other input's sides of the same length, the same axis first; then one of them changed, then two."""
    options = [
        _options(array, arrays[lead].shape[axis], axis) if index not in pinned else [pinned[index]]
        for index, array in enumerate(arrays)
    ]
    options[:lead] = [[pinned.get(index)] for index in range(lead)]
    options[lead] = [axis]
    usual = tuple(option[0] for option in options)
    yield usual
    others = [(index, other) for index, option in enumerate(options) for other in option[1:]]
    for index, other in others:
        yield (*usual[:index], other, *usual[index + 1 :])
    for pair in itertools.combinations(others, 2):
        if pair[0][0] != pair[1][0]:
            changed = dict(pair)
            yield tuple(changed.get(index, one) for index, one in enumerate(usual))


def _options(array: NDArray[Any], length: int, axis: int) -> list[int | None]:
    alike: list[int | None] = [one for one, side in enumerate(array.shape) if side == length]
    alike.sort(key=lambda one: one != axis)
    return [*alike, None]


def _tried(run: Eager, arrays: Arrays, axes: Axes) -> _Tried | None:
    """The answers for two rows, and for these after another one; None where no output follows, or one is refused."""
    try:
        base = run(resized(arrays, axes, _ROWS))
        grown = run(resized(arrays, axes, _ROWS + 1, first=-1))
    except Exception:  # the user's code may raise anything for a size that it does not take
        return None
    if [one.ndim for one in base] != [one.ndim for one in grown]:
        return None
    followers = {}
    for index, (before, after) in enumerate(zip(base, grown, strict=True)):
        changed = [axis for axis in range(before.ndim) if before.shape[axis] != after.shape[axis]]
        if len(changed) == 1 and (before.shape[changed[0]], after.shape[changed[0]]) == (_ROWS, _ROWS + 1):
            followers[index] = changed[0]
    return _Tried(base, grown, followers) if followers else None


def _without_needless(run: Eager, arrays: Arrays, axes: Axes, tried: _Tried) -> Axes:
    """The axes less those of inputs that need not change with the others, unless the module does not look at them."""
    batched = [index for index, axis in enumerate(axes) if axis is not None]
    kept = list(axes)
    for index in batched[1:]:
        others = tuple(None if one == index else axis for one, axis in enumerate(axes))
        mixed = list(resized(arrays, others, _ROWS + 1, first=-1))
        mixed[index] = resized(arrays, axes, _ROWS)[index]
        try:
            answered = run(tuple(mixed))
        except Exception:  # noqa: S112 - it is needed: that is what was asked
            continue
        follows = len(answered) == len(tried.grown) and all(
            answered[one].ndim > axis and answered[one].shape[axis] == _ROWS + 1
            for one, axis in tried.followers.items()
        )
        if follows and _matters(run, arrays, axes, index, tried):
            kept[index] = None
    return tuple(kept)


def _matters(run: Eager, arrays: Arrays, axes: Axes, index: int, tried: _Tried) -> bool:
    """Whether the answers depend on this input at all."""
    changed = list(resized(arrays, axes, _ROWS))
    changed[index] = np.flip(changed[index]).copy()
    try:
        answered = run(tuple(changed))
    except Exception:
        return True
    return len(answered) != len(tried.base) or not all(map(_same, answered, tried.base))


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    there = other.astype(np.float64)
    largest = float(np.abs(there).max(initial=0, where=np.isfinite(there)))
    return bool(np.allclose(one.astype(np.float64), there, rtol=0, atol=_CLOSE * largest, equal_nan=True))
