import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from lit_infer import files, graph_source, load
from lit_infer.errors import ArtifactError, EngineError
from lit_infer.manifest import Graph
from tests.inference.tiny import colour, described, graph_bytes, listed, make_bundle, rewrite
from tests.support.hostile_files import HOSTILE


def with_external_data(folder: Path, location: str, *, data: Path | None = None) -> Graph:
    """Make the bundle's graph refer to a file of that name for its weights; `data`: where that file really is."""
    import onnx

    model = onnx.load_model_from_string(graph_bytes(described().embedded()))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    (data or folder / location).write_bytes(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "36"}.items():
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return replace(listed(folder / "model.onnx", "onnx"), bytes=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle")


def test_weights_in_a_listed_file_are_used(folder: Path) -> None:
    graph = with_external_data(folder, "model.onnx.data")
    rewrite(folder, graphs=(replace(graph, companions={"model.onnx.data": files.sha256(folder / "model.onnx.data")}),))

    with load(folder, device="cpu", threads=2) as predictor:
        assert [one.label for one in predictor.predict([colour("green")] * 20)] == ["green"] * 20


def test_a_graph_on_its_own_takes_the_weights_beside_it(folder: Path) -> None:
    with_external_data(folder, "model.onnx.data")

    with load(folder / "model.onnx", device="cpu") as predictor:
        assert predictor.predict([colour("blue")])[0].label == "blue"


def test_weights_in_a_file_that_is_not_listed_are_refused(folder: Path) -> None:
    rewrite(folder, graphs=(with_external_data(folder, "model.onnx.data"),))

    with pytest.raises(ArtifactError, match=r"refers to model\.onnx\.data, which its manifest does not list"):
        load(folder, device="cpu")


@pytest.mark.parametrize("location", ["../outside.data", "/tmp/outside.data", "sub/inside.data", "..", "a\\b"])  # noqa: S108
@pytest.mark.parametrize("is_listed", [True, False])
def test_a_graph_cannot_have_files_outside_its_folder_read(location: str, is_listed: bool, folder: Path) -> None:
    graph = with_external_data(folder, location, data=folder.parent / "outside.data")
    if is_listed:
        rewrite(folder, graphs=(graph,))

    with pytest.raises(ArtifactError, match=r"refers to .*, outside its folder"):
        load(folder if is_listed else folder / "model.onnx", device="cpu")


def test_a_graph_from_bytes_has_no_files_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lit_infer.predictor import from_onnx_bytes

    with_external_data(folder, "model.onnx.data")
    monkeypatch.chdir(folder)

    with pytest.raises(ArtifactError, match="a graph from bytes holds its weights itself"):
        from_onnx_bytes((folder / "model.onnx").read_bytes(), device="cpu")


def test_a_file_that_begins_as_onnxruntimes_own_format_is_not_read_as_one(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"\x18\x00\x00\x00ORTM" + bytes(200))

    with pytest.raises(EngineError, match="onnxruntime cannot open it"):
        load(folder / "model.onnx", device="cpu")


@pytest.mark.parametrize("name", ["../outside.bin", "/tmp/outside.bin", "sub/x.bin", "model.onnx", ""])  # noqa: S108
def test_a_manifest_cannot_list_companions_outside_its_folder(name: str, folder: Path) -> None:
    rewrite(folder, graphs=(replace(listed(folder / "model.onnx", "onnx"), companions={name: "0" * 64}),))

    with pytest.raises(ArtifactError, match=r"as a companion\. Export the model again"):
        load(folder, device="cpu")


def test_companions_of_another_size_or_content_are_refused(folder: Path) -> None:
    data = folder / "model.onnx.data"
    graph = with_external_data(folder, data.name)
    size = (folder / "model.onnx").stat().st_size + data.stat().st_size
    rewrite(folder, graphs=(replace(graph, bytes=size, companions={data.name: files.sha256(data)}),))

    data.write_bytes(np.zeros(9, dtype=np.float32).tobytes())
    with pytest.raises(ArtifactError, match=r"model\.onnx\.data is not the file that its manifest describes"):
        load(folder, device="cpu")

    data.write_bytes(b"")
    with pytest.raises(ArtifactError, match="bytes with its companions, its manifest lists"):
        load(folder, device="cpu")


@pytest.mark.parametrize(("make", "said"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data", "golden.npz", "manifest.json"])
def test_no_file_of_a_bundle_may_block_or_never_end(
    name: str, make: Callable[[Path], None], said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lit_infer.self_test import self_test

    graph = with_external_data(folder, "model.onnx.data")
    rewrite(folder, graphs=(replace(graph, companions={"model.onnx.data": graph.sha256 or ""}),))
    (folder / name).unlink(missing_ok=True)
    monkeypatch.chdir(folder)
    make(Path(name))

    limit = "the limit is|this is not a golden|lists none"
    with pytest.raises(ArtifactError, match=f"{said}|{limit}"):
        self_test(folder, device="cpu") if name == "golden.npz" else load(folder, device="cpu")


def test_what_an_engine_reads_was_opened_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest, **more: opened.append(str(path)) or real(path, *rest, **more))

    source = graph_source.checked(folder / "model.onnx", listed(folder / "model.onnx", "onnx"))
    (folder / "model.onnx").unlink()

    assert source.file.read() == graph_bytes(described().embedded())
    assert opened == [str(folder / "model.onnx"), str(folder / "model.onnx")]  # once by `listed`, once here


def test_a_graph_that_was_replaced_after_opening_is_still_the_one_that_was_checked(folder: Path) -> None:
    with load(folder, device="cpu", threads=2) as predictor:
        (folder / "other").write_bytes(b"not a graph")
        (folder / "other").replace(folder / "model.onnx")

        assert {one.label for one in predictor.stream([colour("red")] * 9)} == {"red"}  # on a second session


def test_a_graph_that_was_written_to_after_opening_is_refused(folder: Path) -> None:
    with load(folder, device="cpu", threads=2) as predictor:
        (folder / "model.onnx").write_bytes(b"not a graph")

        with pytest.raises(EngineError, match="was changed since it was opened: load the model again"):
            list(predictor.stream([colour("red")] * 9))
