"""The messages between a server and its instance processes: MessagePack over a socket pair.

Nothing is pickled, so a process that decodes untrusted images cannot make its parent execute anything.
"""

from typing import Any, TypeVar

import msgspec
import numpy as np

from lit_infer import errors
from lit_infer.errors import EngineError, InputError, LitError
from lit_infer.server.models.batches import Answer, Answered, Execution
from lit_infer.server.models.instances import LoadOptions, ModelDescription

T = TypeVar("T")
_KINDS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LitError)
}


class Start(msgspec.Struct):
    """The first message: the model to open. Batches follow, each a list of Work."""

    path: str
    options: LoadOptions


class Ready(msgspec.Struct, tag=True):
    """The first reply: the model that was opened."""

    opened: ModelDescription


class Failure(msgspec.Struct, tag=True):
    """An error, in place of Ready or of an item's answer."""

    kind: str
    text: str
    code: str = ""


class _Success(msgspec.Struct, tag=True):
    answer: Answer


class Reply(msgspec.Struct):
    """The outcome of a batch."""

    answers: list[_Success | Failure]
    executions: list[Execution]
    death: str
    """The error that killed the engine, after which the process exits; empty if it is alive."""


def encode(message: Any) -> bytes:
    """Encode a message, arrays included."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """Decode a message. Its arrays are read-only."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_as_array)


def reply(answered: Answered) -> Reply:
    """An outcome as it is sent."""
    answers = [failure(one) if isinstance(one, Exception) else _Success(one) for one in answered.answers]
    death = answered.death
    return Reply(answers, answered.executions, "" if death is None else f"{type(death).__name__}: {death}")


def answered(reply: Reply) -> Answered:
    """The inverse of `reply`, except for an engine's death: the process exits then, which is noticed anyway."""
    return Answered([error(one) if isinstance(one, Failure) else one.answer for one in reply.answers], reply.executions)


def failure(error: Exception) -> Failure:
    """An error as it is sent."""
    if isinstance(error, InputError):
        return Failure("InputError", str(error), error.code)
    if isinstance(error, LitError):
        return Failure(type(error).__name__, str(error))
    return Failure("EngineError", f"{type(error).__name__}: {error}")


def error(failure: Failure) -> LitError:
    """The inverse of `failure`."""
    if failure.kind == "InputError":
        return InputError(failure.text, code=failure.code)
    return _KINDS.get(failure.kind, EngineError)(failure.text)


def _as_parts(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    if not isinstance(array, np.ndarray):
        raise NotImplementedError(f"{type(array).__name__} cannot be sent")
    return array.dtype.str, array.shape, array.tobytes()


def _as_array(_: type, parts: Any) -> Any:
    dtype, shape, data = parts
    return np.frombuffer(data, np.dtype(dtype)).reshape(shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_as_parts)
