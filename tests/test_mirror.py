"""The tests mirror the source tree: whoever changes a file knows where its tests are."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

MIRRORED = {"inference/lit_infer": "tests/inference", "export/lit_export": "tests/export"}
# Source files that need no test file, or have it elsewhere, and why.
ELSEWHERE = {
    "inference/lit_infer/__init__.py": "re-exports: test_layers",
    "inference/lit_infer/images/__init__.py": "re-exports: test_layers",
    "inference/lit_infer/folder/__init__.py": "re-exports: test_layers",
    "export/lit_export/__init__.py": "re-exports: test_layers",
    "inference/lit_infer/artifacts/registry.py": "a protocol and a record",
    "inference/lit_infer/bench/callers.py": "records",
    "inference/lit_infer/folder/listing.py": "which images a run finds: test_running",
    "inference/lit_infer/folder/outputs.py": "what a run leaves: test_running, test_resume",
    "inference/lit_infer/server/grpc/inference_pb2.py": "made by protoc",
    "export/lit_export/cli_options.py": "the options' types: test_cli",
    "export/lit_export/tasks/spec.py": "records",
}


def has_code(path: Path) -> bool:
    """Whether a file holds more than a docstring."""
    return len(ast.parse(path.read_text()).body) > 1


def mirror(path: Path, source: Path, tests: Path) -> Path:
    """Where a source file's tests belong: `a/b.py` -> `a/test_b.py`, `a/__init__.py` -> `a/test_a.py`."""
    name = path.parent.name if path.name == "__init__.py" else path.stem
    return tests / path.parent.relative_to(source) / f"test_{name}.py"


def untested(root: Path) -> Iterator[str]:
    """The source files without a test file at their place."""
    for source, tests in MIRRORED.items():
        for path in sorted((root / source).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not has_code(path):
                continue
            if not mirror(path, root / source, root / tests).is_file():
                yield name


def borrowed(path: Path) -> set[str]:
    """The test modules that a file imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=module, names=names):
                found |= {module or "", *(f"{module or ''}.{name.name}" for name in names)}
    return {name for name in found if name.rpartition(".")[2].startswith("test_") and not name.startswith("lit_")}


def test_every_source_file_has_a_test_file_at_its_place() -> None:
    assert sorted(untested(ROOT)) == sorted(ELSEWHERE), (
        "write a test file, or take a line that is not needed out of ELSEWHERE"
    )


def test_a_source_file_without_tests_is_found(tmp_path: Path) -> None:
    for name, text in {
        "inference/lit_infer/__init__.py": '"""Only words."""',
        "inference/lit_infer/room/__init__.py": '"""Code."""\nX = 1',
        "inference/lit_infer/room/tested.py": '"""Code."""\nX = 1',
        "export/lit_export/lonely.py": '"""Code."""\nX = 1',
        "export/lit_export/room/known.py": '"""Code."""\nX = 1',
        "tests/inference/room/test_tested.py": "",
        "tests/export/test_known.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert list(untested(tmp_path)) == [
        "inference/lit_infer/room/__init__.py",
        "export/lit_export/lonely.py",
        "export/lit_export/room/known.py",
    ]


def test_no_test_file_imports_from_another_one() -> None:
    """What two of them need stands in tests/support, or in a file of its own beside them."""
    wrong = {
        path.relative_to(ROOT).as_posix(): names
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if (names := borrowed(path))
    }

    assert wrong == {}


def test_an_import_from_a_test_file_is_seen_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "test_file.py"
    path.write_text(
        "import tests.a.test_b\nfrom tests.a.test_c import x\nfrom tests.a import test_d, e\nfrom .test_f import y\n"
        "from lit_infer.self_test import test_it\ndef f():\n    from . import test_g\n"
    )

    assert {name.rpartition(".")[2] for name in borrowed(path)} == {"test_b", "test_c", "test_d", "test_f", "test_g"}
