"""lit_export.formats.aotinductor: what it needs. A library is compiled and proven in test_graph_builder."""

from pathlib import Path

import pytest

from lit_export.formats import aotinductor
from lit_infer.errors import UsageError
from tests.export.formats.jobs import make_job


def test_without_a_compiler_there_is_nothing_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match=r"needs a C\+\+ compiler, and there is none here\. Install g\+\+, or use pt2"):
        aotinductor.write(make_job(), tmp_path / "model.aoti.pt2")
    assert list(tmp_path.iterdir()) == []
