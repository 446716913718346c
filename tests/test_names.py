"""A class has one name and a name one class, over all three packages: whoever reads `Source` knows which."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = ("inference/lit_infer", "export/lit_export", "trainer_pkg/lit_trainer")
# Names that several modules share, and why.
SHARED = {
    "Batch": "each module of lit_trainer says what its batches hold, so that it reads on its own",
    "CheckpointRecord": "the record, and the callback that writes it: users' configurations name the callback",
    "DeploymentFacts": "the facts, and the callback that records them: users' configurations name the callback",
}
# Their aliases are options of commands, which go by the options' names: --quiet, --json.
OPTIONS = ("cli.py", "cli_options.py", "options.py")


def public_types(path: Path) -> Iterator[str]:
    """The public classes and type aliases that a file defines."""
    for node in ast.parse(path.read_text()).body:
        match node:
            case ast.ClassDef(name=name):
                pass
            case ast.Assign(targets=[ast.Name(id=name)]) if path.name not in OPTIONS:
                pass
            case _:
                continue
        if name[0].isupper() and not name.isupper():
            yield name


def shared_names(root: Path) -> dict[str, list[str]]:
    """Names of types that several files define, with these files."""
    found = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            for name in public_types(path):
                found[name].append(path.relative_to(root).as_posix())
    return {name: files for name, files in found.items() if len(files) > 1}


def test_names_of_types_are_unique() -> None:
    found = shared_names(ROOT)

    assert found.keys() == SHARED.keys(), f"rename the lesser one of each: {found}"


def test_a_name_that_is_given_twice_is_found(tmp_path: Path) -> None:
    for name, text in {
        "inference/lit_infer/a.py": "class Source: ...\nclass _Own: ...\nRow = dict\nT = 1\nclass Once: ...",
        "inference/lit_infer/cli.py": "Row = dict",
        "export/lit_export/b.py": "class Source: ...\nclass _Own: ...\nT = 2",
        "trainer_pkg/lit_trainer/c.py": "Row = list",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert shared_names(tmp_path) == {
        "Source": ["inference/lit_infer/a.py", "export/lit_export/b.py"],
        "Row": ["inference/lit_infer/a.py", "trainer_pkg/lit_trainer/c.py"],
    }
