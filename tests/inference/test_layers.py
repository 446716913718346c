"""What may import what: the promise that a runtime without torch is a runtime."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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

# Reads names of modules, imports each one afresh, and prints a line for each that fails or asks for what is blocked:
# also for one that hides the failure, and for one that comes after another has failed on the same module.
IMPORT_EACH = """
import importlib, sys

class Block:
    asked = set()

    def find_spec(self, name, path=None, target=None):
        if (top := name.partition(".")[0]) in {heavy!r}:
            self.asked.add(top)
            raise AssertionError(name + " is imported")

def forget(top):
    for name in [name for name in sys.modules if name.partition(".")[0] == top]:
        del sys.modules[name]

sys.meta_path.insert(0, Block())
for module in sys.stdin.read().split():
    forget(module.partition(".")[0])
    Block.asked.clear()
    wrong = None
    try:
        importlib.import_module(module)
    except BaseException as error:
        wrong = repr(error)
    if Block.asked or wrong:
        print(module, *sorted(Block.asked) or [wrong])
"""


def offenders(modules: Sequence[str], folder: Path | None = None) -> list[str]:
    """Which of these modules, imported one after the other in one process, import what a runtime must not know."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_EACH.format(heavy=set(HEAVY))],
        cwd=folder,
        input="\n".join(modules),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_runtime_module_imports_where_torch_lightning_wandb_and_onnx_are_blocked() -> None:
    assert len(MODULES) > 100
    assert offenders(MODULES) == []


def test_every_module_that_imports_what_is_blocked_is_named(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    for name, code in {
        "__init__": "",
        "a_direct": "import onnx",
        "b_through_another": "from package import a_direct",
        "c_clean": "import json",
        "d_hides_it": "try:\n    import torch.nn\nexcept BaseException:\n    pass",
        "e_hides_it_in_another": "from package import d_hides_it",
        "f_later": "def use():\n    import torch",
        "g_broken": "1 / 0",
    }.items():
        (package / f"{name}.py").write_text(code)
    names = sorted(f"package.{path.stem}" for path in package.glob("?_*.py"))

    assert offenders(names, tmp_path) == [
        "package.a_direct onnx",
        "package.b_through_another onnx",
        "package.d_hides_it torch",
        "package.e_hides_it_in_another torch",
        "package.g_broken ZeroDivisionError('division by zero')",
    ]


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


def package_name(path: Path) -> str:
    """The name under which an `__init__.py` is imported."""
    top = next(top for top in PACKAGES.values() if path.is_relative_to(top))
    return ".".join(path.parent.relative_to(top.parent).parts)


INITS = {package_name(path): path for top in PACKAGES.values() for path in sorted(top.rglob("__init__.py"))}
WITH_ALL = sorted(name for name, path in INITS.items() if "__all__ = " in path.read_text())


def annotated(tree: ast.Module) -> set[str]:
    """The names in annotations, quoted ones too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            found |= set(re.findall(r"\w+", ast.unparse(part))) if isinstance(part, ast.AST) else set()
    return found


def re_exported(path: Path, package: str) -> set[str]:
    """The public names that an `__init__.py` takes from its own modules and does nothing with."""
    tree = ast.parse(path.read_text())
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | annotated(tree)
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.level or f"{node.module}.".startswith(f"{package}."))
        for alias in node.names
        if not (name := alias.asname or alias.name).startswith("_") and name not in used
    }


def wrong_names(module: Any) -> list[str]:
    """What is wrong with a package's `__all__`."""
    names = list(module.__all__)
    lost = [f"{name} does not resolve" for name in names if getattr(module, name, None) is None]
    twice = [f"{name} is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    return lost + twice + ([] if names == sorted(names, key=in_order) else ["not sorted"])


def in_order(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then the rest: the order that ruff writes."""
    return not name.isupper(), not name[:1].isupper(), name


@pytest.mark.parametrize("package", WITH_ALL)
def test_the_public_names_of_a_package_are_sorted_and_resolve(package: str) -> None:
    assert wrong_names(importlib.import_module(package)) == []


def test_the_check_of_public_names_sees_what_is_wrong() -> None:
    module = SimpleNamespace(b=1, a=2, __all__=["b", "a", "gone", "a"])

    assert wrong_names(module) == ["gone does not resolve", "a is listed twice", "not sorted"]


def test_every_package_says_what_it_re_exports() -> None:
    silent = {
        name: found for name, path in INITS.items() if name not in WITH_ALL and (found := re_exported(path, name))
    }

    assert silent == {}
    assert {"lit_infer", "lit_export", "lit_trainer.modules"} <= set(WITH_ALL)


def test_the_check_of_re_exports_sees_them(tmp_path: Path) -> None:
    path = tmp_path / "__init__.py"
    path.write_text(
        "import json\nfrom other import far\nfrom house.room import open, used\nfrom .room import near, _private\n"
        "from house import attic as top\nfrom house.types import Kind\nused()\ndef f() -> 'list[Kind]': ...\n"
    )

    assert re_exported(path, "house") == {"open", "near", "top"}


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lit_infer' has no attribute 'nothing'"):
        _ = lit_infer.nothing
