"""A bounded number of items in flight, and their answers in order: on threads, and from asyncio."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    source: Iterator[T], size: int, start: Callable[[Sequence[T]], "Future[list[R]]"], ahead: int
) -> Iterator[R]:
    """Start batches of `size` items, up to `ahead` beyond the one being awaited; yield the answers of each.

    Takes nothing before the first answer is asked for. Closed early, it cancels what has not begun.
    """
    under_way: deque[Future[list[R]]] = deque()
    more = True
    try:
        while more or under_way:
            is_ready = bool(under_way) and under_way[0].done()
            if more and not is_ready and len(under_way) <= ahead:
                batch = list(islice(source, size))
                more = len(batch) == size
                if batch:
                    under_way.append(start(batch))
            else:
                yield from under_way.popleft().result()
    finally:
        for left in under_way:
            left.cancel()


async def gather(items: Iterable[T], start: Callable[[T], "Future[R]"], *, most: int) -> list[R]:
    """The answers to all items, in order, with at most `most` in flight. Cancelled, it cancels the waiting ones."""
    import asyncio  # here, so that programs that do not use it do not pay for the import

    under_way: deque[asyncio.Future[R]] = deque()
    found: list[R] = []
    try:
        for item in items:
            if len(under_way) >= most:
                found.append(await under_way[0])
                under_way.popleft()
            under_way.append(asyncio.wrap_future(start(item)))
        while under_way:
            found.append(await under_way[0])
            under_way.popleft()
    finally:
        for left in under_way:
            left.cancel()
    return found
