"""Names of formats stand in the two tables: a new format is a row of each, and nothing else has to hear of it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lit_infer.engines import ENGINES
from tests.conftest import ROOT

PACKAGES = ("inference/lit_infer", "export/lit_export", "trainer_pkg/lit_trainer")
TABLES = (ROOT / "inference/lit_infer/engines", ROOT / "export/lit_export/formats")
NAMES = {*ENGINES, *(engine.suffix for engine in ENGINES.values() if engine.is_suffix_its_own)}


def names_of_modules(tree: ast.AST) -> Iterator[ast.AST]:
    """What is imported by name: onnx the package is not onnx the format."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name("require") | ast.Attribute(attr="import_module" | "find_spec"), args=[name, *_]
            ):
                yield name


def formats_named(source: str) -> list[tuple[int, str]]:
    """Line and text of every string that is the name of a format or its suffix."""
    tree = ast.parse(source)
    modules = {id(node) for node in names_of_modules(tree)}
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in modules)
    return [(node.lineno, str(node.value)) for node in strings if node.value in NAMES]


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if not any(path.is_relative_to(folder) for folder in TABLES)]


def test_no_format_is_named_outside_the_tables() -> None:
    assert len(sources()) > 150
    found = {str(path.relative_to(ROOT)): named for path in sources() if (named := formats_named(path.read_text()))}
    assert found == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('if graph.format == "onnx": ...', 1),
        ('SLOW = ("aotinductor", "tensorrt")', 2),
        ('match name:\n    case "openvino": ...', 1),
        ('path.endswith(".xml")', 1),
        ('require("onnx", extra="export", purpose="x")', 0),
        ('importlib.import_module("openvino")', 0),
        ('f(require("onnx"), "onnx")', 1),
        ('say("next: lit-export onnx")', 0),
    ],
)
def test_the_check_sees_a_name_wherever_it_stands(source: str, count: int) -> None:
    assert len(formats_named(source)) == count
