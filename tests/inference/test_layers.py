"""What may import what: the promise that a runtime without torch is a runtime."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lit_infer
from tests.inference.tiny import without

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "lit_infer": ROOT / "inference/lit_infer",
    "lit_export": ROOT / "export/lit_export",
    "lit_trainer": ROOT / "trainer_pkg/lit_trainer",
}
FORBIDDEN = {
    "lit_infer": {"lit_export", "lit_trainer"},
    "lit_export": {"lit_trainer"},
    "lit_trainer": {"lit_export"},
}
HEAVY = ("torch", "torchvision", "lightning", "wandb", "onnx")
MODULES = sorted(
    ["lit_infer", *(module.name for module in pkgutil.walk_packages(lit_infer.__path__, prefix="lit_infer."))]
)

BLOCK = """
import importlib, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy!r}:
            raise AssertionError(name + " is imported")

sys.meta_path.insert(0, Block())
importlib.import_module({module!r})
"""


@pytest.mark.parametrize("module", MODULES)
def test_every_runtime_module_imports_where_torch_lightning_wandb_and_onnx_are_blocked(module: str) -> None:
    code = BLOCK.format(heavy=set(HEAVY), module=module)

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_the_block_blocks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCK.format(heavy=set(HEAVY), module="onnx")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "AssertionError: onnx is imported" in done.stderr


def test_a_bundle_answers_where_torch_lightning_wandb_and_onnx_are_not_installed(
    bundle_folder: Path, tmp_path: Path
) -> None:
    code = """
import sys
import numpy as np
from lit_infer import load
(found,) = load(sys.argv[1], device="cpu").predict([np.full((9, 9, 3), [0, 0, 200], dtype=np.uint8)])
print(found.label, sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2:])))
"""

    done = subprocess.run(
        [sys.executable, "-c", code, bundle_folder, *HEAVY],
        env=without(tmp_path, *HEAVY),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("blue []\n", "")


def imported(path: Path) -> Iterator[str]:
    """The top packages that a file imports, at any depth, by statement or by `import_module("…")`."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        match node:
            case ast.Import(names=names):
                yield from (name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(args=[ast.Constant(value=str(module)), *_]) if "import" in ast.unparse(node.func):
                yield module.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_imports_one_that_it_must_not_know(package: str) -> None:
    files = sorted(PACKAGES[package].rglob("*.py"))
    assert files

    wrong = {
        path.relative_to(ROOT).as_posix(): names
        for path in files
        if (names := FORBIDDEN[package] & set(imported(path)))
    }

    assert wrong == {}


def test_the_check_of_imports_sees_them_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b, c\nfrom d.e import f\nfrom . import g\n"
        "def h():\n    from i import j\n    importlib.import_module('k.l')\n    __import__('m')\n"
    )

    assert set(imported(path)) == {"a", "c", "d", "i", "k", "m"}


def test_the_public_names_are_sorted_and_resolve() -> None:
    assert lit_infer.__all__ == sorted(lit_infer.__all__)
    assert len(set(lit_infer.__all__)) == len(lit_infer.__all__)
    for name in lit_infer.__all__:
        assert getattr(lit_infer, name) is not None


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lit_infer' has no attribute 'nothing'"):
        _ = lit_infer.nothing


@pytest.mark.parametrize("module", [name for name in MODULES if name.count(".") == 1])
def test_all_of_every_package_resolves(module: str) -> None:
    found = importlib.import_module(module)

    for name in getattr(found, "__all__", []):
        assert hasattr(found, name)
