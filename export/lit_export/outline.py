"""The outline of a checkpoint: its tables, values and the sizes of its tensors, read without torch.

A checkpoint is a pickle, and a pickle is a program. This reads it as data: each opcode is followed on plain
values, nothing is imported and nothing is called. What would need a class or a function becomes a `Foreign`, which
names it. torch's own `weights_only` reader comes afterwards and has the last word; this one is stricter (a tensor
must lie within its storage, a storage must be in the file, a call must have the arguments that torch.save
writes), so that nothing small on the disk becomes large in memory.
"""

import pickletools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from lit_export import plain_values
from lit_export.plain_values import Foreign, Named, NotPlainError, Storage, TensorOutline, called, is_constant, key_of

_DEPTH = 100


def read(file: IO[bytes], *, records: Mapping[str, int] | None, limit: int) -> Any:
    """One pickle's value, from the file's current position. Raises NotPlainError, or ValueError and the like on damage.

    `records`: the sizes of the archive's records by name, for a storage must be one of them. None: the old format,
    whose storages follow the pickles; `limit` is then the size of the file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pickletools reads a damaged text's escapes with one
        return _Reader(records, limit).run(file)


def foreign(contents: Any) -> Iterator[tuple[str, Foreign]]:
    """Each value that is not plain data, with its path: `hyper_parameters.root`."""
    for path, value in walk(contents):
        if isinstance(value, Foreign):
            yield path, value
        elif isinstance(value, Named) and not is_constant(value.path):
            yield path, Foreign(value.path)


def storages(contents: Any) -> set[Storage]:
    """The storages that the contents' tensors share."""
    tensors = (value for _, value in walk(contents) if isinstance(value, TensorOutline))
    return {tensor.storage for tensor in tensors if tensor.storage is not None}


def walk(contents: Any) -> Iterator[tuple[str, Any]]:
    """Every value below, each object once, with its path. Raises NotPlainError for what is nested without end."""
    seen: set[int] = set()
    waiting: list[tuple[str, int, Any]] = [("", 0, contents)]
    while waiting:
        path, depth, value = waiting.pop()
        if isinstance(value, dict | list | tuple):
            if depth > _DEPTH:
                raise NotPlainError(f"values nested more than {_DEPTH} deep")
            if id(value) in seen:
                continue
            seen.add(id(value))
            below = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(_join(path, key), depth + 1, inner) for key, inner in below]
        yield path, value


def _join(path: str, key: object) -> str:
    text = str(key) if isinstance(key, str | int) else type(key).__name__
    return f"{path}.{text[:80]}" if path else text[:80]


class _Reader:
    """Follows the opcodes of one pickle."""

    def __init__(self, records: Mapping[str, int] | None, limit: int) -> None:
        self.records, self.limit = records, limit
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def run(self, file: IO[bytes]) -> Any:
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _PUSHED:
                self.stack.append(argument)
            elif name in _CONSTANT:
                self.stack.append(_CONSTANT[name])
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            elif (step := _STEPS.get(name)) is not None:
                step(self, argument)
            else:
                raise NotPlainError(f"pickle opcode {name}, which torch.save's own protocol (2) does not use")
        raise EOFError

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def mark(self, _: Any) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def name(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self.stack.append(Named(f"{'builtins' if module == '__builtin__' else module}.{name}"))

    def take(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError
        self.stack[-count:] = [items]

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise NotPlainError("appends to something that is not a list")
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise NotPlainError("sets a key of something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[key_of(key)] = value

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(called(function, arguments))

    def new(self, _: Any) -> None:
        self.stack.pop()
        cls = self.stack.pop()
        self.stack.append(Foreign(cls.path if isinstance(cls, Named) else type(cls).__name__))

    def build(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Foreign):
            return
        # a state_dict carries its modules' versions as an attribute; nothing else that is plain data has any
        if not (isinstance(target, dict) and isinstance(state, dict) and set(state) <= {"_metadata"}):
            raise NotPlainError(f"sets attributes of a {type(target).__name__}")

    def storage(self, _: Any) -> None:
        identity = self.stack.pop()
        if not (isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"):
            raise NotPlainError("asks for something other than a storage")
        found = plain_values.storage(*identity[1:5])
        if len(identity) > 5 and identity[5] is not None:
            raise NotPlainError("a view of a storage, as only torch before 0.4 wrote it")
        known = self.storages.setdefault(found.key, found)
        if known.bytes != found.bytes:
            raise NotPlainError(f"storage {found.key} has two sizes")
        self._within_file(found)
        self.stack.append(found)

    def _within_file(self, found: Storage) -> None:
        if self.records is None:
            if sum(storage.bytes for storage in self.storages.values()) > self.limit:
                raise NotPlainError("storages larger than the file")
        elif self.records.get(f"data/{found.key}", 0) != found.bytes:
            size = self.records.get(f"data/{found.key}", 0)
            raise NotPlainError(f"storage {found.key} should have {found.bytes} bytes and has {size}")


_PUSHED = frozenset(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"))
_CONSTANT = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": list}
_STEPS: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": lambda *_: None,
    "GLOBAL": _Reader.name,
    "MARK": _Reader.mark,
    "BINPUT": _Reader.put,
    "LONG_BINPUT": _Reader.put,
    "BINGET": _Reader.get,
    "LONG_BINGET": _Reader.get,
    "TUPLE": lambda reader, _: _push(reader, tuple(reader.since_mark())),
    "TUPLE1": lambda reader, _: reader.take(1),
    "TUPLE2": lambda reader, _: reader.take(2),
    "TUPLE3": lambda reader, _: reader.take(3),
    "APPEND": lambda reader, _: reader.extend([reader.stack.pop()]),
    "APPENDS": lambda reader, _: reader.extend(reader.since_mark()),
    "SETITEM": lambda reader, _: reader.set_items([reader.stack.pop(-2), reader.stack.pop()]),
    "SETITEMS": lambda reader, _: reader.set_items(reader.since_mark()),
    "REDUCE": _Reader.reduce,
    "NEWOBJ": _Reader.new,
    "BUILD": _Reader.build,
    "BINPERSID": _Reader.storage,
}


def _push(reader: _Reader, value: Any) -> None:
    reader.stack.append(value)
