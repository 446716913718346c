"""lit_export.user_code: whatever a user's code raises is one line, with the place in their file."""

from pathlib import Path
from types import ModuleType

import pytest
import torch

from lit_export.user_code import user_code
from lit_infer.errors import ArtifactError, GateError

SOURCE = """
import torch

def wrong(x):
    return torch.nn.functional.linear(x, torch.zeros(2, 5))

def worse(x):
    raise KeyError("several\\nlines")
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    import importlib

    (tmp_path / "their_net.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("their_net")


def test_the_line_is_the_last_of_their_own_and_not_of_torch(theirs: ModuleType) -> None:
    with (
        pytest.raises(ArtifactError, match=r"^Net\.forward failed: RuntimeError: .* \(their_net\.py:5\)$"),
        user_code("Net.forward"),
    ):
        theirs.wrong(torch.zeros(1, 3))


def test_a_message_of_several_lines_is_one(theirs: ModuleType) -> None:
    with pytest.raises(ArtifactError) as raised, user_code("Net.forward"):
        theirs.worse(0)
    assert "\n" not in str(raised.value)


def test_what_is_explained_already_and_what_stops_a_program_pass() -> None:
    with pytest.raises(GateError, match=r"^as it was$"), user_code("x"):
        raise GateError("as it was")
    with pytest.raises(KeyboardInterrupt), user_code("x"):
        raise KeyboardInterrupt
