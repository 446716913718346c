"""`--batch-axis`: which side is the batch, as the user says it."""

from collections.abc import Mapping, Sequence

from lit_infer.errors import UsageError

ALL = "none"


def pinned(wishes: Sequence[str]) -> dict[str, int | None]:
    """Axes by the input's name; None for an input without a batch. `none` by itself is under the name ``."""
    found: dict[str, int | None] = {}
    for wish in wishes:
        name, equals, axis = wish.partition("=")
        if wish == ALL:
            found[""] = None
        elif not (name and equals and (axis == ALL or axis.isdecimal())):
            raise UsageError(f"--batch-axis {wish}: expected INPUT=AXIS, INPUT=none, or none, as in state=1")
        else:
            found[name] = None if axis == ALL else int(axis)
    return found


def by_index(wanted: Mapping[str, int | None], names: Sequence[str], sides: Sequence[int]) -> dict[int, int | None]:
    """The same by the inputs' places. `sides`: how many each input has."""
    if "" in wanted:
        return dict.fromkeys(range(len(names)))
    found = {}
    for name, axis in wanted.items():
        if name not in names:
            raise UsageError(f"--batch-axis {name}: no such input; the inputs are {', '.join(names)}")
        index = list(names).index(name)
        if axis is not None and axis >= sides[index]:
            raise UsageError(f"--batch-axis {name}={axis}: it has {sides[index]} sides, counted from 0")
        found[index] = axis
    return found
