"""The rooms of the server: who may import whom, and where the tests of each module are."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import lit_infer.server

ROOT = Path(lit_infer.server.__path__[0])
BASE = "lit_infer.server"


def modules() -> dict[str, Path]:
    """Every module of the server by its dotted name."""
    files = {path.relative_to(ROOT).with_suffix("").parts: path for path in ROOT.rglob("*.py")}
    return {".".join((BASE, *(part for part in parts if part != "__init__"))): path for parts, path in files.items()}


def imported(path: Path) -> Iterator[str]:
    """What a file imports, wherever in it: also for types only, and when a function is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph() -> dict[str, set[str]]:
    """The modules of the server that each module of the server imports."""
    known = modules()
    found = {}
    for name, path in known.items():
        asked = {one if one in known else one.rpartition(".")[0] for one in imported(path)}
        found[name] = {one for one in asked if one in known}
    return found


def room(module: str) -> str:
    parts = module.split(".")
    return parts[2] if (ROOT / parts[2]).is_dir() else ""


def test_no_module_imports_itself_by_way_of_others() -> None:
    order = list(TopologicalSorter(graph()).static_order())  # raises CycleError, which names the circle

    assert len(order) == len(modules()) > 50


@pytest.mark.parametrize(
    ("who", "whom"),
    [
        ("grpc", {"grpc", "oip", "models", "telemetry"}),
        ("http", {"http", "oip", "models", "telemetry"}),
        ("oip", {"oip", "models"}),
        ("models", {"models", "telemetry"}),
        ("telemetry", {"telemetry"}),
    ],
)
def test_a_room_imports_only_those_below_it(who: str, whom: set[str]) -> None:
    rooms = {name: {room(one) for one in found if one != BASE} for name, found in graph().items() if name != BASE}
    found = set().union(*(asked for name, asked in rooms.items() if room(name) == who))

    assert who in {room(name) for name in rooms}
    assert found - {""} <= whom


def test_what_stands_on_top_for_all_imports_no_room() -> None:
    for name in ("auth", "errors", "listeners", "results", "settings"):
        assert {room(one) for one in graph()[f"{BASE}.{name}"]} <= {""}


def test_every_module_has_its_tests_in_the_same_room() -> None:
    sources = [path.relative_to(ROOT) for path in ROOT.rglob("*.py") if not path.stem.endswith(("__init__", "_pb2"))]
    tests = [Path(__file__).parent / path.with_name(f"test_{path.name}") for path in sources]

    assert len(tests) > 40
    assert [path.name for path in tests if not path.is_file()] == []
