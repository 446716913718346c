"""Recordings, from a training to files of odd rates, to scores and to the server: answers are the eager module's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lit_export import Options, export
from tests.support.sounds import LABELS, RATE, SAMPLES, SPEC, SoundNet, prepare, tone, write_recordings


class Trained(SoundNet):
    """The same, trained."""

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=0.01)


def _sound(label: int, seed: int, rate: int = RATE, channels: int = 1) -> Any:
    if label == 2:
        return 0.3 * np.random.default_rng(seed).standard_normal((round(0.7 * rate), channels)).clip(-3, 3)
    return tone(0.7, rate, channels, pitch=(150, 1_200)[label] * (1 + seed % 7 / 10), seed=seed)


@pytest.mark.slow
def test_recordings_from_training_to_rows(tmp_path: Path) -> None:
    pl.seed_everything(3, verbose=False)
    samples = torch.from_numpy(np.stack([_sound(i % 3, i)[:SAMPLES, 0] for i in range(48)]).astype(np.float32))
    data = DataLoader(TensorDataset(samples, torch.arange(48) % 3), batch_size=16)
    quiet: Any = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=15, accelerator="cpu", default_root_dir=tmp_path, **quiet)
    module = Trained()
    trainer.fit(module, data)
    trainer.save_checkpoint(tmp_path / "sounds.ckpt")
    (tmp_path / "spec.yaml").write_text(SPEC)
    for index, label in enumerate(LABELS * 3):  # labelled files: a folder for each class
        path = tmp_path / "labelled" / label / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate, channels = (44_100, 16_000, 8_000)[index // 3], 1 + index % 2
        soundfile.write(path, _sound(index % 3, 100 + index, rate, channels), rate)
    files = sorted((tmp_path / "labelled").rglob("*.wav")) + write_recordings(tmp_path / "labelled" / "low" / "odd")

    options = Options(
        class_path="tests.end_to_end.test_sounds:Trained",
        spec=tmp_path / "spec.yaml",
        prepare="tests.support.sounds:prepare",
        table_rows=tmp_path / "labelled",
        data=tmp_path / "labelled",
    )
    bundle = export(tmp_path / "sounds.ckpt", ["onnx"], out=tmp_path / "bundle", options=options)
    proof, (graph,) = bundle.manifest.proof, bundle.manifest.graphs
    assert proof.prepared.rows == 14
    assert (graph.score.metric, graph.score.images) == ("accuracy", 14)
    assert graph.score.value == graph.score.eager
    command = [str(Path(sys.executable).with_name("lit-infer")), "labelled", "--model", "bundle", "--json", "--quiet"]
    lines = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    rows = {row["path"]: row for row in map(json.loads, lines.splitlines()) if "path" in row}
    assert len(rows) == len(files) == 14
    for path in files:
        with torch.no_grad():
            wanted = torch.softmax(module.eval()(prepare(path)[None]), dim=-1)[0].tolist()
        row = rows[str(path.relative_to(tmp_path))]
        assert row["error"] is None
        scores = {choice["label"]: choice["score"] for choice in row["top"]}
        assert [scores[label] for label in LABELS] == pytest.approx(wanted, abs=1e-5)
    first = [rows[str(path.relative_to(tmp_path))]["label"] == path.parent.name for path in files[:9]]
    assert sum(first) >= 7  # it has learned something: the answers differ from file to file
