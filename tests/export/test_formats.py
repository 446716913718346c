"""lit_export.formats: what is in the finished files, and what is not."""

import zipfile
from pathlib import Path

import onnx
import pytest
import torch

from lit_export.pipeline import export
from lit_infer import manifest
from lit_infer.engines.opened import MANIFEST_KEY


@pytest.fixture(scope="module")
def bundle(digits_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = export(checkpoint=digits_checkpoint, out=tmp_path_factory.mktemp("formats") / "bundle")
    assert made.folder is not None
    return made.folder


def test_onnx_is_one_file_with_a_dynamic_batch_and_the_documented_names(bundle: Path) -> None:
    model = onnx.load(bundle / "model.onnx", load_external_data=False)
    images, probabilities = model.graph.input[0], model.graph.output[0]
    sides = [side.dim_param or side.dim_value for side in images.type.tensor_type.shape.dim]
    assert (images.name, sides) == ("images", ["batch", 16, 16, 1])
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert probabilities.name == "probabilities"
    assert probabilities.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert sorted(path.name for path in bundle.iterdir()) == ["golden.npz", "manifest.json", "model.onnx", "model.pt"]


def test_the_manifest_records_the_opset_that_is_in_the_file(bundle: Path) -> None:
    model = onnx.load(bundle / "model.onnx")
    graph = next(graph for graph in manifest.read(bundle).graphs if graph.format == "onnx")
    assert graph.opset == 20 == next(entry.version for entry in model.opset_import if not entry.domain)
    assert graph.ir_version == model.ir_version


@pytest.mark.parametrize("name", ["model.onnx", "model.pt"])
def test_a_graph_file_tells_nothing_of_the_authors_source(bundle: Path, name: str) -> None:
    raw = (bundle / name).read_bytes()
    if name.endswith(".pt"):
        with zipfile.ZipFile(bundle / name) as archive:
            assert not [entry for entry in archive.namelist() if entry.endswith(".debug_pkl")]
            raw = b"".join(archive.read(entry) for entry in archive.namelist())
    for trace in (b"stack_trace", b".py(", b'File "', str(Path(torch.__file__).parent).encode(), b"digits_cnn.py"):
        assert trace not in raw


@pytest.mark.parametrize("name", ["model.onnx", "model.pt"])
def test_both_files_carry_the_bundles_own_facts(bundle: Path, name: str) -> None:
    if name == "model.onnx":
        entries = {entry.key: entry.value for entry in onnx.load(bundle / name).metadata_props}
        carried = entries[MANIFEST_KEY]
    else:
        with zipfile.ZipFile(bundle / name) as archive:
            carried = archive.read(f"model/extra/{MANIFEST_KEY}").decode()
    assert manifest.decode(carried, where=name) == manifest.read(bundle).embedded()


def test_the_same_export_gives_the_same_onnx_bytes(bundle: Path, digits_checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint=digits_checkpoint, to=["onnx"], out=tmp_path / "again")
    assert (tmp_path / "again" / "model.onnx").read_bytes() == (bundle / "model.onnx").read_bytes()
