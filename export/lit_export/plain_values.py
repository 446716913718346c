"""Plain values as torch.save pickles them: tensors, storages, and the few calls that make them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lit_infer.errors import ArtifactError

# The bytes of one element, by the storage class that torch.save names.
_ELEMENT = {
    **dict.fromkeys(("Byte", "Char", "Bool", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4", "Untyped"), 1),
    **dict.fromkeys(("Half", "BFloat16", "Short"), 2),
    **dict.fromkeys(("Float", "Int", "QInt32"), 4),
    **dict.fromkeys(("Double", "Long", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}
_CONSTANTS = ("float", "bfloat", "int", "uint", "bool", "complex", "qint", "quint", "half", "double", "long", "per_")
_ITEM = (str, int, float, bool, bytes, type(None))


class NotPlainError(ArtifactError):
    """The pickle does something that torch.save never does."""


@dataclass(frozen=True)
class Named:
    """A class, function or constant that the pickle names."""

    path: str


@dataclass(frozen=True)
class Foreign:
    """A value that would need code to exist."""

    path: str
    """Of the class or function that makes it."""


@dataclass(frozen=True)
class Storage:
    """A run of elements in the file, which tensors share."""

    key: str
    kind: str
    """`Float`, `Long`, ..."""
    count: int

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        return self.count * _ELEMENT[self.kind]


@dataclass(frozen=True)
class TensorOutline:
    """A tensor without its values."""

    kind: str
    shape: tuple[int, ...]
    storage: Storage | None
    """None for one that holds no values of its own: sparse, or on the meta device."""


def is_constant(path: str) -> bool:
    """Whether a name is one of torch's dtypes and such, which are values."""
    module, _, name = path.rpartition(".")
    return module == "torch" and name.startswith(_CONSTANTS) and not name.endswith("Storage")


def storage(kind: Any, key: Any, location: Any, count: Any) -> Storage:
    """The storage that a pickle refers to."""
    name = kind.path.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Named) else ""
    if name not in _ELEMENT or not (isinstance(key, str) and isinstance(location, str) and _is_count(count)):
        raise NotPlainError("a storage of unknown kind or size")
    return Storage(key, name, count)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def key_of(key: Any) -> Any:
    """A key of plain data. A deeply nested one would exhaust the stack when it is hashed."""
    if isinstance(key, Named) and is_constant(key.path):
        return key
    if isinstance(key, _ITEM) or (isinstance(key, tuple) and all(isinstance(item, _ITEM) for item in key)):
        return key
    raise NotPlainError(f"a key that is a {key.path if isinstance(key, Named | Foreign) else type(key).__name__}")


def called(function: Any, arguments: Any) -> Any:
    """What a call gives, for the calls that torch.save writes; a Foreign for any other."""
    if not (isinstance(function, Named) and isinstance(arguments, tuple)):
        raise NotPlainError(f"calls a {type(function).__name__}")
    known = _CALLS.get(function.path)
    if known is None:
        return Foreign(function.path)
    try:
        return known(*arguments)
    except TypeError:
        raise NotPlainError(f"calls {function.path} with other arguments than torch.save does") from None


def _ordered(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, list | tuple | dict):
        raise TypeError
    items = pairs.items() if isinstance(pairs, dict) else pairs
    if not all(isinstance(item, list | tuple) and len(item) == 2 for item in items):
        raise TypeError
    return {key_of(key): value for key, value in items}


def _set(items: Any = ()) -> list[Any]:
    if not isinstance(items, list | tuple):
        raise TypeError
    return [key_of(item) for item in items]


def _bytes(text: Any = b"", encoding: Any = "latin1") -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise TypeError
    return text.encode("latin-1", "replace")


def _complex(real: Any, imaginary: Any) -> complex:
    if not (isinstance(real, int | float) and isinstance(imaginary, int | float)):
        raise TypeError
    return complex(real, imaginary)


def _size(items: Any) -> tuple[int, ...]:
    if not (isinstance(items, list | tuple) and all(_is_count(item) for item in items)):
        raise TypeError
    return tuple(items)


def _text(name: Any, *index: Any) -> str:
    if not (isinstance(name, str) and all(_is_count(number) for number in index)):
        raise TypeError
    return ":".join([name, *map(str, index)])


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> TensorOutline:
    if not (isinstance(storage, Storage) and _is_count(offset) and isinstance(stride, tuple)):
        raise TypeError
    shape = _size(size)
    if len(stride) != len(shape) or not all(_is_count(step) for step in stride):
        raise TypeError
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.count:
        raise NotPlainError(f"a tensor of {list(shape)} in a storage of {storage.count}")
    return TensorOutline(storage.kind, shape, storage)


def _typed_tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> TensorOutline:
    """Of a dtype without a storage class of its own; its storage is counted in bytes, torch checks the rest."""
    dtype = rest[2] if len(rest) > 2 else None
    if not (isinstance(dtype, Named) and isinstance(storage, Storage)):
        raise TypeError
    shape = _size(size)
    if not all(_is_count(step) for step in (offset, *_size(stride))) or len(shape) != len(stride):
        raise TypeError
    last = offset + sum((length - 1) * step for length, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.bytes:
        raise NotPlainError(f"a tensor of {list(shape)} in a storage of {storage.bytes} bytes")
    return TensorOutline(dtype.path.removeprefix("torch."), shape, storage)


def _parameter(data: Any, *_: Any) -> TensorOutline:
    if not isinstance(data, TensorOutline):
        raise TypeError
    return data


def _sparse(layout: Any, data: Any) -> TensorOutline:
    if not (isinstance(layout, str) and isinstance(data, tuple) and len(data) >= 3):
        raise TypeError
    values, size = data[-3 if isinstance(data[-1], bool | None) else -2 :][:2]
    return TensorOutline(values.kind if isinstance(values, TensorOutline) else "sparse", _size(size), None)


def _meta(dtype: Any, size: Any, *_: Any) -> TensorOutline:
    return TensorOutline(dtype.path if isinstance(dtype, Named) else "meta", _size(size), None)


def _subclassed(function: Any, _: Any, arguments: Any, __: Any) -> Any:
    if not (isinstance(function, Named) and function.path.startswith("torch._utils._rebuild_")):
        raise TypeError
    return called(function, arguments)


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered,
    "collections.Counter": _ordered,
    "builtins.set": _set,
    "builtins.complex": _complex,
    "builtins.bytearray": _bytes,
    "_codecs.encode": _bytes,
    "torch.Size": _size,
    "torch.device": _text,
    "torch.serialization._get_layout": _text,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_qtensor": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _parameter,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._tensor._rebuild_from_type_v2": _subclassed,
}
