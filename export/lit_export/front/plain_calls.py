"""The calls in a pickle that make plain data, done here on plain values. Any other becomes an `Instance` of a name."""

import datetime
import decimal
import os
import pathlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

from lit_export.front import plain_arrays, plain_tensors
from lit_export.front.plain_values import (
    AttributeDict,
    Budget,
    EnumMember,
    Foreign,
    Instance,
    Named,
    NotPlainError,
    TooMuchError,
    TorchValue,
    is_constant,
)

_KEYS = (
    *(str, int, float, bool, bytes, complex, type(None), frozenset, range, Foreign, EnumMember, TorchValue),
    *(np.generic, decimal.Decimal, pathlib.PurePath),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
)
_ITEM_COST, _WIDE_COST = 100, 16 << 10
_FACTORIES: dict[str, Any] = {
    f"builtins.{kind.__name__}": kind for kind in (list, dict, set, int, float, str, bool, tuple)
}
_LONGEST_NAME = 1000


def named(module: Any, name: Any) -> Named:
    """What a pickle names by module and attribute."""
    if not (isinstance(module, str) and isinstance(name, str)) or len(module) + len(name) > _LONGEST_NAME:
        raise NotPlainError("a name that is none")
    if not (module.isprintable() and name.isprintable()):
        raise NotPlainError("a name that cannot be printed")
    return Named(f"{module}.{name}")


def key_of(key: Any, budget: Budget, depth: int = 0) -> Any:
    """A key of plain data, as what its dict has for it. What cannot be hashed becomes its name."""
    if isinstance(key, int) and not isinstance(key, bool) and abs(key) >= 1 << 60:
        budget.spend(_WIDE_COST)  # numbers this wide can be chosen to have one hash, and a dict of them is slow
    if isinstance(key, Named):
        return TorchValue("constant", key.path) if is_constant(key.path) else Foreign(key.path, "name")
    if isinstance(key, Instance):
        return EnumMember(key.path, key.arguments[0]) if key.is_member() else Foreign(key.path)
    if isinstance(key, tuple):
        if depth > 9:
            raise TooMuchError("a key nested more than 10 deep")
        return tuple(key_of(item, budget, depth + 1) for item in key)
    if isinstance(key, _KEYS):
        return key
    raise NotPlainError(f"a key that is a {type(key).__name__}")


def called(function: Any, arguments: Any, budget: Budget) -> Any:
    """What a call, or the making of an object, gives."""
    if not (isinstance(function, Named | Instance | EnumMember | Foreign) and isinstance(arguments, tuple)):
        raise NotPlainError(f"calls a {type(function).__name__}")
    budget.spend(250)
    is_part = isinstance(function, EnumMember) and function.name is not None
    path = f"{function.path}.{function.name}" if is_part else function.path  # type: ignore[union-attr] # a method of it
    if isinstance(function, Named) and (known := _TENSORS.get(path)) is not None:
        try:
            return known(*arguments)
        except TypeError:
            raise NotPlainError(f"calls {path} with other arguments than torch.save does") from None
    maker = _MAKERS.get(path) if isinstance(function, Named) else None
    if maker is None:
        return Instance(path, arguments)
    try:
        return maker(budget, *arguments)
    except NotPlainError:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
        return Instance(path)


def _require(condition: bool) -> None:
    if not condition:
        raise TypeError


def _pairs(budget: Budget, found: Any) -> list[tuple[Any, Any]]:
    _require(isinstance(found, list | tuple | dict))
    items = list(found.items()) if isinstance(found, dict) else found
    budget.spend(_ITEM_COST * len(items))
    _require(all(isinstance(item, list | tuple) and len(item) == 2 for item in items))
    return [(key_of(key, budget), value) for key, value in items]


def _ordered(budget: Budget, found: Any = ()) -> Any:
    return OrderedDict(_pairs(budget, found))


def _counter(budget: Budget, found: Any = ()) -> Any:
    return Counter(dict(_pairs(budget, found)))


def _defaulting(budget: Budget, factory: Any = None, *rest: Any) -> Any:
    known = _FACTORIES.get(factory.path) if isinstance(factory, Named) else None
    pairs = _pairs(budget, rest[0]) if rest else []
    return dict(pairs) if known is None else defaultdict(known, pairs)


def _attributes(budget: Budget, found: Any = ()) -> AttributeDict:
    return AttributeDict(_pairs(budget, found))


def _items(budget: Budget, found: Any) -> list[Any]:
    _require(isinstance(found, list | tuple | set | frozenset))
    budget.spend(_ITEM_COST * len(found))
    return list(found)


def _queue(budget: Budget, found: Any = (), longest: Any = None) -> Any:
    _require(longest is None or (isinstance(longest, int) and 0 <= longest < 1 << 40))
    return deque(_items(budget, found), longest)


def _set(budget: Budget, found: Any = ()) -> set[Any]:
    return {key_of(item, budget) for item in _items(budget, found)}


def _bytes(budget: Budget, text: Any = b"", encoding: Any = "latin1") -> bytes:
    _require(isinstance(text, str | bytes) and encoding in ("latin1", "latin-1"))
    budget.spend(len(text))
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")


def _complex(_: Budget, real: Any, imaginary: Any) -> complex:
    _require(isinstance(real, int | float) and isinstance(imaginary, int | float))
    return complex(real, imaginary)


def _numbers(kind: type) -> Callable[..., Any]:
    def made(_: Budget, *numbers: Any) -> Any:
        _require(all(isinstance(number, int | None) for number in numbers))
        return kind(*numbers)

    return made


def _path(kind: type[pathlib.PurePath]) -> Callable[..., Any]:
    def made(budget: Budget, *parts: Any) -> Any:
        _require(all(isinstance(part, str) for part in parts))
        budget.spend(sum(map(len, parts)))
        return kind(*parts)

    return made


def _moment(kind: type) -> Callable[..., Any]:
    """A date or time from the bytes that it is pickled as, or from numbers."""

    def made(_: Budget, first: Any, *rest: Any) -> Any:
        numbers = (first, *rest)
        _require(all(isinstance(one, int | bytes | datetime.timezone | None) for one in numbers))
        return kind(*numbers)

    return made


def _zone(_: Budget, offset: Any, *name: Any) -> datetime.timezone:
    _require(isinstance(offset, datetime.timedelta) and all(isinstance(one, str) for one in name))
    return datetime.timezone(offset, *name)


def _decimal(_: Budget, text: Any) -> decimal.Decimal:
    _require(isinstance(text, str) and len(text) < 1000)
    return decimal.Decimal(text)


def _member(_: Budget, owner: Any, name: Any) -> Any:
    """`getattr(Enum, "NAME")`, as some versions of Python pickle a member of an enum."""
    _require(isinstance(owner, Named) and isinstance(name, str) and name.isidentifier() and len(name) < 200)
    return EnumMember(owner.path, name=name)


def _rebuilt(_: Budget, cls: Any, base: Any = None, state: Any = None, *__: Any) -> Any:
    """`copyreg._reconstructor` and `__newobj__`: an object, by the oldest protocols."""
    _require(isinstance(cls, Named))
    known = _MAKERS.get(cls.path)
    if known in (_attributes, _ordered) and isinstance(base, Named):
        return AttributeDict(state) if isinstance(state, dict) else AttributeDict()
    return Instance(cls.path)


def _new(budget: Budget, cls: Any, *arguments: Any) -> Any:
    return called(cls, arguments, budget)


def _size(budget: Budget, items: Any = ()) -> TorchValue:
    budget.spend(16 * len(items))
    return TorchValue("size", plain_tensors.size(items))


def _device(_: Budget, name: Any, *index: Any) -> TorchValue:
    _require(isinstance(name, str) and len(name) < 100 and all(isinstance(one, int) for one in index))
    return TorchValue("device", ":".join([name, *map(str, index)]))


def _layout(_: Budget, name: Any) -> TorchValue:
    _require(isinstance(name, str) and len(name) < 100)
    return TorchValue("layout", name)


def _subclassed(function: Any, cls: Any, arguments: Any, _: Any) -> Any:
    """A tensor of a class of its own: its values, where it holds them itself."""
    if not (isinstance(function, Named) and isinstance(arguments, tuple)):
        raise TypeError
    if not function.path.startswith("torch._utils._rebuild_"):
        raise TypeError
    known = _TENSORS.get(function.path)
    return Instance(cls.path if isinstance(cls, Named) else "torch.Tensor") if known is None else known(*arguments)


_TENSORS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": plain_tensors.strided,
    "torch._utils._rebuild_tensor_v2": plain_tensors.strided,
    "torch._utils._rebuild_tensor_v3": plain_tensors.typed,
    "torch._utils._rebuild_qtensor": plain_tensors.quantized,
    "torch._utils._rebuild_parameter": plain_tensors.parameter,
    "torch._utils._rebuild_parameter_with_state": plain_tensors.parameter,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": plain_tensors.parameter,
    "torch._utils._rebuild_sparse_tensor": plain_tensors.sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": plain_tensors.meta,
    "torch._utils._rebuild_device_tensor_from_numpy": plain_tensors.of_array,
    "torch._utils._rebuild_xla_tensor": plain_tensors.of_array,
    "torch._tensor._rebuild_from_type_v2": _subclassed,
}
_NAMESPACES = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "jsonargparse.namespace.Namespace",
    "jsonargparse._namespace.Namespace",
    "easydict.EasyDict",
    "munch.Munch",
    "addict.addict.Dict",
    "box.box.Box",
    "yacs.config.CfgNode",
    *(
        f"{package}.AttributeDict"
        for package in (
            "lightning.fabric.utilities.data",
            "lightning_fabric.utilities.data",
            "lightning.pytorch.utilities.parsing",
            "pytorch_lightning.utilities.parsing",
            "lightning.pytorch.core.mixins.hparams_mixin",
            "pytorch_lightning.core.mixins.hparams_mixin",
        )
    ),
)
_MAKERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_NAMESPACES, _attributes),
    **dict.fromkeys(plain_arrays.NUMBER, lambda _, *arguments: plain_arrays.number(*arguments)),
    **dict.fromkeys(plain_arrays.BUFFER, plain_arrays.of_buffer),
    **{
        f"{module}.{name}": _path(kind)
        for module in ("pathlib", "pathlib._local")
        for name, kind in {
            "PosixPath": pathlib.Path if os.name == "posix" else pathlib.PurePosixPath,
            "PurePosixPath": pathlib.PurePosixPath,
            "WindowsPath": pathlib.PureWindowsPath,
            "PureWindowsPath": pathlib.PureWindowsPath,
        }.items()
    },
    "builtins.dict": lambda budget, found=(): dict(_pairs(budget, found)),
    "builtins.list": lambda budget, found=(): _items(budget, found),
    "builtins.tuple": lambda budget, found=(): tuple(_items(budget, found)),
    "builtins.set": _set,
    "builtins.frozenset": lambda budget, found=(): frozenset(_set(budget, found)),
    "builtins.complex": _complex,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.range": _numbers(range),
    "builtins.slice": _numbers(slice),
    "builtins.getattr": _member,
    "_codecs.encode": _bytes,
    "copyreg._reconstructor": _rebuilt,
    "copyreg.__newobj__": _new,
    "collections.OrderedDict": _ordered,
    "collections.Counter": _counter,
    "collections.defaultdict": _defaulting,
    "collections.deque": _queue,
    "datetime.datetime": _moment(datetime.datetime),
    "datetime.date": _moment(datetime.date),
    "datetime.time": _moment(datetime.time),
    "datetime.timedelta": _moment(datetime.timedelta),
    "datetime.timezone": _zone,
    "decimal.Decimal": _decimal,
    "torch.Size": _size,
    "torch.device": _device,
    "torch.serialization._get_layout": _layout,
}
