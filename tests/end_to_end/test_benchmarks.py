"""Benchmarks are run by hand; that they still fit what they import from each other and from us is told here."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPTS = [one for one in sorted((ROOT / "benchmarks").glob("*.py")) if not one.stem.endswith("_modules")]
"""Without the lists of modules, which their scripts import."""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_benchmark_can_be_loaded(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(script.parent)
    spec = importlib.util.spec_from_file_location(f"benchmark_{script.stem}", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up

    spec.loader.exec_module(module)

    assert callable(module.main)
