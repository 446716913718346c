"""lit_export.formats.aotinductor: a compiled library with its manifest inside."""

import shutil
from pathlib import Path

import pytest

from lit_export.formats import aotinductor
from lit_infer.errors import UsageError
from tests.export.formats.jobs import assert_runs, make_job


def test_without_a_compiler_there_is_nothing_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match=r"needs a C\+\+ compiler, and there is none here\. Install g\+\+, or use pt2"):
        aotinductor.write(make_job(), tmp_path / "model.aoti.pt2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="needs a C++ compiler")
def test_the_library_answers_as_the_module_on_any_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lit_infer.engines.aotinductor import ALLOW

    monkeypatch.setenv(ALLOW, "1")

    found = aotinductor.write(make_job(), tmp_path / "model.aoti.pt2")

    assert found.exporter.startswith("torch AOTInductor ")
    assert [path.name for path in tmp_path.iterdir()] == ["model.aoti.pt2"]
    assert_runs(found.path, within=1e-4)
