"""A module on recordings with a mel front end in its `forward`, as users have it; recordings; and a bundle of it."""

import io
import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

RATE, SAMPLES = 8_000, 4_000
LABELS = ("low", "high", "noise")
SPEC = f"""task: audio-classification
labels: [{", ".join(LABELS)}]
fields: {{audio: {{rate: {RATE}, samples: {SAMPLES}}}}}
"""
CHUNKS = SPEC.replace("}}", ", longer: chunks, hop: 3000}}")


def mel_filters(rate: int, fft: int, bands: int) -> Tensor:
    """Triangles of equal width on the mel scale, [fft // 2 + 1, bands], as torchaudio's and librosa's (HTK) are."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, bands + 2) / 2595) - 1)
    at = torch.linspace(0, rate / 2, fft // 2 + 1)[:, None]
    up, down = (at - edges[:-2]) / (edges[1:-1] - edges[:-2]), (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return torch.minimum(up, down).clamp(min=0)


class MelSpectrogram(nn.Module):
    """Power in mel bands, [batch, bands, frames], as torchaudio's transform of that name."""

    def __init__(self, rate: int = RATE, fft: int = 256, hop: int = 128, bands: int = 24) -> None:
        super().__init__()
        self.fft, self.hop = fft, hop
        self.register_buffer("window", torch.hann_window(fft))
        self.register_buffer("filters", mel_filters(rate, fft, bands))

    def forward(self, samples: Tensor) -> Tensor:
        found = torch.stft(samples, self.fft, self.hop, window=self.window, center=True, return_complex=True)
        return torch.matmul(found.abs().pow(2).transpose(1, 2), self.filters).transpose(1, 2)


class SoundNet(pl.LightningModule):
    """Three classes from a mel spectrogram."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mel = MelSpectrogram()
        self.body = nn.Sequential(nn.Conv1d(24, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
        self.head = nn.Linear(16, len(LABELS))

    def forward(self, samples: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(torch.log(self.mel(samples) + 1e-5)))
        return logits


def tone(seconds: float, rate: int, channels: int = 1, *, pitch: float = 440.0, seed: int = 0) -> NDArray[np.float32]:
    """A tone in noise, [samples, channels], each channel another."""
    generator = np.random.default_rng(seed)
    at = np.arange(round(seconds * rate))[:, None] / rate
    found = 0.4 * np.sin(2 * np.pi * pitch * at * (1 + np.arange(channels))) + 0.05 * generator.normal(
        size=(len(at), channels)
    )
    return found.astype(np.float32)


def encoded(sound: NDArray[Any], rate: int, **given: Any) -> bytes:
    """A file's bytes."""
    file = io.BytesIO()
    soundfile.write(file, sound, rate, **{"format": "WAV", **given})
    return file.getvalue()


def write_recordings(folder: Path) -> list[Path]:
    """Files of odd rates, lengths and numbers of channels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, (name, seconds, rate, channels) in enumerate(
        [
            ("a.wav", 0.5, 8_000, 1),
            ("b.wav", 1.237, 44_100, 2),
            ("c.flac", 0.31, 11_025, 2),
            ("d.ogg", 0.9, 22_050, 1),
            ("e.wav", 2.5, 48_000, 3),
        ]
    ):
        path = folder / name
        soundfile.write(path, tone(seconds, rate, channels, pitch=200 + 150 * index, seed=index), rate)
        paths.append(path)
    return paths


def loaded(path: Any) -> NDArray[np.float32]:
    """Training's own reading, with librosa's resampler: all of a file, at the model's rate."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    found: NDArray[np.float32] = soxr.resample(samples, rate, RATE).mean(axis=1)
    return found


def prepare(path: Path) -> Tensor:
    """Training's own way from a file to the input: its start, filled up with zeros."""
    samples = torch.from_numpy(loaded(path)[:SAMPLES])
    return nn.functional.pad(samples, (0, SAMPLES - len(samples)))


def prepare_chunks(path: Path) -> NDArray[np.float32]:
    """In chunks that overlap."""
    samples = loaded(path)
    count = 1 + max(0, math.ceil((len(samples) - SAMPLES) / 3000))
    padded = np.pad(samples, (0, max(0, (count - 1) * 3000 + SAMPLES - len(samples))))
    return np.stack([padded[start : start + SAMPLES] for start in range(0, count * 3000, 3000)])


def by_interpolation(path: Path) -> Tensor:
    """With another resampler."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = torch.from_numpy(samples.mean(axis=1))[None, None]
    if rate != RATE:
        mono = nn.functional.interpolate(mono, size=round(mono.shape[-1] * RATE / rate))
    found = mono[0, 0, :SAMPLES]
    return nn.functional.pad(found, (0, SAMPLES - len(found)))


def first_channel(path: Path) -> Tensor:
    """One channel of them."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    found = torch.from_numpy(soxr.resample(samples[:, 0], rate, RATE)[:SAMPLES])
    return nn.functional.pad(found, (0, SAMPLES - len(found)))


def whole(path: Path) -> NDArray[np.float32]:
    """Of any length."""
    return loaded(path)


def as_mapping(path: Path) -> dict[str, Tensor]:
    """By the input's name."""
    return {"audio": prepare(path)}


def as_other(path: Path) -> dict[str, Tensor]:
    """By another name."""
    return {"sound": prepare(path)}


def as_tuple(path: Path) -> tuple[Tensor]:
    """As a batch of one, in a tuple."""
    return (prepare(path)[None, None],)


def as_pair(path: Path) -> tuple[Tensor, int]:
    """With its rate."""
    return prepare(path), RATE


def eager(path: Path, *, chunks: bool = False) -> list[float]:
    """What the module answers for a file alone."""
    rows = torch.as_tensor(prepare_chunks(path)) if chunks else prepare(path)[None]
    with torch.no_grad():
        found: list[float] = torch.softmax(SoundNet().eval()(rows), dim=-1).mean(0).tolist()
    return found


def sound_bundle(folder: Path, *, facts: str = SPEC, formats: Any = ("onnx",), **options: Any) -> Path:
    """A bundle of the module, exported."""
    from lit_export import Options, export

    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "spec.yaml"
    spec.write_text(facts)
    given = {"factory": "tests.support.sounds:SoundNet", **options}
    export(None, list(formats), out=folder / "bundle", options=Options(spec=spec, **given))
    return folder / "bundle"
