"""lit_export.data: the stored images of a training configuration, and nothing that is not trusted."""

import sys
from pathlib import Path

import pytest

from lit_export import data, labelled
from lit_export.labelled import Question
from lit_infer.errors import NotFoundError, UsageError

FOREIGN = """
class Part:
    items, indices = [("a", 1), ("b", 0), ("c", 1)], [2, 1]

class Module:
    labels = ("no", "yes")
    def __init__(self, size=3): pass
    def setup(self, stage): self.val_set = Part() if stage == "validate" else None

class Transformed(Module):
    def setup(self, stage): self.val_set = [1, 2]
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the user's, in the current folder."""
    (tmp_path / "their_data.py").write_text(FOREIGN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "their_data", raising=False)
    return tmp_path


def config(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_a_foreign_class_is_imported_only_if_its_package_is_trusted(foreign: Path) -> None:
    path = config(foreign, "data: {class_path: their_data.Module, init_args: {size: 4}}")
    with pytest.raises(UsageError, match="--trust-package their_data"):
        data.stored(path, "val")
    assert "their_data" not in sys.modules
    found = data.stored(path, "val", trust=["their_data"])
    assert (len(found), list(found), found.labels) == (2, [("c", 1), ("b", 0)], ("no", "yes"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {class_path: their_data.Module, init_args: {sise: 4}}", "does not take these init_args: .*sise"),
        ("data: {class_path: their_data.Nothing}", "cannot be imported"),
        ("data: {class_path: their_data.Transformed}", "without their transform"),
        ("data: {class_path: Module}", "--trust-package Module"),
        ("data: [1, 2]", "names no data module"),
        ("- data", "names no data module"),
        ("data: {class_path: [", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(foreign: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        data.stored(config(foreign, text), "val", trust=["their_data"])


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"nowhere.yaml"):
        data.stored(tmp_path / "nowhere.yaml", "val")


@pytest.mark.slow  # imports lightning
def test_the_validation_images_of_lit_trainers_modules_are_read_as_stored(tmp_path: Path) -> None:
    from lit_trainer.data import DigitsDataModule

    path = config(tmp_path, "data: {class_path: lit_trainer.data.DigitsDataModule, init_args: {split_seed: 3}}")
    module = DigitsDataModule(split_seed=3)
    module.setup("validate")
    items = list(labelled.classes(Question(path, module.labels, 10)))
    assert [index for _, index in items] == [label for _, label in module.val_set]  # type: ignore[attr-defined]
    assert all(getattr(image, "size", None) == (8, 8) for image, _ in items)
    with pytest.raises(UsageError, match="its classes are not the model's"):
        labelled.classes(Question(path, module.labels[::-1], 10))


@pytest.mark.slow  # imports lightning
def test_numbers_that_stand_for_a_class_are_what_is_true_of_its_images(tmp_path: Path) -> None:
    from lit_trainer.data import DigitsDataModule

    targets = [[float(digit), 10.0 - digit] for digit in range(10)]
    options = f"{{names: [up, down], targets: {targets}}}"
    path = config(tmp_path, f"data: {{class_path: lit_trainer.data.DigitsDataModule, init_args: {options}}}")
    module = DigitsDataModule(names=["up", "down"], targets=targets)
    module.setup("validate")

    items = list(labelled.values(Question(path, ["up", "down"], 2)))

    assert [known for _, known in items] == [tuple(known.tolist()) for _, known in module.val_set]  # type: ignore[attr-defined]
