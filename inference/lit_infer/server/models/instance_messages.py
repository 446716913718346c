"""What a server and its instances' processes say to each other: MessagePack, over a socket pair.

Nothing is pickled: what decodes strangers' images cannot make its parent run anything.
"""

from typing import Any, TypeVar

import msgspec
import numpy as np

from lit_infer import errors
from lit_infer.errors import EngineError, InputError, LitError
from lit_infer.server.models.batches import Answer, Answered, Execution
from lit_infer.server.models.instances import Opened, Wanted

T = TypeVar("T")
_KINDS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LitError)
}


class Start(msgspec.Struct):
    """The first message: what to open. After it come batches, each a list of Work."""

    path: str
    wanted: Wanted


class Ready(msgspec.Struct, tag=True):
    """The first answer: what was opened."""

    opened: Opened


class Failure(msgspec.Struct, tag=True):
    """An error, in place of Ready or of an item's answer."""

    kind: str
    text: str
    code: str = ""


class _Answer(msgspec.Struct, tag=True):
    answer: Answer


class Told(msgspec.Struct):
    """What became of a batch."""

    answers: list[_Answer | Failure]
    executions: list[Execution]
    death: str
    """What the engine failed with, whereupon the process ends; "": it lives."""


def encode(message: Any) -> bytes:
    """A message, arrays and all."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[T]) -> T:
    """A message. Its arrays are read-only."""
    return msgspec.msgpack.decode(data, type=kind, dec_hook=_as_array)


def told(answered: Answered) -> Told:
    """As it is sent."""
    answers = [failure(one) if isinstance(one, Exception) else _Answer(one) for one in answered.answers]
    death = answered.death
    return Told(answers, answered.executions, "" if death is None else f"{type(death).__name__}: {death}")


def answered(told: Told) -> Answered:
    """As it was meant. Of a death the process tells by ending."""
    return Answered([error(one) if isinstance(one, Failure) else one.answer for one in told.answers], told.executions)


def failure(error: Exception) -> Failure:
    """As it is sent."""
    if isinstance(error, InputError):
        return Failure("InputError", str(error), error.code)
    if isinstance(error, LitError):
        return Failure(type(error).__name__, str(error))
    return Failure("EngineError", f"{type(error).__name__}: {error}")


def error(failure: Failure) -> LitError:
    """As it was meant."""
    if failure.kind == "InputError":
        return InputError(failure.text, code=failure.code)
    return _KINDS.get(failure.kind, EngineError)(failure.text)


def _as_parts(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    if not isinstance(array, np.ndarray):
        raise NotImplementedError(f"{type(array).__name__} is in no message")
    return array.dtype.str, array.shape, array.tobytes()


def _as_array(_: type, parts: Any) -> Any:
    dtype, shape, data = parts
    return np.frombuffer(data, np.dtype(dtype)).reshape(shape)


_encoder = msgspec.msgpack.Encoder(enc_hook=_as_parts)
