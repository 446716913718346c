"""An iterator whose next item can be looked at before it is taken."""

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Peeking(Generic[T]):
    """The items of an iterator, none of which is None."""

    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._ahead: T | None = None

    def peek(self) -> T | None:
        """The next item; None at the end."""
        if self._ahead is None:
            self._ahead = next(self._items, None)
        return self._ahead

    def __iter__(self) -> "Peeking[T]":
        return self

    def __next__(self) -> T:
        found = self.peek()
        if found is None:
            raise StopIteration
        self._ahead = None
        return found
