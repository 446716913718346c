"""What a `.pt2` file may hold to be loaded: tensors, a graph of known operators, and nothing that is evaluated.

See pt2.py for what torch does with a file. Everything is allowed by name here, nothing is searched for by name.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import IO, Any

_ENTRIES = re.compile(
    r"data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|models/model\.json|data/sample_inputs/model\.pt|extra/[\w.\-]+"
    r"|archive_format|archive_version|byteorder|(\.data/)?version|\.data/serialization_id"
)
_MODEL = "models/model.json"
_CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
_SAMPLES = "data/sample_inputs/model.pt"

# Names, equations and versions: nothing here can call, assign or quote if it is pasted into code.
_PLAIN = re.compile(r"[\w .,:+*\-<>/]*", re.ASCII)

# How sympy writes a size: Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(1)).
_SIZE_WORDS = (
    "Symbol Integer Float Rational Add Mul Pow Mod PythonMod Max Min FloorDiv CeilDiv CleanDiv ModularIndexing Where "
    "CeilToInt FloorToInt TruncToInt RoundToInt ToFloat IntTrueDiv FloatTrueDiv PowByNatural FloatPow LShift RShift "
    "Identity Equality Unequality StrictLessThan StrictGreaterThan LessThan GreaterThan And Or Not true false True "
    "False integer positive nonnegative real zero nonzero precision"
)
_SIZE = re.compile(rf"(\b({_SIZE_WORDS.replace(' ', '|')})\b|'\w+'|'-?\d+\.\d+'|\b\d+\b|[(),= \-])*", re.ASCII)
_GUARD = re.compile(
    r"(L\['\w+'\]|\['\w+'\]|\[\d+\]|\.size\(\)|\b(and|or|not|Eq|Ne|Mod|Max|Min|FloorDiv)\b|\b\d+\b|[()+\-*/%<>=!, ])*",
    re.ASCII,
)

_PYTHON_OPERATOR = re.compile(
    r"_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|lshift|rshift|getitem)"
    r"|math\.trunc|torch\.(sym_(int|float|not|max|min|ite)|_sym_sqrt)"
    r"|torch\.ops\.higher_order\.(cond|while_loop|scan|invoke_subgraph|wrap_with_(set_grad_enabled|autocast))"
)
_TENSOR_OPERATOR = re.compile(r"torch\.ops\.(aten|prims|torchvision|quantized_decomposed)\.(\w+)\.(\w+)", re.ASCII)
_OPENS_FILES = {"from_file"}

_TREE_TYPES = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}


class UnsafeArchiveError(ValueError):
    """Something in the file does not belong to a plain tensor program."""


def check(torch: Any, file: IO[bytes]) -> None:
    """Raise UnsafeArchiveError unless the file holds a plain tensor program; read as torch will read it."""
    reader = torch._C.PyTorchFileReader(file)
    names = reader.get_all_records()
    for name in names:
        if not _ENTRIES.fullmatch(name):
            raise UnsafeArchiveError(f"it holds {name!r}")
    if len(set(names)) != len(names):
        raise UnsafeArchiveError("it holds two entries of one name")
    for name in _CONFIGS:
        _check_payloads(json.loads(reader.get_record(name)))
    operators = set(torch._C._dispatch_get_all_op_names())
    for key, value in _leaves(json.loads(reader.get_record(_MODEL))):
        if isinstance(value, str):
            _check_text(key, value, operators)
    samples = reader.get_record(_SAMPLES)
    if samples:
        try:
            torch.load(io.BytesIO(samples), weights_only=True)
        except Exception:
            raise UnsafeArchiveError("its sample inputs are not just tensors") from None


def _check_payloads(config: Any) -> None:
    for key, value in _leaves(config):
        if key == "use_pickle" and value is not False:
            raise UnsafeArchiveError("it stores weights as a pickle")
        if key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(value)):
            raise UnsafeArchiveError(f"it stores {str(value)[:60]!r}, which is not a tensor")


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a JSON document under the nearest key, which is checked too.

    `metadata` says where a node came from and is never run.
    """
    if isinstance(value, dict):
        for name, part in value.items():
            if name in ("custom_obj", "as_custom_obj"):
                raise UnsafeArchiveError("it uses an object that is not a tensor")
            _check_pattern(_PLAIN, name, "name")
            if name != "metadata":
                yield from _leaves(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part, key)
    else:
        yield key, value


def _check_text(key: str, text: str, operators: set[str]) -> None:
    """One string of the program, by what torch does with a string of this name."""
    match key:
        case "target" | "as_operator":
            _check_operator(text, operators)
        case "expr_str":
            _check_pattern(_SIZE, text, "size")
        case "guards_code":
            _check_pattern(_GUARD, text, "guard")
        case "in_spec" | "out_spec":
            _check_tree(json.loads(text))
        case _:
            _check_pattern(_PLAIN, text, "name")


def _check_pattern(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise UnsafeArchiveError(f"{text[:60]!r} is not a plain {what}")


def _check_operator(target: str, operators: set[str]) -> None:
    if _PYTHON_OPERATOR.fullmatch(target):
        return
    found = _TENSOR_OPERATOR.fullmatch(target)
    if found is None or found[2] in _OPENS_FILES:
        raise UnsafeArchiveError(f"it calls {target[:60]!r}")
    name = f"{found[1]}::{found[2]}" + ("" if found[3] == "default" else f".{found[3]}")
    if name not in operators:  # of the dispatcher; what only TorchScript knows (aten::save) is not among them
        raise UnsafeArchiveError(f"it calls {target[:60]!r}, which this torch does not have")


def _check_tree(tree: Any) -> None:
    """A tree spec: nested tuples, lists and dictionaries with plain keys; no class and no enum to import."""
    for key, value in _leaves(tree):
        if key == "type" and value not in _TREE_TYPES:
            raise UnsafeArchiveError(f"its inputs or outputs are of type {str(value)[:60]!r}")
        if key == "context" and value is not None:
            _check_keys(json.loads(value))


def _check_keys(context: Any) -> None:
    """The keys of a dictionary. torch takes an object among them for the name of an enum, and imports its module."""
    for name in context or []:
        if not isinstance(name, str | int):
            raise UnsafeArchiveError("its inputs or outputs have keys that are not names")
        _check_pattern(_PLAIN, str(name), "name")
