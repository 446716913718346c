"""`ModelStreamInfer`: requests of one client that run concurrently and are answered in order."""

import asyncio
from collections.abc import Awaitable, Callable

from lit_infer.server.grpc.call import Call
from lit_infer.server.grpc.calls import Calls, parsed
from lit_infer.server.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse, ModelStreamInferResponse

Infer = Callable[[ModelInferRequest, Call], Awaitable[ModelInferResponse]]
Queue = asyncio.Queue[asyncio.Task[bytes] | None]

_AHEAD = 32
"""Requests of one stream that run at once; further ones are not read until then."""


async def answer(calls: Calls, infer: Infer, call: Call) -> None:
    """Answer one stream to its end. If something else ends it, answer what was read, then raise that."""
    room, under_way = asyncio.Semaphore(_AHEAD), Queue()
    reader = asyncio.create_task(_read_all(calls, infer, call, room, under_way))
    try:
        while (answering := await under_way.get()) is not None:
            await calls.write(call, await answering)
            room.release()
        await reader
    finally:
        reader.cancel()
        while not under_way.empty():
            if (left := under_way.get_nowait()) is not None:
                left.cancel()


async def _read_all(calls: Calls, infer: Infer, call: Call, room: asyncio.Semaphore, under_way: Queue) -> None:
    number = 0
    try:
        while await room.acquire() and (raw := await calls.read_next(call)) is not None:
            number += 1
            one = Call(call.path, call.context, f"{call.id}.{number}")
            under_way.put_nowait(asyncio.create_task(_answer_one(calls, infer, raw, one)))
    finally:
        under_way.put_nowait(None)


async def _answer_one(calls: Calls, infer: Infer, raw: bytes, call: Call) -> bytes:
    """The serialized answer; for an error, its message and the request that it belongs to."""
    request, made = ModelInferRequest(), ModelStreamInferResponse()
    response = made.infer_response
    try:
        with calls.watched(call):
            request = parsed(ModelInferRequest, raw)
            response.CopyFrom(await infer(request, call))
            call.sent = made.ByteSize()
    except Exception:  # already logged
        made.error_message = call.error
        response.id, response.model_name = request.id, request.model_name
        response.model_version = request.model_version
    response.parameters["triton_final_response"].bool_param = True
    sent: bytes = made.SerializeToString()
    return sent
