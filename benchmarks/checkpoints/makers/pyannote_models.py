"""pyannote.audio: PyanNet trained by its tasks on a toy protocol; ModelCheckpoint writes the file."""

import os
import tempfile
import types
import wave
from collections.abc import Iterator
from typing import Any

os.environ["PYANNOTE_METRICS_ENABLED"] = "false"

import lightning.pytorch as pl
import numpy as np
import torch
from pyannote.audio import Model
from pyannote.audio.core import io as audio_io
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.tasks import SpeakerDiarization, VoiceActivityDetection
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.protocol import SpeakerDiarizationProtocol
from record import QUIET, answers_of, record

pl.seed_everything(1, verbose=False)
RATE, SECONDS = 16000, 12


class WaveDecoder:
    """In place of torchcodec's AudioDecoder, which needs ffmpeg's libraries on the machine."""

    def __init__(self, path: Any) -> None:
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        self.samples = torch.from_numpy(samples / np.float32(32768))[None]
        self.metadata = types.SimpleNamespace(sample_rate=RATE, num_channels=1, duration_seconds_from_header=SECONDS)

    def get_samples_played_in_range(self, start: float, end: float) -> Any:
        return types.SimpleNamespace(data=self.samples[:, round(start * RATE) : round(end * RATE)], sample_rate=RATE)


audio_io.AudioDecoder, audio_io.TORCHCODEC_AVAILABLE = WaveDecoder, True


class Toy(SpeakerDiarizationProtocol):
    """Two speakers, each a tone, who take turns and overlap."""

    name = "Toy.SpeakerDiarization.Two"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder

    def _files(self, names: str) -> Iterator[dict[str, Any]]:
        for name in names:
            truth = Annotation(uri=name)
            for turn in (0.0, 3.14):
                truth[Segment(turn, turn + 3.1)] = "A"
                truth[Segment(turn + 1.5, turn + 4)] = "B"
            facts = {"uri": name, "database": "Toy", "subset": "train", "scope": "file", "classes": ["A", "B"]}
            path, annotated = f"{self.folder}/{name}.wav", Timeline([Segment(0, SECONDS)])
            yield {**facts, "audio": path, "annotation": truth, "annotated": annotated}

    def train_iter(self) -> Iterator[dict[str, Any]]:
        return self._files("ab")

    def development_iter(self) -> Iterator[dict[str, Any]]:
        return self._files("c")


def sound(seconds: float, first: float, second: float) -> torch.Tensor:
    """Two tones that come and go, in a little noise."""
    t = torch.arange(int(seconds * RATE)) / RATE
    tones = torch.sin(6.28 * first * t) * (torch.sin(3 * t) > 0) + torch.sin(6.28 * second * t) * (torch.cos(2 * t) > 0)
    return 0.2 * tones + 0.01 * torch.randn(len(t))


def make(name: str, task_class: Any, options: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for index, file in enumerate("abc"):
            with wave.open(f"{folder}/{file}.wav", "wb") as writer:
                writer.setnchannels(1)
                writer.setsampwidth(2)
                writer.setframerate(RATE)
                writer.writeframes((sound(SECONDS, 220, 400 + 20 * index) * 32767).numpy().astype("<i2").tobytes())
        task = task_class(Toy(folder), duration=2.0, batch_size=4, num_workers=0, **options)
        model = PyanNet(task=task, lstm={"hidden_size": 8, "num_layers": 1}, linear={"hidden_size": 8, "num_layers": 1})
        monitor, mode = task.val_monitor
        checkpoint = pl.callbacks.ModelCheckpoint(folder, monitor=monitor, mode=mode)
        limits: dict[str, Any] = {"limit_train_batches": 2, "limit_val_batches": 1, "num_sanity_val_steps": 0}
        pl.Trainer(max_epochs=1, accelerator="cpu", callbacks=[checkpoint], **limits, **QUIET).fit(model)
        loaded = Model.from_pretrained(checkpoint.best_model_path)
        proof, held = (
            torch.stack([sound(2, f, f + 90) for f in tones])[:, None]
            for tones in (range(200, 600, 20), (230, 333, 470))
        )
        answers = answers_of(loaded, held)
        inputs = ({"waveforms": waveforms} for waveforms in (proof, held))
        record(
            f"pyannote-{name}",
            "pyannote-audio",
            checkpoint.best_model_path,
            **dict(zip(("proof", "held"), inputs, strict=True)),
            answers=answers,
        )


make("diarization", SpeakerDiarization, {"max_speakers_per_chunk": 2, "max_speakers_per_frame": 2})
make("vad", VoiceActivityDetection, {})
