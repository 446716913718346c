import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lit_infer.errors import InputError, UsageError
from lit_infer.rows.audio import AudioFields
from lit_infer.rows.facts import AudioField
from lit_infer.server.app import create_app
from lit_infer.server.http import audio_uploads
from lit_infer.server.http.audio_uploads import prepared, read
from lit_infer.server.http.uploads import Upload
from lit_infer.server.models.opening import Opening
from lit_infer.server.models.repository import Repository
from lit_infer.server.models.sources import parse
from tests.support.server.client import Client
from tests.support.server.requests import assert_refused
from tests.support.sounds import CHUNKS, LABELS, eager, encoded, sound_bundle, tone, write_recordings

SOUND = encoded(tone(0.1, 8_000), 8_000)
TEXT = base64.b64encode(SOUND).decode()
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n%b'
    b'\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="b.wav"\r\n\r\n%b\r\n--x--\r\n'
) % (SOUND, SOUND)


@pytest.mark.parametrize(
    ("body", "count", "is_batch"),
    [
        (TEXT, 1, False),
        ({"audio": TEXT}, 1, False),
        ({"b64": TEXT}, 1, False),
        ([TEXT, {"audio": TEXT}], 2, True),
        ({"instances": [TEXT]}, 1, True),
        ({"rows": [{"audio": TEXT}]}, 1, True),
    ],
)
def test_recordings_as_json(body: Any, count: int, is_batch: bool) -> None:
    found = read("application/json", json.dumps(body).encode())

    assert (found.images, found.is_batch) == ((SOUND,) * count, is_batch)


def test_recordings_as_they_are_and_as_files_of_a_form() -> None:
    for kind in ("audio/wav", "audio/flac", "", "application/octet-stream", "application/x-www-form-urlencoded"):
        assert read(kind, SOUND) == Upload((SOUND,))
    assert read("multipart/form-data; boundary=x", FORM) == Upload((SOUND, SOUND), ("a.wav", "b.wav"), is_batch=True)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("audio/wav", b"", "the body is empty: send the recording itself"),
        ("application/json", b"{", "not valid JSON"),
        ("application/json", b"3", "the recording is no recording in base64"),
        ("application/json", b'{"path": "a.wav"}', "the recording is no recording in base64"),
        ("application/json", b'["AAAA", 3]', "item 1 is no recording in base64"),
        ("application/json", b"[]", "1 to 64 recordings, not 0"),
        ("application/json", b"[" + b'"",' * 64 + b'""]', "1 to 64 recordings, not 65"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", "the form has no file: send the recording itself"),
    ],
)
def test_what_is_no_recording_is_told(kind: str, body: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(kind, body)


def test_a_request_has_no_more_samples_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = AudioFields(AudioField(rate=8_000, samples=400, longer="chunks", hop=4))
    monkeypatch.setattr(audio_uploads, "MOST_SAMPLES", 60_000)

    found = prepared(Upload((SOUND,)), fields)
    assert (found.arrays[0].shape, found.counts) == ((101, 400), (101,))
    with pytest.raises(UsageError, match="60,000 samples at most"):
        prepared(Upload((SOUND, SOUND)), fields)
    with pytest.raises(InputError, match="item 1: it is no recording"):
        prepared(Upload((SOUND, b"x"), is_batch=True), fields)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("served")
    bundles = [sound_bundle(folder / "start"), sound_bundle(folder / "chunks", facts=CHUNKS)]
    repository = Repository(parse([f"{path.parent.name}={path}" for path in bundles]), Opening(device="cpu"))
    client = Client(create_app(repository))
    yield client
    client.close()
    repository.close()


@pytest.mark.parametrize("model", ["start", "chunks"])
def test_the_server_answers_as_the_module_itself(client: Client, model: str, tmp_path: Path) -> None:
    paths = write_recordings(tmp_path)
    headers = {"Content-Type": "audio/wav"}
    single = [
        client.post(f"/predict?model={model}", content=path.read_bytes(), headers=headers).json() for path in paths
    ]
    listed = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    several = client.post(f"/predict?model={model}", json=listed).json()["predictions"]

    for path, one, other in zip(paths, single, several, strict=True):
        wanted = eager(path, chunks=model == "chunks")
        for found in (one, other):
            scores = {choice["label"]: choice["score"] for choice in found["top"]}
            assert np.allclose([scores[label] for label in LABELS], wanted, atol=1e-5)


def test_a_path_is_never_opened_and_a_broken_file_is_told(client: Client, tmp_path: Path) -> None:
    (path, *_) = write_recordings(tmp_path)

    for body in ({"audio": str(path)}, [str(path)], {"rows": [{"audio": str(path)}]}):
        assert_refused(client.post("/predict?model=start", json=body))
    cut = client.post("/predict?model=start", content=path.read_bytes()[:900])
    assert_refused(cut)
    assert cut.json()["error"] == "it ends after 856 of 8,000 bytes of sound"
    card = client.get("/v2/models/start/card").json()
    assert (card["takes_audio"], card["takes_images"], card["fields"]["audio"]["rate"]) == (True, False, 8_000)
