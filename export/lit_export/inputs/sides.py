"""Sides that may have any length: those that `--dynamic` names, and the lengths that the module takes."""

from collections.abc import Callable, Sequence

from lit_export.inputs.supply import Sizes
from lit_infer.errors import UsageError
from lit_infer.tensors import Arrays

Wished = tuple[str, list[tuple[int, int]]]
"""A side's name, and the (input, axis) pairs that have it."""


def wished(wish: str, names: Sequence[str], arrays: Arrays) -> Wished:
    """What one --dynamic asks for."""
    side, _, where = wish.partition("=")
    only, _, number = where.rpartition(".")
    if not where and side in ("height", "width"):  # of images [batch, channels, height, width]
        number = "2" if side == "height" else "3"
    if not side.isidentifier() or not number.isdecimal():
        raise UsageError(f"--dynamic {wish}: expected height, width, NAME=AXIS or NAME=INPUT.AXIS, as in length=1")
    axis = int(number)
    able = [
        index
        for index, (name, array) in enumerate(zip(names, arrays, strict=True))
        if (not only or name == only) and axis < array.ndim
    ]
    alike = [index for index in able if arrays[index].shape[axis] == arrays[able[0]].shape[axis]]
    if not alike:  # a side of one name has one length
        known = ", ".join(f"{name} {list(array.shape)}" for name, array in zip(names, arrays, strict=True))
        raise UsageError(f"--dynamic {wish}: no input has such an axis; the inputs are {known}")
    return side, [(index, axis) for index in alike]


def that_work(takes: Callable[[Sizes], bool], given: Sequence[Sizes], *, batch: str) -> list[Sizes]:
    """Lengths of the dynamic sides to try: those that were given, twice the first of these, and one more of each.

    `takes` asks the module, which may demand multiples. Raises UsageError where it takes no other than the first.
    """
    base = given[0]
    others = [side for side in base if side != batch]
    if not others:
        return [base]
    tried = [base]
    doubled, longer = (
        {side: factor * size + more if side in others else size for side, size in base.items()}
        for factor, more in ((2, 0), (1, 1))
    )
    rows = {side: size for side, size in base.items() if side == batch}
    for sizes in ({**one, **rows} for one in (*given[1:], doubled, longer)):
        if sizes not in tried and takes(sizes):
            tried.append(sizes)
    if len(tried) == 1:
        raise UsageError(f"--dynamic {others[0]}: the module itself refuses all sizes but the example's")
    return tried
