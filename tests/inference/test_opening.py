from pathlib import Path

import pytest

from lit_infer import bundle, opening, settings
from lit_infer.errors import ArtifactError, UsageError
from lit_infer.hardware import DEFAULT_BATCH_SIZE, usable_cpus
from tests.inference.tiny import described, graph_bytes


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIT_CACHE", str(tmp_path / "cache"))


def test_what_is_not_named_is_all_threads_and_the_default_batch(bundle_folder: Path) -> None:
    graph_file, _ = opening.choose(bundle_folder, device="cpu", engine="auto", precision="auto")

    opened = opening.open_file(graph_file, device="cpu", threads=None, batch_size=None)

    assert (opened.threads, opened.batch_size) == (usable_cpus(), DEFAULT_BATCH_SIZE)
    assert opened.path == bundle_folder / "model.onnx"
    assert opened.manifest == bundle.find(bundle_folder)[0].manifest


def test_a_graph_from_bytes_has_no_path() -> None:
    opened = opening.open_bytes(graph_bytes(described().embedded()), device="cpu", threads=1, batch_size=3)

    assert (opened.path, opened.threads, opened.batch_size) == (None, 1, 3)
    with pytest.raises(ArtifactError, match="carries no lit-deploy manifest"):
        opening.open_bytes(graph_bytes(None), device="cpu", threads=1, batch_size=None)


def test_what_was_tuned_is_taken_where_the_wish_allows_it(bundle_folder: Path) -> None:
    described = bundle.find(bundle_folder)[0].manifest
    assert described is not None
    settings.write(described, settings.TunedSettings(batch_size=3, precision="fp32"))

    for precision in ("auto", "auto:int8"):
        graph_file, tuned = opening.choose(bundle_folder, device="cpu", engine="auto", precision=precision)
        assert (graph_file.listed and graph_file.listed.precision, tuned.batch_size) == ("fp32", 3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"device": "gpu"}, "device 'gpu' is not known"),
        ({"engine": "tvm"}, "engine 'tvm' is not known"),
        ({"engine": "onnx:rocm"}, "engine 'onnx:rocm' is not known"),
        ({"precision": "int4"}, "precision 'int4' is not known"),
    ],
)
def test_what_is_not_known_is_refused(wrong: dict[str, str], said: str, bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match=said):
        opening.choose(bundle_folder, **{"device": "cpu", "engine": "auto", "precision": "auto", **wrong})
