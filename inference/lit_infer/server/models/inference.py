"""One request to one open model: submitted, awaited, counted. Shared by HTTP and gRPC."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lit_infer.errors import EngineError, ExpiredError, InputError, LitError, OverloadedError, UsageError
from lit_infer.server.errors import ClientGoneError
from lit_infer.server.models.batches import Answer, Interest
from lit_infer.server.models.opening import Served
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.stats import Reason, Spent, Stats
from lit_infer.server.results import Items, Result

if TYPE_CHECKING:
    from lit_infer.server.telemetry.tracing import RequestSpan

T = TypeVar("T")
Gone = Callable[[], Awaitable[Any]]
"""Returns when the client has disconnected."""


async def answer(repository: Repository, name: str, version: str | None, ask: Callable[[Served], Awaitable[T]]) -> T:
    """Call `ask` with the version that a request names; without one, with the main version, or a canary in its turn.

    If the canary fails, the main version answers, unless the client has left or its time is up.
    """
    canary = None if version else repository.canary_in_turn(name)
    if canary is not None:
        try:
            with repository.held(name, canary.version) as served:
                return await ask(served)
        except (ClientGoneError, ExpiredError):
            raise
        except Exception as error:  # only its text: the error itself would keep the request alive
            failure = f"{type(error).__name__}: {error}"
    with repository.held(name, version) as served:
        answered = await ask(served)
    if canary is not None:  # the main version succeeded: the request was not at fault
        canary.blame(failure)
    return answered


async def infer(served: Served, items: Items, *, timeout: float, gone: Gone | None) -> Result:
    """Run a request, batched with others. Items are dropped when the client leaves or their time is up.

    `gone` None: this task is cancelled when the client leaves.
    Raises OverloadedError, ExpiredError, InputError, EngineError, ClientGoneError.
    """
    submitted, limit = time.perf_counter(), min(timeout, items.timeout) if items.timeout else timeout
    interest = Interest()
    futures = _submit(served, items, limit, interest)
    with _dropped_when_gone(futures, interest, gone) if gone else nullcontext(bool) as has_left:
        try:
            answers = [await _of(future) for future in futures]
        except InputError as error:
            raise _with_index(error, futures) from None
        except asyncio.CancelledError:
            if has_left():
                if (task := asyncio.current_task()) is not None:
                    task.uncancel()
                raise ClientGoneError("the client left before it was answered") from None
            raise
        finally:
            _drop(futures, interest)
    return _joined(answers, submitted)


async def _of(future: Future[T]) -> T:
    """Await another thread's future. `asyncio.wrap_future` takes twice as long: it chains both ways."""
    loop = asyncio.get_running_loop()
    here = loop.create_future()

    def notify(_: Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(_wake, here)

    future.add_done_callback(notify)
    await here
    if future.cancelled():
        raise asyncio.CancelledError
    return future.result()


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():  # it is, if the request was cancelled
        waiting.set_result(None)


@contextmanager
def counted(stats: Stats, span: "RequestSpan | None" = None) -> Iterator[Callable[[Result, float], None]]:
    """Count the block's request: as answered if it calls the given function, otherwise as failed.

    The function takes the result and the seconds that writing the answer took. `span`: the request's, if it is traced.
    """
    started = time.perf_counter()

    def succeeded(result: Result, output_s: float) -> None:
        spent = Spent(
            queue=result.queue,
            compute_input=result.compute_input,
            compute_infer=result.compute_infer,
            compute_output=output_s,
            total=time.perf_counter() - started,
        )
        stats.succeeded(result.rows, spent)
        if span is not None:
            span.stages(result, output_s)

    try:
        yield succeeded
    except BaseException as error:
        stats.failed(_reason(error), time.perf_counter() - started)
        raise


def _reason(error: BaseException) -> Reason:
    if isinstance(error, OverloadedError | ExpiredError):
        return "REJECTED"
    if isinstance(error, ClientGoneError | asyncio.CancelledError):
        return "CANCELED"
    return "BACKEND" if isinstance(error, EngineError) or not isinstance(error, LitError) else "OTHER"


def _drop(futures: Sequence[Future[Answer]], interest: Interest) -> None:
    """Nobody waits for these any more: what is queued is cancelled, and what is in a batch is left out if it can be."""
    interest.is_gone = True
    for future in futures:
        future.cancel()


def _submit(served: Served, items: Items, timeout: float, interest: Interest) -> list[Future[Answer]]:
    most = served.runner.policy.max_items
    rows = len(items.images) or (len(items.arrays[0]) if served.runner.is_batched else 1)
    if (rows if items.images else -(-rows // served.runner.largest)) > most:
        raise UsageError(f"{rows} rows are too many: a request can have {most:,} items")
    if not items.images:
        return served.runner.submit_arrays(items.arrays, timeout=timeout, interest=interest)
    futures: list[Future[Answer]] = []
    try:
        for image in items.images:
            futures.append(served.runner.submit_image(image, timeout=timeout, interest=interest))
    except OverloadedError:
        for future in futures:
            future.cancel()
        raise
    return futures


@contextmanager
def _dropped_when_gone(
    futures: Sequence[Future[Answer]], interest: Interest, gone: Gone
) -> Iterator[Callable[[], bool]]:
    watcher, task = asyncio.ensure_future(gone()), asyncio.current_task()
    is_waiting = True

    def drop(_: Any) -> None:
        if is_waiting and task is not None:
            _drop(futures, interest)
            task.cancel()  # a batch that is being run may take long

    watcher.add_done_callback(drop)
    try:
        yield watcher.done
    finally:
        is_waiting = False
        watcher.remove_done_callback(drop)
        watcher.cancel()


def _with_index(error: InputError, futures: Sequence[Future[Answer]]) -> InputError:
    """The error with the index of the image, if there are several."""
    if len(futures) == 1:
        return error
    indices = (i for i, one in enumerate(futures) if one.done() and not one.cancelled() and one.exception() is error)
    return InputError(f"item {next(indices, '?')}: {error}", code=error.code)


def _joined(answers: Sequence[Answer], submitted: float) -> Result:
    """The answers of one request, whose images and parts may have been run apart."""
    if len(answers) == 1:
        (one,) = answers
        return Result(one.outputs, one.rows, one.queue, one.compute_input, one.compute_infer, submitted, (one.size,))
    return Result(
        outputs=tuple(np.concatenate(column) for column in zip(*(one.outputs for one in answers), strict=True)),
        rows=sum(one.rows for one in answers),
        queue=max(one.queue for one in answers),
        compute_input=sum(one.compute_input for one in answers),
        compute_infer=sum(one.compute_infer for one in answers),
        submitted=submitted,
        sizes=tuple(one.size for one in answers),
    )
