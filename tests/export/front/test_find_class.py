"""lit_export.front.find_class: a user's class by its dotted path. What a checkpoint may name, test_module looks at."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

from lit_export.front.find_class import find_class
from lit_infer.errors import UsageError

CODE = "from torch import nn\nclass Net(nn.Module):\n    class Inner(nn.Linear): ...\nclass Other: ...\nnumber = 3\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, which holds `mine/nets.py`; what is imported from it is forgotten again."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/nets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "broken")]:
        del sys.modules[name]


@pytest.mark.parametrize("path", ["mine.nets:Net", "mine.nets.Net", "mine.nets:Net.Inner"])
def test_a_class_is_found_in_the_current_folder(here: Path, path: str) -> None:
    found = find_class(path)

    assert issubclass(found, nn.Module)
    assert found.__qualname__ == path.replace("mine.nets", "")[1:]
    assert os.getcwd() in sys.path


def test_the_current_folder_is_not_searched_where_that_is_not_wanted(here: Path) -> None:
    with pytest.raises(UsageError, match="no module 'mine' here"):
        find_class("mine.nets:Net", here=False)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("Net", "expected pkg.mod:Cls"),
        ("mine.nets:", "expected pkg.mod:Cls"),
        ("mine/nets.py:Net", "Did you mean mine.nets:Net?"),
        ("mine.nets:Nett", "mine.nets has no Nett. Did you mean Net?"),
        ("mine.nets:Zzz", "mine.nets has no Zzz. It has Net."),
        ("mine.nets:Other", "not a LightningModule, nor a torch.nn.Module"),
        ("mine.nets:number", "not a LightningModule, nor a torch.nn.Module"),
        ("mine.lost:Net", "no module 'mine.lost' here"),
    ],
)
def test_a_mistake_is_explained_in_one_line(here: Path, path: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_class(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise SystemExit('usage: mine')", "importing broken failed: SystemExit: usage: mine"),
        ("1 / 0", "importing broken failed: ZeroDivisionError: division by zero"),
        ("import not_installed_here", "no module 'not_installed_here' here"),
    ],
)
def test_a_module_whose_own_code_fails_is_named_with_the_reason(here: Path, code: str, says: str) -> None:
    (here / "broken.py").write_text(code)

    with pytest.raises(UsageError) as caught:
        find_class("broken:Net")
    assert says in str(caught.value)
