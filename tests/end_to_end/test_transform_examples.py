"""examples/transforms: each trains, exports with its own evaluation transform proven, and predicts."""

import importlib
import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from lit_infer import manifest
from tests.conftest import ROOT, run_command
from tests.support.warm import run_warm

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples" / "transforms"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that runs them."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("run")


@pytest.mark.parametrize("name", ["albumentations_opencv", "torch_tensors", "timm_transform", "huggingface_processor"])
def test_an_example_trains_exports_with_its_transform_proven_and_predicts(
    name: str, example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "huggingface_processor" and importlib.util.find_spec("transformers") is None:
        pytest.skip("transformers is not installed")
    said = []

    def command(*line: str, folder: Path) -> None:
        start = run_command if line[0] == "lit-infer" else run_warm
        done = start(list(line), folder)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout + done.stderr)

    monkeypatch.setattr(example, "command", command)
    for module in EXAMPLES.glob("*.py"):  # a warm process reads no PYTHONPATH, but the folder that it runs in
        shutil.copy(module, tmp_path)

    example.main(name, tmp_path)

    exported, predicted = said
    assert f"pixels proven against {name}:evaluation on 64 images (those of --images), all equal" in exported
    facts = manifest.read(tmp_path / "bundle")
    assert facts.proof is not None
    assert facts.proof.pixels is not None
    assert facts.proof.pixels.max_difference == 0
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert f"{len(rows)} images" in predicted
    assert all(row["error"] is None for row in rows)
