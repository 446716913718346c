"""What grows is a row in a table: the tables and their twins have the same keys, and nobody else knows a key's name."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lit_export.proof.reference import REFERENCE
from lit_export.tasks import TASKS as EXPORT_TASKS
from lit_infer.images.from_transform import FROM_TRANSFORM
from lit_infer.images.steps import APPLY
from lit_infer.manifest import Step
from lit_infer.tasks import TASKS

ROOT = Path(__file__).parents[1]
PACKAGES = ("inference/lit_infer", "export/lit_export", "trainer_pkg/lit_trainer")
STEPS = set(Step.__struct_fields__)

# Where the names are at home.
TASK_FILES = ("inference/lit_infer/tasks/", "export/lit_export/tasks/")
STEP_FILES = (
    "inference/lit_infer/images/preprocess.py",
    "inference/lit_infer/images/framing.py",  # the structs of steps, whose errors begin with the step's name
    "inference/lit_infer/images/resizing.py",
    "inference/lit_infer/images/values.py",
    "inference/lit_infer/images/steps.py",
    "inference/lit_infer/images/from_transform/",
    "inference/lit_infer/images/pixels.py",  # a decoder that drops the EXIF block asks whether it is wanted
    "export/lit_export/proof/reference.py",
    "export/lit_export/proof/reference_files.py",  # those on a file as it is stored
)
# Words that also mean something else there, and where.
ALSO = {
    "resize": ("folder/table.py", "bench/rows.py"),  # a stage in rows
    # functions, and a stage in rows
    "read": (
        "manifest.py",
        "images/__init__.py",
        "folder/table.py",
        "folder/tally.py",
        "bench/rows.py",
        "answering.py",
    ),
    "scale": ("same_facts.py",),  # the manifest's fields, here and below
    "normalize": ("server/http/model_card.py", "same_facts.py", "inspected_checkpoint.py"),
}
_WORDS = frozenset({"read", "resize", "crop", "pad", "scale", "stretch", "channels", "normalize", "grayscale"})
"""Step names that are common words: only a string that is nothing else names the step."""
_SPECIFIC = sorted(set(TASKS) - {"tensor"})


def test_every_task_has_a_row_in_both_tables_under_its_own_name() -> None:
    assert list(TASKS) == list(EXPORT_TASKS)
    for table in (TASKS, EXPORT_TASKS):
        assert all(row.name == name for name, row in table.items())


def test_a_task_that_can_be_scored_has_a_metric_and_the_other_way_round() -> None:
    assert {name for name, row in TASKS.items() if row.metric} == {n for n, row in EXPORT_TASKS.items() if row.score}


def test_every_step_has_a_row_in_every_table_of_steps() -> None:
    assert set(APPLY) == set(REFERENCE) == STEPS
    assert {step for part in FROM_TRANSFORM.values() for step in part.steps} == STEPS - {"read"}  # loaders read


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_s_rows_have_the_columns_that_it_declares(name: str) -> None:
    task = TASKS[name]
    reading = task.reading(labels=None, answers={}, size=2)

    assert set(task.empty_row(reading)) == set(task.columns(reading))
    assert not set(task.columns(reading)) & task.RESERVED


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


@cache
def texts(path: Path) -> list[tuple[int, str]]:
    """The line and text of every string of a file that is not a docstring."""
    tree = ast.parse(path.read_text(), str(path))
    notes = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes
    ]


def named(text: str, names: list[str]) -> bool:
    any_of_them = "|".join(map(re.escape, names))
    return re.search(rf"(?<![\w-])(?:{any_of_them})(?![\w-])", text) is not None


def strangers(names: list[str], homes: tuple[str, ...], *, whole: bool) -> list[str]:
    """Where a name stands outside its tables."""
    found = []
    for path in sources():
        where = path.relative_to(ROOT).as_posix()
        if not where.startswith(homes):
            hits = [line for line, text in texts(path) if (text in names if whole else named(text, names))]
            found += [f"{where}:{line}" for line in hits]
    return found


def test_no_task_is_named_outside_the_tables_of_tasks() -> None:
    assert strangers(_SPECIFIC, TASK_FILES, whole=False) == []
    images = "inference/lit_infer/images/from_transform/"  # where an image may be a tensor
    assert strangers(["tensor"], (*TASK_FILES, images), whole=True) == []


def test_no_script_of_the_page_names_a_task() -> None:
    for path in (ROOT / "inference/lit_infer/server/http/static").iterdir():
        assert not named(path.read_text(), _SPECIFIC), path.name


def test_no_step_is_named_outside_the_tables_of_steps() -> None:
    assert strangers(sorted(STEPS - _WORDS), STEP_FILES, whole=False) == []
    for name in sorted(STEPS):
        packages = ("inference/lit_infer/", "export/lit_export/")
        also = tuple(f"{package}{file}" for package in packages for file in ALSO.get(name, ()))
        assert strangers([name], (*STEP_FILES, *also), whole=True) == []


def test_a_home_that_a_step_no_longer_has_is_taken_off_the_list() -> None:
    for name, files in ALSO.items():
        for file in files:
            there = [path for path in sources() if path.as_posix().endswith(f"/{file}")]
            assert any(text == name for path in there for _, text in texts(path)), f"{file} does not say {name}"


def test_the_walk_sees_a_name_that_is_out_of_place(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        '"""image-embedding in a docstring."""\nif task == "image-embedding" or f"for {x} image-embedding":\n    pass\n'
    )

    assert [line for line, text in texts(path) if named(text, ["image-embedding"])] == [2, 2]
    assert not named("my-image-embedding-v2", ["image-embedding"])
