"""From what was given to what inputs are drawn from: which side is the batch, which sides vary, and which values."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_export.inputs import axes, pinned, sides
from lit_export.inputs.axes import Axes
from lit_export.inputs.given import GivenCalls
from lit_export.inputs.supply import Supply
from lit_export.inputs.taken import Taken, run
from lit_export.inputs.typed import Typed
from lit_export.options import Options
from lit_infer.batching.sizes import BATCH
from lit_infer.errors import UsageError
from lit_infer.manifest import Dimension
from lit_infer.tensors import Arrays

_SEED = 11


def supplied(took: Taken, what: GivenCalls, options: Options, typed: Mapping[str, Typed]) -> Supply:
    """What inputs are drawn from. `typed`: the `--input`s by name."""
    first = took.batches[0]
    wanted = pinned.by_index(pinned.pinned(options.batch_axis), took.names, [array.ndim for array in first])
    found = _axes(took, what, wanted, options.static_batch)
    named = _sides(took, found, options)
    supply = Supply(
        took.names,
        found,
        named,
        _joined(_alike(took.batches, found, named), found),
        bounds={index: typed[name].bounds for index, name in enumerate(took.names) if name in typed},
        keeps_rows=what.is_real,
    )
    _check_typed(supply, typed)
    return _that_works(took, supply) if what.kind == "example" else supply


def _axes(took: Taken, what: GivenCalls, wanted: Mapping[int, int | None], static: int | None) -> Axes:
    """Which side of each input is the batch."""
    first = took.batches[0]
    if wanted and all(wanted.get(index, 0) is None for index in range(len(first))):
        return (None,) * len(first)
    if what.kind == "noise":  # made with the batch where it was asked for
        return tuple(wanted.get(index, 0) for index in range(len(first)))
    found = axes.found(lambda arrays: run(took.flat, arrays), first, wanted)
    if found is not None:
        return found
    lead = next((array.shape[0] for array in first if array.ndim), 1)
    usual = tuple(0 if array.ndim and array.shape[0] == lead else None for array in first)
    if static is not None and (static == lead or _takes(took, usual, static)):
        return usual
    shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in zip(took.names, first, strict=True))
    if static is not None:
        raise UsageError(f"--static-batch {static}: {took.flat.asked} takes {shapes} and no other size. Give {lead}")
    raise UsageError(
        f"no side of {shapes} is the batch: {took.flat.asked} takes no other size of any, or no output follows it.\n"
        f"Give --static-batch {1 if _takes(took, usual, 1) else lead} for a graph of one size, or say where the batch "
        f"is: --batch-axis {took.names[0]}=0"
    )


def _takes(took: Taken, found: Axes, rows: int) -> bool:
    """Whether the module takes that many rows."""
    try:
        run(took.flat, axes.resized(took.batches[0], found, rows))
    except Exception:  # the user's code may raise anything for a size that it does not take
        return False
    return True


def _sides(took: Taken, found: Axes, options: Options) -> tuple[tuple[Dimension, ...], ...]:
    """The inputs' shapes, with the names of dynamic sides."""
    first, static = took.batches[0], options.static_batch
    shapes: list[list[Dimension]] = [list(array.shape) for array in first]
    for shape, axis in zip(shapes, found, strict=True):
        if axis is not None:
            shape[axis] = BATCH if static is None else static
    for wish in options.dynamic:
        side, pairs = sides.wished(wish, took.names, first)
        for index, axis in pairs:
            shapes[index][axis] = side
    return tuple(map(tuple, shapes))


def _alike(batches: Sequence[Arrays], found: Axes, named: Sequence[Sequence[Dimension]]) -> tuple[Arrays, ...]:
    """The batches whose fixed sides are those of the first."""

    def fits(batch: Arrays) -> bool:
        return all(
            isinstance(side, str) or at == axis or array.shape[at] == side
            for array, shape, axis in zip(batch, named, found, strict=True)
            for at, side in enumerate(shape)
        )

    return tuple(batch for batch in batches if fits(batch))


def _joined(batches: Sequence[Arrays], found: Axes) -> tuple[Arrays, ...]:
    """Batches whose rows can share one joined: a loader may give one row at a time."""
    groups: list[list[Arrays]] = []
    for batch in batches:
        group = next((group for group in groups if _can_join(group[0], batch, found)), None)
        if group is None:
            groups.append([batch])
        else:
            group.append(batch)
    return tuple(
        tuple(
            parts[0] if axis is None else np.concatenate(parts, axis)
            for parts, axis in zip(zip(*group, strict=True), found, strict=True)
        )
        for group in groups
    )


def _can_join(one: Arrays, other: Arrays, found: Axes) -> bool:
    """Whether all sides but the batch are alike, and inputs without a batch are the same."""

    def fits(left: NDArray[Any], right: NDArray[Any], axis: int | None) -> bool:
        if axis is None:
            return np.array_equal(left, right)
        return left.ndim == right.ndim and all(
            at == axis or left.shape[at] == right.shape[at] for at in range(left.ndim)
        )

    return any(axis is not None for axis in found) and all(map(fits, one, other, found))


def _check_typed(supply: Supply, typed: Mapping[str, Typed]) -> None:
    """Whether the `--input`s fit the inputs that they are for."""
    for name, one in typed.items():
        if name not in supply.names:
            raise UsageError(f"--input {one.text}: no such input; the inputs are {', '.join(supply.names)}")
        index = supply.names.index(name)
        axis = supply.axes[index]
        array = supply.batches[0][index]
        shape = tuple(side for at, side in enumerate(array.shape) if at != axis)
        if one.shape not in (None, shape) or one.dtype not in (None, str(array.dtype)):
            words = f"{name}={'x'.join(map(str, shape))}:{array.dtype}"
            raise UsageError(f"--input {one.text}: without its batch, this input is {words}")


def _that_works(took: Taken, supply: Supply) -> Supply:
    """As free with the example's values as the module allows: integers in other places, then rows as they are."""
    base = {**supply.sizes(), **({BATCH: 3} if BATCH in supply.sizes() else {})}
    for one in (supply, replace(supply, is_loose=False)):
        try:
            answered = run(took.flat, one.drawn(np.random.default_rng(_SEED), base))
        except Exception:  # noqa: S112 - the user's code may raise anything for values that it does not take
            continue
        if all(np.isfinite(array).all() for array in answered):
            return one
    return replace(supply, keeps_rows=True)
