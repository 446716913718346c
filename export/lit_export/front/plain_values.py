"""The values of a checkpoint that is read as data: what torch's and others' objects become when no code is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

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
_PLAIN = (str, int, float, bool, bytes)


class NotPlainError(ArtifactError):
    """The file does something that torch.save never does."""


class TooMuchError(NotPlainError):
    """Reading the file would take more than its size on the disk warrants, or it has no end."""


@dataclass(frozen=True)
class Named:
    """A class, function or constant that the pickle names."""

    path: str


@dataclass(frozen=True)
class Foreign:
    """A placeholder: a value that would need code to exist."""

    path: str
    """Of the class or function that makes it."""
    what: Literal["object", "name", "partial", "module"] = "object"
    """An object of that class; the class or function itself; a functools.partial of it; an nn.Module with weights."""

    def __str__(self) -> str:
        forms = {"name": "<{}>", "partial": "<functools.partial of {}>"}
        return forms.get(self.what, "<{} object>").format(self.path)


@dataclass(frozen=True)
class EnumMember:
    """A placeholder: what is pickled as members of an enum are. Whether the class is an enum, its import would tell."""

    path: str
    """Of the class."""
    value: Any = None
    name: str | None = None
    """Where the member was pickled by its name; `value` is then None."""

    def __str__(self) -> str:
        return f"{self.path}.{self.name}" if self.name is not None else f"{self.path}({self.value!r:.60})"


@dataclass(frozen=True)
class TorchValue:
    """A value of torch's own that is no tensor."""

    kind: Literal["constant", "device", "layout", "size"]
    value: Any
    """`torch.float16`; `cuda:0`; `torch.strided`; a tuple of sides."""

    def __str__(self) -> str:
        return str(list(self.value)) if self.kind == "size" else str(self.value)


class AttributeDict(dict[Any, Any]):
    """A dict that is read by attributes too, as the namespace or configuration was which it stands for."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


class Instance:
    """An object of a class that is not imported, while the pickle is read. None is left afterwards."""

    def __init__(self, path: str, arguments: tuple[Any, ...] = (), state: Any = None) -> None:
        self.path, self.arguments, self.state = path, arguments, state

    def attributes(self) -> dict[Any, Any]:
        """Its state, where that is a table; empty where it is something else."""
        found = self.state[0] if isinstance(self.state, tuple) and len(self.state) == 2 else self.state
        return found if isinstance(found, dict) else {}

    def is_member(self) -> bool:
        """Whether it is pickled as a member of an enum: a class called with one plain value, and nothing after it."""
        is_one = self.state is None and len(self.arguments) == 1 and type(self.arguments[0]) in _PLAIN
        return is_one and self.path.rpartition(".")[2].lstrip("_")[:1].isupper()


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
    """`Float`, `Long`, ... of its storage, or the name of a dtype that has no storage class, as `uint16`."""
    shape: tuple[int, ...]
    storage: Storage | None
    """None for one that holds no values of its own: sparse, or on the meta device."""
    stride: tuple[int, ...] = ()
    offset: int = 0
    form: Literal["strided", "quantized", "sparse", "meta", "array"] = "strided"
    parts: tuple[Any, ...] = field(default=(), compare=False, repr=False)
    """What else it is made of: the quantizer's numbers, the tensors of a sparse one, a numpy array."""


class Budget:
    """What reading may still cost in memory; whoever makes something large out of something small overdraws it."""

    def __init__(self, pickled: int) -> None:
        """`pickled`: the bytes of the pickle on the disk."""
        self.left = (16 << 20) + 24 * min(pickled, 32 << 20) + 4 * pickled

    def spend(self, count: int) -> None:
        """Take this many bytes from it. Raises TooMuchError when there are none left."""
        self.left -= count
        if self.left < 0:
            raise TooMuchError("it would take very much memory for its size")


def is_constant(path: str) -> bool:
    """Whether a name is one of torch's dtypes and such, which are values."""
    module, _, name = path.rpartition(".")
    return module == "torch" and name.startswith(_CONSTANTS) and not name.endswith("Storage")


def is_count(value: Any) -> bool:
    """Whether a value is a number of things."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def storage(kind: Any, key: Any, location: Any, count: Any) -> Storage:
    """The storage that a pickle refers to."""
    name = kind.path.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Named) else ""
    if name not in _ELEMENT or not (isinstance(key, str) and isinstance(location, str) and is_count(count)):
        raise NotPlainError("a storage of unknown kind or size")
    return Storage(key, name, count)


def tensors(value: TensorOutline) -> Iterator[TensorOutline]:
    """The tensor, and those that it is made of."""
    yield value
    for part in value.parts:
        if isinstance(part, TensorOutline):
            yield from tensors(part)
