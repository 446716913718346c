"""Online, against the loopback double: train, export, predict without torch, promote; and the demo unchanged."""

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
from tests.wandb_double.fixture import environment
from tests.wandb_double.server import Double

pytestmark = pytest.mark.slow

NAME = "user/digits/digits-cnn"


@dataclass
class Online:
    """A double, and commands that talk to it, each with W&B folders and a home of its own."""

    double: Double
    folder: Path
    said: dict[str, str] = field(default_factory=dict)

    def command(self, line: str, **changes: str) -> str:
        """What a command printed; it must succeed."""
        name, *arguments = line.split()
        step = self.folder / "steps" / str(len(self.said))
        changes = {"LIT_ARTIFACTS": str(step / "artifacts"), **changes}
        done = subprocess.run(
            [BIN / name, *arguments],
            cwd=self.folder,
            env=environment(self.double, step, **changes),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.said[line] = done.stdout + done.stderr
        return self.said[line]


@pytest.fixture(scope="module")
def online(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Online]:
    """Two epochs of training, of which the first counts as the best and both are kept, then its export."""
    double = Double().start()
    online = Online(double, tmp_path_factory.mktemp("online"))
    config = (ROOT / "configs/digits.yaml").read_text()
    for usual, here in (("mode: min", "mode: max"), ("save_last: true", "save_top_k: 2")):
        assert usual in config
        config = config.replace(usual, here)
    (online.folder / "digits.yaml").write_text(config)
    online.command("lit-train fit --config digits.yaml --trainer.max_epochs 2 --trainer.accelerator cpu")
    online.command(f"lit-export onnx --artifact {NAME}:best")
    yield online
    double.close()
    assert double.unknown == []


def test_best_and_latest_are_versions_with_their_own_scores(online: Online) -> None:
    logged = online.double.state.collection(NAME)
    best, latest = logged.aliases["best"], logged.aliases["latest"]
    assert (best.index, latest.index) == (0, 1)
    scores = [json.loads(version.metadata or "")["score"] for version in (best, latest)]
    assert scores[0] > scores[1], "the loss fell, and the larger counts as the best here"
    assert best.created_by is latest.created_by
    assert f"tracking: {online.double.url}/user/digits/runs/{best.created_by.name}" in "".join(online.said.values())


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
    script = (
        "from lit_infer import artifacts; "
        f"r = artifacts.parse('{NAME}-export:latest'); artifacts.registry(r).move_alias('production', r)"
    )
    step = environment(online.double, online.folder / "steps/promote")
    subprocess.run([sys.executable, "-c", script], env=step, cwd=online.folder, timeout=100, check=True)
    aliases = online.double.state.collection(f"{NAME}-export").aliases
    assert aliases["production"] is aliases["latest"]


def test_training_goes_on_from_the_online_checkpoint(online: Online) -> None:
    said = online.command(f"lit-train test --config digits.yaml --ckpt_path {NAME}:best")
    assert re.search(r"test_acc +│ +[\d.]+", said)
    assert f"registry: W&B at {online.double.url}: WANDB_API_KEY is set" in said


def test_the_demo_runs_unchanged_with_a_key_and_a_server(online: Online) -> None:
    folder = online.folder / "demo"
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(ROOT / "examples", folder / "examples")
    variables = environment(online.double, folder / "home")
    kept = {"WANDB_BASE_URL", "WANDB_API_KEY"}
    variables = {
        name: value for name, value in variables.items() if name in kept or not name.startswith(("WANDB_", "LIT_"))
    }
    online.double.user = "demo"
    online.double.entities.append("demo")
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tracking: W&B online (WANDB_API_KEY is set)" in done.stdout
    assert {"best", "latest"} <= set(online.double.state.collection("demo/digits/digits-cnn").aliases)
    assert "Traceback" not in done.stdout
