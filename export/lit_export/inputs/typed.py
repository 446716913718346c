"""Inputs that were typed: `--input [name=]3x224x224[:dtype[:low..high]]`, and values between their bounds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_infer.errors import UsageError

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
_FORM = "[name=]3x224x224[:dtype[:low..high]], a shape without its batch, as in ids=16:int64:0..299"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_INPUT = re.compile(
    rf"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*)?(?::(?P<dtype>[a-z]+\d*)?)?"
    rf"(?::(?P<low>{_NUMBER})?\.\.(?P<high>{_NUMBER})?)?"
)


@dataclass(frozen=True)
class Bounds:
    """What values an input may have; None: open."""

    low: float | None = None
    high: float | None = None

    @property
    def is_one_value(self) -> bool:
        """Whether the user said that it never varies."""
        return self.low is not None and self.low == self.high

    def drawn(
        self, generator: np.random.Generator, shape: Sequence[int], dtype: str, scale: float = 1.0
    ) -> NDArray[Any]:
        """Values between the bounds: evenly where there are two, else noise of that scale from the one there is."""
        if np.dtype(dtype).kind in "iub":
            low, high = int(self.low or 0), int(self.high or 0)
            array = generator.integers(low, high, shape, endpoint=True).astype(dtype)
            return with_both(generator, array) if (low, high) == (0, 1) else array
        if self.low is not None and self.high is not None:
            return generator.uniform(self.low, self.high, shape).astype(dtype)
        noise = generator.standard_normal(shape) * scale
        if self.low is not None:
            noise = self.low + np.abs(noise)
        elif self.high is not None:
            noise = self.high - np.abs(noise)
        return noise.astype(dtype)


@dataclass(frozen=True)
class Typed:
    """One `--input`."""

    text: str
    name: str | None
    shape: tuple[int, ...] | None
    """Without the batch; None: not said."""
    dtype: str | None
    bounds: Bounds
    has_bounds: bool
    """Whether they were typed too."""

    def assumed(self, name: str) -> str:
        """What the bounds say of the input of this name, in words."""
        low, high = self.bounds.low, self.bounds.high
        if low is None or high is None:
            return f"{name} is " + (f"at least {low:g}" if high is None else f"at most {high:g}") + " (--input)"
        return f"{name} is always {low:g} (--input)" if low == high else f"{name} lies in {low:g}..{high:g} (--input)"


def parsed(text: str) -> Typed:
    """One `--input`, checked."""
    match = _INPUT.fullmatch(text.replace(" ", ""))
    if not match or not text:
        raise UsageError(f"--input {text!r}: expected {_FORM}")
    dtype = match["dtype"]
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"--input {text!r}: the dtype {dtype} is not known; use float32, int64, uint8, bool, …")
    shape = None if match["shape"] is None else tuple(int(side) for side in match["shape"].split("x"))
    low, high = (None if match[end] is None else float(match[end]) for end in ("low", "high"))
    has_bounds = ".." in text
    if has_bounds:
        _check(text, dtype or "float32", low, high)
    elif dtype in ("bool", "uint8"):  # all values of these have a meaning
        low, high = 0.0, 1.0 if dtype == "bool" else 255.0
    return Typed(text, match["name"], shape, dtype, Bounds(low, high), has_bounds)


def _check(text: str, dtype: str, low: float | None, high: float | None) -> None:
    """Raise UsageError for bounds that make no sense."""
    ends = [end for end in (low, high) if end is not None]
    if not ends:
        raise UsageError(f"--input {text!r}: a range needs a number, as in 0.. or 0..299")
    if len(ends) == 2 and ends[0] > ends[1]:
        raise UsageError(f"--input {text!r}: the range is empty; give the smaller number first")
    if np.dtype(dtype).kind in "iub":
        if len(ends) < 2:
            raise UsageError(f"--input {text!r}: a range of integers needs both ends, as in 0..299")
        info = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if any(not end.is_integer() or not info[0] <= end <= info[1] for end in ends):
            raise UsageError(f"--input {text!r}: {dtype} holds whole numbers from {info[0]} to {info[1]}")


def with_both(generator: np.random.Generator, mask: NDArray[Any]) -> NDArray[Any]:
    """The mask (0 and 1), where no line of it is all of one: attention over nothing is NaN.

    A line of one value cannot have both, and stays.
    """
    if mask.ndim < 2 or mask.shape[-1] < 2:
        return mask
    lines = mask.reshape(-1, mask.shape[-1]).copy()
    for line in lines:
        if (line == line[0]).all():
            at = generator.integers(len(line))
            line[at] = 1 - int(line[at])
    return lines.reshape(mask.shape)
