"""numpy's arrays, numbers and dtypes as pickles hold them, made from their bytes alone."""

import math
import re
from typing import Any

import numpy as np

from lit_export.front.plain_values import Budget, Instance, is_count

_DTYPE = re.compile(r"[|<>=]?([biufcmMSUVO?])(\d{0,9})")
_MODULES = ("numpy.core", "numpy._core")
ARRAY = tuple(f"{module}.multiarray._reconstruct" for module in _MODULES)
NUMBER = tuple(f"{module}.multiarray.scalar" for module in _MODULES)
BUFFER = tuple(f"{module}.numeric._frombuffer" for module in _MODULES)


def dtype(found: Any) -> "np.dtype[Any]":
    """A dtype from its name and the state that follows: byte order, fields, unit of a date. Raises ValueError."""
    if isinstance(found, np.dtype):
        return found
    if not (isinstance(found, Instance) and found.path == "numpy.dtype" and found.arguments):
        raise ValueError("no dtype")
    name, state = found.arguments[0], found.state if isinstance(found.state, tuple) else ()
    matched = _DTYPE.fullmatch(name) if isinstance(name, str) else None
    if matched is None or len(name) > 12:
        raise ValueError("a dtype of unknown name")
    if len(state) > 4 and isinstance(state[3], tuple) and isinstance(state[4], dict):
        return _structured(state[3], state[4], state[5] if len(state) > 5 else None)
    made: np.dtype[Any] = np.dtype(name + _unit(state) if matched[1] in "mM" else name)
    if len(state) > 1 and state[1] in ("<", ">"):
        made = made.newbyteorder(state[1])
    return made


def _structured(names: tuple[Any, ...], fields: dict[Any, Any], total: Any) -> "np.dtype[Any]":
    if len(names) > 1000 or not all(isinstance(fields.get(name), tuple) for name in names):
        raise ValueError("a dtype of unknown fields")
    parts: dict[str, Any] = {
        "names": list(names),
        "formats": [dtype(fields[name][0]) for name in names],
        "offsets": [fields[name][1] for name in names],
    }
    made: np.dtype[Any] = np.dtype({**parts, "itemsize": total} if is_count(total) else parts)  # type: ignore[call-overload]
    return made


def _unit(state: tuple[Any, ...]) -> str:
    """Of a date or a duration: `[D]`, `[25s]`."""
    found = state[8] if len(state) > 8 else None
    inner = found[1] if isinstance(found, tuple) and len(found) == 2 else None
    if not (isinstance(inner, tuple) and len(inner) >= 2 and is_count(inner[1])):
        return ""
    unit = inner[0].decode("ascii", "replace") if isinstance(inner[0], bytes) else str(inner[0])
    return f"[{inner[1] if inner[1] > 1 else ''}{unit}]" if unit.isalpha() and len(unit) < 8 else ""


def number(kind: Any, data: Any = None) -> Any:
    """`scalar(dtype, bytes)`: a number, text or date of numpy's."""
    made = dtype(kind)
    if made.hasobject or not isinstance(data, bytes) or len(data) != made.itemsize or made.itemsize == 0:
        raise ValueError("no number")
    return np.frombuffer(data, made)[0]


def of_buffer(budget: Budget, data: Any, kind: Any, shape: Any, order: Any, *_: Any) -> "np.ndarray[Any, Any]":
    """`_frombuffer(bytes, dtype, shape, order)`, as protocol 5 writes an array."""
    return _filled(budget, data, dtype(kind), shape, "F" if order == "F" else "C")


def array(budget: Budget, found: Instance) -> "np.ndarray[Any, Any]":
    """An array from the state (version, shape, dtype, is Fortran's order, bytes or a list of objects)."""
    if not (isinstance(found.state, tuple) and len(found.state) == 5):
        raise ValueError("no array")
    _, shape, kind, fortran, data = found.state
    return _filled(budget, data, dtype(kind), shape, "F" if fortran is True else "C")


def _filled(budget: Budget, data: Any, kind: "np.dtype[Any]", shape: Any, order: Any) -> "np.ndarray[Any, Any]":
    if not (isinstance(shape, tuple) and len(shape) <= 64 and all(map(is_count, shape))):
        raise ValueError("an array of no shape")
    count = math.prod(shape)
    if kind.hasobject:
        if kind != np.dtype(object) or not isinstance(data, list) or len(data) != count:
            raise ValueError("an array of objects that are not there")
        budget.spend(8 * count)
        objects = np.empty(count, object)
        for index, value in enumerate(data):
            objects[index] = value
        return objects.reshape(shape, order=order)
    if not isinstance(data, bytes | bytearray) or len(data) != count * kind.itemsize:
        raise ValueError("an array of another size than its bytes")
    budget.spend(len(data))
    return np.frombuffer(bytearray(data), kind, count).reshape(shape, order=order)
