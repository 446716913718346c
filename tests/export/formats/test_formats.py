"""lit_export.formats: what is in the finished files, and what is not."""

import re
import shutil
import zipfile
from pathlib import Path

import onnx
import pytest
import torch

from lit_export import export
from lit_export.formats import FORMATS, file_name
from lit_export.front.checkpoint import open_checkpoint
from lit_export.inspection import inspect
from lit_infer import manifest
from lit_infer.engines import ENGINES, HEAD_BYTES, engine_for_content, engine_for_file
from lit_infer.errors import ArtifactError

ALL: list[manifest.FormatName] = ["onnx", "torchscript", "pt2", "openvino"]


@pytest.fixture(scope="module")
def bundle(digits_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = export(digits_checkpoint, ALL, out=tmp_path_factory.mktemp("formats") / "b")
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


def test_a_bundle_holds_the_graphs_and_what_describes_them(bundle: Path) -> None:
    graphs = ["model.bin", "model.onnx", "model.pt", "model.pt2", "model.xml"]
    assert sorted(path.name for path in bundle.iterdir()) == [
        "golden.npz",
        "manifest.json",
        *graphs,
        "pixels.npz",
        "report.md",
    ]
    listed = {graph.file: graph for graph in manifest.read(bundle).graphs}
    assert listed["model.xml"].companions.keys() == {"model.bin"}
    assert listed["model.xml"].bytes == sum((bundle / name).stat().st_size for name in ("model.xml", "model.bin"))


def test_the_manifest_records_the_opset_that_is_in_the_file(bundle: Path) -> None:
    model = onnx.load(bundle / "model.onnx")
    graph = next(graph for graph in manifest.read(bundle).graphs if graph.format == "onnx")
    assert graph.opset == 20 == next(entry.version for entry in model.opset_import if not entry.domain)
    assert graph.ir_version == model.ir_version


@pytest.mark.parametrize("name", ["model.onnx", "model.pt", "model.pt2", "model.xml"])
def test_a_graph_file_tells_nothing_of_the_authors_source(bundle: Path, name: str) -> None:
    raw = (bundle / name).read_bytes()
    if ".pt" in name:
        with zipfile.ZipFile(bundle / name) as archive:
            assert not [entry for entry in archive.namelist() if entry.endswith(".debug_pkl")]
            raw = b"".join(archive.read(entry) for entry in archive.namelist())
    for trace in (b"stack_trace", b".py(", b'File "', str(Path(torch.__file__).parent).encode(), b"digits_cnn.py"):
        assert trace not in raw


@pytest.mark.parametrize("name", ["model.onnx", "model.pt", "model.pt2", "model.xml"])
def test_every_file_carries_the_bundles_own_facts(bundle: Path, name: str) -> None:
    opened = engine_for_file(bundle / name).open_graph(bundle / name, device="cpu", threads=1)
    assert opened.embedded is not None
    assert manifest.decode(opened.embedded, where=name) == manifest.read(bundle).embedded()


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("model.onnx", "ONNX graph"),
        ("model.xml", "OpenVINO graph"),
        ("model.pt2", "torch.export graph (.pt2)"),
        ("model.pt", "TorchScript graph"),
    ],
)
def test_a_file_is_known_by_its_content_and_tells_its_manifest_unopened(
    bundle: Path, tmp_path: Path, name: str, title: str
) -> None:
    renamed = shutil.copyfile(bundle / name, tmp_path / "renamed.bin")
    found = inspect(str(renamed))
    assert found.kind == title
    assert ("name", f"{manifest.read(bundle).name} (image-classification)") in found.rows
    with pytest.raises(ArtifactError, match=re.escape(f"{title}, which is an export already. See: lit-export inspect")):
        open_checkpoint(artifact=None, checkpoint=renamed)


@pytest.mark.parametrize("name", ["model.onnx", "model.xml", "model.pt2", "model.pt"])
def test_no_other_engine_takes_it_for_its_own(bundle: Path, name: str) -> None:
    head = (bundle / name).read_bytes()[:HEAD_BYTES]
    entries: frozenset[str] = frozenset()
    if head.startswith(b"PK"):
        with zipfile.ZipFile(bundle / name) as archive:
            entries = frozenset(entry.partition("/")[2] for entry in archive.namelist())
    engine = engine_for_file(bundle / name)
    assert [row for row in ENGINES.values() if row.recognises(head, entries)] == [engine]


def test_a_checkpoint_is_no_engines(digits_checkpoint: Path) -> None:
    with zipfile.ZipFile(digits_checkpoint) as archive:
        assert engine_for_content(digits_checkpoint.read_bytes()[:HEAD_BYTES], archive.namelist()) is None


def test_the_same_export_gives_the_same_bytes(bundle: Path, digits_checkpoint: Path, tmp_path: Path) -> None:
    export(digits_checkpoint, ALL, out=tmp_path / "again")
    for name in ("model.onnx", "model.pt", "model.pt2", "model.xml", "model.bin"):
        assert (tmp_path / "again" / name).read_bytes() == (bundle / name).read_bytes(), name


def test_every_format_has_an_engine_and_a_file_name_that_finds_it() -> None:
    assert FORMATS.keys() == ENGINES.keys()
    for format_ in FORMATS.values():
        for precision in format_.writers:
            assert engine_for_file(Path(file_name(format_.name, precision))).format == format_.name
            assert format_.writers_of(precision)
