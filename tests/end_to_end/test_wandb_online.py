"""Online, against the loopback double: train, export, predict without torch, promote; and the demo unchanged."""

import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import BIN, ROOT
from tests.inference.tiny import without
from tests.support.warm import run_warm_in, scripts
from tests.wandb_double.fixture import environment
from tests.wandb_double.server import Double

pytestmark = pytest.mark.slow

NAME = "user/digits/digits-cnn"
DEMO = "runpy.run_path('examples/demo.py', run_name='__main__')"


@dataclass
class Online:
    """A double, and commands that talk to it, each with W&B folders and a home of its own."""

    double: Double
    folder: Path
    demo: str = ""
    """What the demo has printed."""
    steps: Iterator[int] = field(default_factory=itertools.count)

    def command(self, line: str, **changes: str) -> str:
        """What a command printed; it must succeed. Those that need no torch are processes of their own."""
        name, *arguments = line.split()
        step = self.folder / "steps" / str(next(self.steps))
        variables = environment(self.double, step, **{"LIT_ARTIFACTS": str(step / "artifacts"), **changes})
        if name in ("lit-export", "lit-train"):
            return printed(run_warm_in(variables, [name, *arguments], self.folder))
        return self.run([str(BIN / name), *arguments], variables)

    def run(self, line: list[str], variables: dict[str, str]) -> str:
        """What a process printed; it must succeed."""
        return printed(
            subprocess.run(
                line, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=900, check=False
            )
        )


def printed(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """The demo, unchanged, with nothing but a server and a key; then the export of what it has logged.

    The commands that it finds beside its Python start warm here, and as they are in the other tests of the demo.

    It trains for two epochs, of which the first counts as the best and both are kept.
    """
    double = Double().start()
    online = Online(double, tmp_path_factory.mktemp("online"))
    for name in ("configs", "examples"):
        shutil.copytree(ROOT / name, online.folder / name)
    config = (ROOT / "configs/digits.yaml").read_text()
    changes = {"max_epochs: 12": "max_epochs: 2", "mode: min": "mode: max", "save_last: true": "save_top_k: 2"}
    for usual, here in changes.items():
        assert usual in config
        config = config.replace(usual, here)
    (online.folder / "configs/digits.yaml").write_text(config)
    variables = environment(double, online.folder / "home")
    given = ("WANDB_BASE_URL", "WANDB_API_KEY")
    variables = {
        name: value for name, value in variables.items() if name in given or not name.startswith(("WANDB_", "LIT_"))
    }
    bin_ = scripts(online.folder / "bin")
    (bin_ / "python").symlink_to(sys.executable)
    code = f"import runpy, sys; sys.executable = {str(bin_ / 'python')!r}; " + DEMO
    online.demo = online.run([sys.executable, "-c", code], {**variables, "LIT_BENCH_SECONDS": "0.1"})
    online.command(f"lit-export onnx --artifact {NAME}:best")
    yield online
    double.close()
    assert double.unknown == []


def test_the_demo_runs_online_with_a_key_and_a_server(online: Online) -> None:
    assert "tracking: W&B online (WANDB_API_KEY is set)" in online.demo
    assert "registry: folder registry artifacts/registry: the name begins with local/" in online.demo
    assert "tracking: uploading what is left of " in online.demo
    assert "does not have" not in online.demo
    assert "Traceback" not in online.demo


def test_best_and_latest_are_versions_with_their_own_scores(online: Online) -> None:
    logged = online.double.state.collection(NAME)
    best, latest = logged.aliases["best"], logged.aliases["latest"]
    assert (best.index, latest.index) == (0, 1)
    scores = [json.loads(version.metadata or "")["score"] for version in (best, latest)]
    assert scores[0] > scores[1], "the loss fell, and the larger counts as the best here"
    assert best.created_by is latest.created_by
    assert f"tracking: {online.double.url}/user/digits/runs/{best.created_by.name}" in online.demo


def test_the_export_is_a_run_between_the_checkpoint_and_the_bundle(online: Online) -> None:
    bundle = online.double.state.collection(f"{NAME}-export").aliases["latest"]
    assert bundle.created_by.job_type == "export"
    assert bundle.created_by.used == [online.double.state.collection(NAME).aliases["best"]]
    assert {"manifest.json", "model.onnx"} <= set(bundle.files)
    assert "onnx" in (bundle.metadata or "")


def test_the_published_bundle_predicts_where_there_is_no_torch(online: Online) -> None:
    from lit_trainer.data.digits import write_test_images

    images = write_test_images(online.folder / "images")
    slim = without(online.folder / "slim", "torch", "lightning", "onnx", "torchvision")
    slim["LIT_CACHE"] = str(online.folder / "cache")
    online.command(f"lit-infer images --model {NAME}-export:latest --output rows.jsonl", **slim)
    rows = [json.loads(text) for text in (online.folder / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == len(images)
    assert all(row["error"] is None for row in rows)

    online.double.requests.clear()
    online.command(f"lit-infer images --model {NAME}-export:latest --output again.jsonl", **slim)
    assert (online.folder / "again.jsonl").read_bytes() == (online.folder / "rows.jsonl").read_bytes()
    assert online.double.asked("GET") == []


def test_an_alias_of_the_bundle_moves(online: Online) -> None:
    said = online.command(f"lit-registry promote {NAME}-export:latest --alias production")
    assert f"registry: W&B at {online.double.url}: WANDB_API_KEY is set" in said
    aliases = online.double.state.collection(f"{NAME}-export").aliases
    assert aliases["production"] is aliases["latest"]


def test_training_goes_on_from_the_online_checkpoint(online: Online) -> None:
    said = online.command(f"lit-train test --config configs/digits.yaml --ckpt_path {NAME}:best")
    assert re.search(r"test_acc +│ +[\d.]+", said)
    assert f"registry: W&B at {online.double.url}: WANDB_API_KEY is set" in said
