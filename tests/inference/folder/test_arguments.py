from pathlib import Path

import pytest

from lit_infer.errors import NotFoundError, UsageError
from lit_infer.folder.arguments import parse
from lit_infer.folder.sources import Listed
from tests.support.paths import touched


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(touched(tmp_path, "a/1.png"))
    return tmp_path


def test_a_file_whose_name_looks_like_a_glob_is_that_file(here: Path) -> None:
    touched(here, "img[1].png", "img1.png")

    assert [item.name for item in parse(["img[1].png"])] == ["img[1].png"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("nowhere", "no such file or folder: nowhere"),
        ("nowhere/*.png", "no such folder: nowhere"),
        ("*.npz", r"no files match \*\.npz"),
        ("*.tiff", r"no images match \*\.tiff"),
        ("empty", r"no images below empty/ \(looked for \.avif \.bmp .*\.webp\)"),
        ("@nowhere", "no such list: nowhere"),
        ("@a", "no such list: a"),
    ],
)
def test_what_is_not_there_is_refused_at_once(argument: str, said: str, here: Path) -> None:
    (here / "empty").mkdir()
    with pytest.raises(NotFoundError, match=said):
        parse(["a", argument])


def test_standard_input_can_be_named_once() -> None:
    with pytest.raises(UsageError, match="only once"):
        parse(["-", "a", "-"])
    assert Listed(None).count() is None
