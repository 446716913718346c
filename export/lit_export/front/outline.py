"""The outline of a checkpoint: its tables, values and the sizes of its tensors, read without torch.

A checkpoint is a pickle, and a pickle is a program. This reads it as data: each opcode is followed on plain
values, nothing is imported and nothing is called. What would need a class or a function becomes a placeholder that
names it. A tensor must lie within its storage and a storage within the file, and a budget bounds what all of it may
take in memory, so that nothing small on the disk becomes large there.
"""

import pickletools
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from lit_export.front import plain_calls, plain_values
from lit_export.front.plain_values import (
    AttributeDict,
    Budget,
    Foreign,
    Instance,
    Named,
    NotPlainError,
    Storage,
    TensorOutline,
    TooMuchError,
)
from lit_export.front.settled import settled

_DEPTH = 100
_STEP_COST, _CONTAINER_COST = 16, 64
_SHORT = 500_000  # opcodes of one byte that any pickle may have; beyond them, each needs others with something in them
_AT_A_TIME = 2**15


def read(
    file: IO[bytes],
    *,
    records: Mapping[str, int] | None,
    limit: int,
    budget: Budget | None = None,
    stored: dict[str, Storage] | None = None,
) -> Any:
    """One pickle's value, from the file's current position. Raises NotPlainError, or ValueError and the like on damage.

    `records`: the sizes of the archive's records by name, for a storage must be one of them. None: the old format,
    whose storages follow the pickles; `limit` is then the size of the file. `stored` gets the storages by key, also
    those of objects that became placeholders.
    """
    budget = budget or Budget(limit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pickletools reads a damaged text's escapes with one
        return settled(_Reader(records, limit, budget, {} if stored is None else stored).run(file), budget)


def foreign(contents: Any) -> Iterator[tuple[str, Foreign]]:
    """Each placeholder of an object, with its path: `hyper_parameters.root`."""
    return ((path, value) for path, value in walk(contents) if isinstance(value, Foreign))


def storages(contents: Any) -> set[Storage]:
    """The storages that the contents' tensors share."""
    found = (value for _, value in walk(contents) if isinstance(value, TensorOutline))
    return {part.storage for value in found for part in plain_values.tensors(value) if part.storage is not None}


def walk(contents: Any) -> Iterator[tuple[str, Any]]:
    """Every value below, each object once, with its path. Raises TooMuchError for what is nested without end."""
    seen: set[int] = set()
    waiting: list[tuple[str, int, Any]] = [("", 0, contents)]
    while waiting:
        path, depth, value = waiting.pop()
        if isinstance(value, dict | list | tuple | deque):
            if depth > _DEPTH:
                raise TooMuchError(f"values nested more than {_DEPTH} deep")
            if id(value) in seen:
                continue
            seen.add(id(value))
            below = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(_join(path, key), depth + 1, inner) for key, inner in below]
        yield path, value


def _join(path: str, key: object) -> str:
    text = str(key)[:80] if isinstance(key, str | int | Foreign) else type(key).__name__
    text = text if text.isprintable() else repr(text)
    return f"{path}.{text}" if path else text


class _Reader:
    """Follows the opcodes of one pickle."""

    def __init__(
        self, records: Mapping[str, int] | None, limit: int, budget: Budget, stored: dict[str, Storage]
    ) -> None:
        self.records, self.limit, self.budget, self.storages = records, limit, budget, stored
        self.protocol = 0
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.stored = 0
        self.same = 1
        self.short = 0
        self.begun = 0

    def run(self, file: IO[bytes]) -> Any:
        self.begun = file.tell()
        while code := file.read(1):
            opcode = _OPCODES.get(code)
            if opcode is None:
                raise ValueError(f"no pickle opcode {code!r}")
            name = opcode.name
            if opcode.arg is not None:
                argument = opcode.arg.reader(file)
            else:
                argument = None
                self.count_short(file)
            self.budget.spend(_STEP_COST + (len(argument) if isinstance(argument, str | bytes | bytearray) else 0))
            if name == "STOP":
                return self.stack.pop()
            if name in _PUSHED:
                self.stack.append(argument)
            elif name in _CONSTANT:
                self.stack.append(_CONSTANT[name])
            elif name in _EMPTY:
                self.budget.spend(_CONTAINER_COST)
                self.stack.append(_EMPTY[name]())
            elif (step := _STEPS.get(name)) is not None:
                step(self, argument)
            else:
                raise NotPlainError(f"pickle opcode {name}, which torch.save does not use")
        raise EOFError

    def count_short(self, file: IO[bytes]) -> None:
        """A byte on the disk makes a dict of 64: what torch.save writes has such opcodes among many other bytes."""
        self.short += 1
        if self.short % _AT_A_TIME == 0 and self.short > _SHORT and 2 * self.short > file.tell() - self.begun:
            raise TooMuchError(f"it has more than {_SHORT:,} empty values")

    def start(self, protocol: int) -> None:
        self.protocol = protocol

    def since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marked.pop()
        return items

    def mark(self, _: Any) -> None:
        self.budget.spend(_CONTAINER_COST)
        self.marked.append(self.stack)
        self.stack = []

    def drop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.stack = self.marked.pop()  # of a mark itself

    def put(self, index: int) -> None:
        self.budget.spend(_CONTAINER_COST)
        self.memo[index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def push_wide(self, number: int) -> None:
        self.budget.spend(number.bit_length() // 4)
        self.stack.append(number)

    def name(self, argument: str) -> None:
        self.push_named(*argument.split(" ", 1))

    def name_on_stack(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_named(module, name)

    def push_named(self, module: Any, name: Any) -> None:
        if self.protocol < 3 and isinstance(module, str) and isinstance(name, str):
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        self.stack.append(plain_calls.named(module, name))

    def take(self, count: int) -> None:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise IndexError
        self.budget.spend(_CONTAINER_COST)
        self.stack[-count:] = [items]

    def take_all(self, _: Any) -> None:
        items = tuple(self.since_mark())
        self.budget.spend(_CONTAINER_COST)
        self.stack.append(items)

    def fill(self, made: Any) -> None:
        """DICT and LIST: a container of all since the mark."""
        items = self.since_mark()
        self.stack.append(made)
        self.set_items(items) if isinstance(made, dict) else self.extend(items)

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list | deque):
            target.extend(items)
        elif not isinstance(target, Instance):
            raise NotPlainError(f"appends to a {type(target).__name__}")

    def add(self, _: Any) -> None:
        items = self.since_mark()
        self.budget.spend(_CONTAINER_COST * len(items))
        if not isinstance(target := self.stack[-1], set):
            raise NotPlainError(f"adds to a {type(target).__name__}")
        target.update(plain_calls.key_of(item, self.budget) for item in items)

    def freeze(self, _: Any) -> None:
        items = self.since_mark()
        self.budget.spend(_CONTAINER_COST * len(items))
        self.stack.append(frozenset(plain_calls.key_of(item, self.budget) for item in items))

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        self.budget.spend(_CONTAINER_COST * len(items))
        pairs = zip(items[::2], items[1::2], strict=True)
        if isinstance(target, dict):
            for key, value in pairs:
                target[self.key(key, target)] = value
        elif not isinstance(target, Instance):
            raise NotPlainError(f"sets a key of a {type(target).__name__}")

    def key(self, given: Any, target: dict[Any, Any]) -> Any:
        key = plain_calls.key_of(given, self.budget)
        if isinstance(key, Foreign) and key in target:
            self.same += 1  # two objects that are only known by their class stay two
            return f"{key} {self.same}"
        return key

    def reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(plain_calls.called(function, arguments, self.budget))

    def new_with_keywords(self, _: Any) -> None:
        self.stack.pop()
        self.reduce(None)

    def old_instance(self, argument: str) -> None:
        items = tuple(self.since_mark())
        self.name(argument)
        self.stack.append(plain_calls.called(self.stack.pop(), items, self.budget))

    def old_object(self, _: Any) -> None:
        cls, *items = self.since_mark()
        self.stack.append(plain_calls.called(cls, tuple(items), self.budget))

    def extension(self, number: int) -> None:
        self.stack.append(Named(f"copyreg.extension_{number}"))

    def build(self, _: Any) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Instance):
            target.state = state
        elif isinstance(target, AttributeDict):
            found = Instance("", state=state).attributes()
            self.budget.spend(_CONTAINER_COST * len(found))
            target.update(found)
        elif isinstance(target, OrderedDict) and isinstance(state, dict) and "_metadata" in state:
            target._metadata = state["_metadata"]  # type: ignore[attr-defined] # the modules' versions, of a state_dict

    def storage(self, _: Any) -> None:
        identity = self.stack.pop()
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            self.stack.append(identity[1])  # the older format keeps the source text of a module's class beside it
            return
        if not (isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"):
            raise NotPlainError("asks for something other than a storage")
        found = plain_values.storage(*identity[1:5])
        if len(identity) > 5 and identity[5] is not None:
            raise NotPlainError("a view of a storage, as only torch before 0.4 wrote it")
        known = self.storages.setdefault(found.key, found)
        if known.bytes != found.bytes:
            raise NotPlainError(f"storage {found.key[:40]} has two sizes")
        if known is found:
            self.stored += found.bytes
            self._within_file(found)
        self.stack.append(found)

    def _within_file(self, found: Storage) -> None:
        if self.records is None:
            if self.stored > self.limit:
                raise NotPlainError("storages larger than the file")
        elif (size := self.records.get(f"data/{found.key}", 0)) != found.bytes:
            raise NotPlainError(f"storage {found.key[:40]} should have {found.bytes} bytes and has {size}")


_PUSHED = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "INT", "BINFLOAT", "FLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        "BYTEARRAY8",
    )
)
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_CONSTANT = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_SET": set}
_STEPS: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": _Reader.start,
    "FRAME": lambda *_: None,
    "GLOBAL": _Reader.name,
    "STACK_GLOBAL": _Reader.name_on_stack,
    "MARK": _Reader.mark,
    "POP": _Reader.drop,
    "POP_MARK": lambda reader, _: _ignore(reader.since_mark()),
    "DUP": lambda reader, _: reader.stack.append(reader.stack[-1]),
    "PUT": _Reader.put,
    "BINPUT": _Reader.put,
    "LONG_BINPUT": _Reader.put,
    "MEMOIZE": lambda reader, _: reader.put(len(reader.memo)),
    "GET": _Reader.get,
    "BINGET": _Reader.get,
    "LONG_BINGET": _Reader.get,
    "LONG": _Reader.push_wide,
    "LONG1": _Reader.push_wide,
    "LONG4": _Reader.push_wide,
    "TUPLE": _Reader.take_all,
    "TUPLE1": lambda reader, _: reader.take(1),
    "TUPLE2": lambda reader, _: reader.take(2),
    "TUPLE3": lambda reader, _: reader.take(3),
    "LIST": lambda reader, _: reader.fill([]),
    "DICT": lambda reader, _: reader.fill({}),
    "APPEND": lambda reader, _: reader.extend([reader.stack.pop()]),
    "APPENDS": lambda reader, _: reader.extend(reader.since_mark()),
    "ADDITEMS": _Reader.add,
    "FROZENSET": _Reader.freeze,
    "SETITEM": lambda reader, _: reader.set_items([reader.stack.pop(-2), reader.stack.pop()]),
    "SETITEMS": lambda reader, _: reader.set_items(reader.since_mark()),
    "REDUCE": _Reader.reduce,
    "NEWOBJ": _Reader.reduce,
    "NEWOBJ_EX": _Reader.new_with_keywords,
    "INST": _Reader.old_instance,
    "OBJ": _Reader.old_object,
    "EXT1": _Reader.extension,
    "EXT2": _Reader.extension,
    "EXT4": _Reader.extension,
    "BUILD": _Reader.build,
    "BINPERSID": _Reader.storage,
}


def _ignore(_: list[Any]) -> None:
    """What POP_MARK drops."""
